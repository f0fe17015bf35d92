"""Opens a bucket below a prefix; who opens it decides nothing about addresses and credentials."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from storage.errors import InvalidError
from storage.location import BUCKET_FORMS, BUCKETS, scheme_of, unknown_scheme
from storage.object_names import PREFIX
from storage.secret import Secret
from storage.settings import S3Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

BucketStore = S3Store | GCSStore | AzureStore

# A call ends within a minute of its last sign of life, whatever the network does to it.
_CONNECT = timedelta(seconds=5)
_SILENCE = timedelta(seconds=60)
_WHOLE_CALL = timedelta(minutes=15)
_RETRY: "RetryConfig" = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=45),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=5),
        "base": 2,
    },
}
# How long the client may go on with a secret of a file before it reads it again.
SECRET_LIFE = timedelta(seconds=1)


@dataclass(frozen=True)
class Place:
    """What a bucket's URL names."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def place_of(store: str, url: str) -> Place:
    """The bucket and the prefix of a URL; ``store`` is who has it, for messages.

    Raises
    ------
    InvalidError
        It names no bucket of a known scheme, or carries more than bucket and prefix.
    """
    scheme = scheme_of(url)
    if scheme not in BUCKETS:
        raise unknown_scheme(store, url, BUCKET_FORMS)
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise InvalidError(f"the {store} URL holds a user or password: secrets never stand in URLs")
    prefix = parts.path.strip("/")
    if not parts.netloc or parts.query or parts.fragment or not PREFIX.fullmatch(prefix):
        raise InvalidError(
            f"the {store} URL must be {scheme}://bucket/prefix, the prefix of A-Z a-z 0-9 . _ = - "
            "in parts that do not begin with a dot"
        )
    return Place(scheme, parts.netloc, prefix)


def open_store(url: str, settings: S3Settings, store: str = "objects") -> BucketStore:
    """The part of a bucket that a URL names. Opening asks the server nothing.

    A secret in a file is read again about once a second of use, so a rotated one is seen without
    a restart; without a key the client finds the identity of the pod, machine or environment.

    Raises
    ------
    InvalidError
        The URL or the settings cannot be used.
    """
    place = place_of(store, url)
    try:
        return SCHEMES[place.scheme](place, settings)
    except (BaseError, ValueError) as error:
        cause = str(error).partition("\n")[0]
        raise InvalidError(f"the {store} store {place} cannot be opened: {cause}") from None


def _s3(place: Place, settings: S3Settings) -> BucketStore:
    key, secret = settings.access_key_id, settings.secret_access_key
    if bool(key) != bool(secret):
        raise InvalidError(
            "LUPUS_S3_ACCESS_KEY_ID and LUPUS_S3_SECRET_ACCESS_KEY belong together: set both, or "
            "neither to use the identity of the pod, machine or environment"
        )
    config: S3Config = {"region": settings.region}
    if settings.endpoint:
        config["endpoint"] = settings.endpoint.rstrip("/")
    return S3Store(
        place.bucket,
        prefix=place.prefix or None,
        config=config,
        client_options=_client(settings),
        retry_config=_RETRY,
        credential_provider=_credentials(key, secret) if key else None,
    )


def _credentials(key: str, secret: Secret) -> Callable[[], "S3Credential"]:
    secret.read()  # a file that is not there is said now, not by the first call

    def current() -> "S3Credential":
        return {
            "access_key_id": key,
            "secret_access_key": secret.read(),
            "token": None,
            "expires_at": datetime.now(UTC) + SECRET_LIFE if secret.file else None,
        }

    return current


def _gs(place: Place, settings: S3Settings) -> BucketStore:
    return GCSStore(
        place.bucket,
        prefix=place.prefix or None,
        client_options=_client(settings),
        retry_config=_RETRY,
    )


def _az(place: Place, settings: S3Settings) -> BucketStore:
    return AzureStore(
        place.bucket,
        prefix=place.prefix or None,
        client_options=_client(settings),
        retry_config=_RETRY,
    )


def _client(settings: S3Settings) -> "ClientConfig":
    options: ClientConfig = {
        "connect_timeout": _CONNECT,
        "read_timeout": _SILENCE,
        "timeout": _WHOLE_CALL,
        "allow_http": settings.endpoint.startswith("http://"),
    }
    if settings.ca_bundle is not None:
        try:
            options["root_certificate"] = settings.ca_bundle.read_bytes()
        except OSError as error:
            raise InvalidError(
                f"LUPUS_CA_BUNDLE: {error.strerror} ({settings.ca_bundle})"
            ) from None
    return options


SCHEMES: Mapping[str, Callable[[Place, S3Settings], BucketStore]] = {
    "s3": _s3,
    "gs": _gs,
    "az": _az,
}
