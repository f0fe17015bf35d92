"""What messages are signed with, and how those secrets are kept."""

import time
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from service.errors import RequestError, SecretError, SettingsError
from service.notifications.signing import check_secret, headers, new_secret
from service.secret_box import SecretBox, open_secret_box

KEY = "k" * 32


def test_signatures_are_those_of_the_standard() -> None:
    secrets = [new_secret(), new_secret()]
    body = '{"type": "lupus.anomaly.v1", "text": "Zürich ≥ 3"}'.encode()
    signed = headers(secrets, "msg_1", int(time.time()), body)
    for secret in secrets:
        Webhook(secret).verify(body, dict(signed))
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(new_secret()).verify(body, dict(signed))
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(secrets[0]).verify(body + b" ", dict(signed))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "c" * 40, "whsec_" + "?" * 40])
def test_a_weak_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(RequestError) as caught:
        check_secret(secret)
    assert caught.value.pointer == "/secret"
    assert not secret or secret == "whsec_" or secret not in str(caught.value)


def test_secrets_open_only_with_their_key() -> None:
    stored = SecretBox(KEY).lock("whsec_x")
    assert "whsec" not in stored
    assert SecretBox(KEY).open(stored) == "whsec_x"
    with pytest.raises(SecretError, match="LUPUS_SECRET_KEY"):
        SecretBox("another" * 8).open(stored)
    assert KEY not in repr(SecretBox(KEY))


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secret.key"
    stored = open_secret_box(None, file).lock("x")
    assert file.stat().st_mode & 0o777 == 0o600
    assert open_secret_box(None, file).open(stored) == "x"
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]
    file.write_text("")
    with pytest.raises(SettingsError, match="holds no key"):
        open_secret_box(None, file)
