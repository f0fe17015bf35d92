"""Pack the library as one pure-Python zip file: ``spark-submit --py-files lupus.zip``.

urllib3 is not inside: whoever sends needs it, and an own copy would hide that of the cluster.
"""

import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
_SAME_TIME = (2026, 1, 1, 0, 0, 0)  # the same sources are the same file


def pack(target: Path) -> Path:
    """Write the file; gives its path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in (HERE / "lupus").rglob("*") if path.suffix in (".py", ".typed"))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in files:
            name = path.relative_to(HERE).as_posix()
            entry = zipfile.ZipInfo(name, _SAME_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, path.read_bytes())
    return target


if __name__ == "__main__":
    written = pack(Path(sys.argv[1]))
    sys.stdout.write(f"{written}: {written.stat().st_size / 1000:.0f} kB\n")
