"""A PostgreSQL server of a test's own, which it may stop, start and change: nobody else uses it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import create_engine

from service.demo.process import free_port

_START_SECONDS = 120
# Trust for whoever administers, a password for everybody else; `secured` only with TLS.
_RULES = """
host    all       lupus all scram-sha-256
hostssl all       secured all scram-sha-256
local   all       all         trust
host    all       admin   all trust
"""


@dataclass
class PrivateServer:
    folder: Path
    programs: Path
    port: int

    @property
    def ca(self) -> Path:
        return self.folder / "server.crt"

    def url(self, user: str = "admin", database: str = "postgres", query: str = "") -> str:
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}{query}"

    def ask(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of the last statement that the administrator runs."""
        engine = create_engine(self.url(database=database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                for statement in statements:
                    answer = connection.exec_driver_sql(statement)
                return [tuple(row) for row in answer] if answer.returns_rows else []
        finally:
            engine.dispose()

    def start(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-l", self.folder / "log", "-s", "-w",
                  "-t", _START_SECONDS, "start")  # fmt: skip

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT: without a word to anybody, as when the machine is lost."""
        file = self._data / "postmaster.pid"
        if not file.exists():
            return
        pid = int(file.read_text().splitlines()[0])
        os.kill(pid, how)
        deadline = time.monotonic() + _START_SECONDS
        while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
            assert time.monotonic() < deadline, "the server does not end"
            time.sleep(0.05)

    def create(self) -> None:
        self._run("initdb", "-D", self._data, "-U", "admin", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        (self._data / "pg_hba.conf").write_text(_RULES)
        _certificate(self.folder)
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = ''\nfsync = off\nfull_page_writes = off\n"
                f"max_connections = 60\nssl = on\nssl_cert_file = '{self.folder}/server.crt'\n"
                f"ssl_key_file = '{self.folder}/server.key'\n"
            )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: object) -> None:
        command = [*_as_user(), str(self.programs / program), *map(str, arguments)]
        # Into a file: the server inherits it, and a pipe would never be closed.
        with (self.folder / "out").open("w") as out:
            done = subprocess.run(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, (self.folder / "out").read_text()


@contextmanager
def private_server() -> Iterator[PrivateServer]:
    """A started server; removed at the end. Skips, or fails in CI, where PostgreSQL is missing."""
    programs = server_programs()
    folder = Path(tempfile.mkdtemp(prefix="lupus-postgres-"))
    server = PrivateServer(folder, programs, free_port())
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def server_programs() -> Path:
    """The folder of initdb, pg_dump and the like. Skips, or fails in CI, where it is missing."""
    programs = _programs()
    if programs is not None:
        return programs
    reason = "PostgreSQL's programs are not installed: apt-get install postgresql"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve())
    return found[-1].parent if found else None


def _as_user() -> list[str]:
    """PostgreSQL refuses root, who becomes an ordinary user of a name space of his own."""
    if os.getuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _certificate(folder: Path) -> None:
    """One that signs itself: the server's, and the authority that clients trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lupus test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "server.key"
    private.touch(0o600)
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
