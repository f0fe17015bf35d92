"""The Debian packages of servers from packages: installed by root, named to everybody else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# A file or a command that tells whether a package is there.
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "nft": "nftables",
    "ip": "iproute2",
    "openssl": "openssl",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "/usr/lib/postgresql/15/bin/initdb": "postgresql-15",
    "/usr/sbin/slapd": "slapd",
    "/usr/sbin/krb5kdc": "krb5-kdc",
    "/usr/sbin/kadmin.local": "krb5-admin-server",
    "mvn": "maven",
    "javac": "openjdk-17-jdk-headless",
    "unzip": "unzip",
    "curl": "curl",
    "git": "git",
}
# No apt package of Debian 12 is new enough.
ELSEWHERE = {"go": "Go 1.26 or newer, from https://go.dev/dl"}


def there(mark: str) -> bool:
    return Path(mark).exists() if mark.startswith("/") else shutil.which(mark) is not None


def missing() -> list[str]:
    return [package for mark, package in PACKAGES.items() if not there(mark)]


def provide() -> None:
    """Install what is missing, or say what to install."""
    for command, what in ELSEWHERE.items():
        if not there(command):
            raise SystemExit(f"servers: needs {what}")
    if packages := missing():
        words = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)
        if os.geteuid() != 0 or not there("apt-get"):
            raise SystemExit(
                f"servers: run this as root first: apt-get update && {' '.join(words)}"
            )
        print(f"servers: installing {' '.join(packages)}", file=sys.stderr)
        _without_services()
        _apt("apt-get", "update", "-qq")
        _apt(*words, "-qq", "-o", "Dpkg::Options::=--force-confold")


def _without_services() -> None:
    """Debian starts a cluster of its own for every PostgreSQL that is installed: not here."""
    settings = Path("/etc/postgresql-common/createcluster.conf")
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text("create_main_cluster = false\n")


def _apt(*words: str) -> None:
    # RUNLEVEL=1: packages that bring a service do not start it.
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(words)}\n{(done.stdout + done.stderr)[-3000:]}")
