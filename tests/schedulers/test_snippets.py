"""The texts of docs/schedulers.md that people copy: a CronJob and a systemd timer."""

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "schedulers.md").read_text()
SCRIPT = ROOT / "examples" / "cron" / "lupus-detect.sh"
KUBERNETES = "1.34"


def snippet(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_kubernetes_knows_every_field_of_the_cron_job() -> None:
    kubernetes_validate.validate(yaml.safe_load(snippet("yaml")), KUBERNETES, strict=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_has_nothing_to_say_about_its_units(tmp_path: Path) -> None:
    script = shutil.copy(SCRIPT, tmp_path)
    text = snippet("ini").replace("/opt/lupus/lupus-detect.sh", str(script))
    named = re.split(r"^# (\S+\.(?:service|timer))\n", text, flags=re.MULTILINE)[1:]
    units = [tmp_path / name for name in named[::2]]
    assert len(units) == 2
    for unit, content in zip(units, named[1::2], strict=True):
        unit.write_text(content)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, units)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
