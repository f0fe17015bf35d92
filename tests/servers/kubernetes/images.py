"""Images without a registry and without an engine: buildah's store, archives, and containerd's."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.kubernetes.build import ARGO, MANIFESTS
from tests.servers.kubernetes.processes import (
    BIN,
    IMAGES,
    RUN,
    SOCKET,
    WORK,
    pid_of,
    run,
    shown,
    succeeds,
)

PAUSE_IMAGE, ARGOEXEC_IMAGE = "lupus.test/pause:1", f"lupus.test/argoexec:{ARGO}"
CTR = ("ctr", "--address", SOCKET, "--namespace", "k8s.io")
BUILDAH = (
    *("buildah", "--root", WORK / "buildah", "--runroot", RUN / "buildah"),
    *("--storage-driver", "overlay"),
)
DEFAULT_PYTHON = "3.12"
# Length of a tag that is a digest of an image's content.
DIGITS = 12
# What an interpreter and its wheels link against, and the certificates.
LIBRARIES = (
    "ca-certificates,libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,"
    "libuuid1,netbase,tzdata,zlib1g"
)


def archive_of(tag: str) -> Path:
    return IMAGES / (tag.replace("/", "_").replace(":", "_") + ".tar")


def export(tag: str) -> Path:
    """An image of buildah's store as an archive, and in the cluster where that is up."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    archive = archive_of(tag)
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    run(*BUILDAH, "push", "--quiet", tag, f"docker-archive:{partial}:{tag}")
    partial.replace(archive)
    if pid_of("containerd"):
        load(archive)
    return archive


def load(archive: Path | str) -> None:
    """Bring an image archive (docker save, buildah push) into the cluster."""
    run(*CTR, "images", "import", archive)


def loaded() -> list[str]:
    return run(*CTR, "images", "ls", "-q").split()


def own_images() -> None:
    """Archives of the images that Kubernetes and Argo themselves start."""
    if not archive_of(PAUSE_IMAGE).exists():
        _from_scratch(PAUSE_IMAGE, {"/pause": BIN / "pause"}, "--entrypoint", '["/pause"]')
    if not archive_of(ARGOEXEC_IMAGE).exists():
        names = MANIFESTS.parent / "hack" / "nsswitch.conf"
        files = {"/bin/argoexec": BIN / "argoexec", "/etc/nsswitch.conf": names}
        words = ("--entrypoint", '["argoexec"]', "--env", "PATH=/bin")
        _from_scratch(ARGOEXEC_IMAGE, files, *words)


def _from_scratch(tag: str, files: Mapping[str, Path], *config: str) -> Path:
    name = run(*BUILDAH, "from", "scratch").strip()
    for target, source in files.items():
        run(*BUILDAH, "copy", name, source, target)
    run(*BUILDAH, "config", *config, name)
    run(*BUILDAH, "commit", "--rm", name, tag)
    return export(tag)


def base_tag(version: str) -> str:
    return f"docker.io/library/python:{version}-slim"


def base_image(version: str = DEFAULT_PYTHON) -> None:
    """Debian's smallest system with an interpreter in /usr/local, under the official name."""
    tag = base_tag(version)
    if not succeeds(*BUILDAH, "inspect", "--type", "image", tag):
        _make_base(_prefix_of(version), version, tag)
    print(tag)


def _prefix_of(version: str) -> Path:
    """Where a whole interpreter of a version lies; Debian's own is spread over /usr."""
    for program in _interpreters(version):
        asked = "import sys; print(sys.base_prefix, '%d.%d' % sys.version_info[:2])"
        if not program or not succeeds(program, "-c", asked):
            continue
        prefix, found = run(program, "-c", asked).split()
        if found == version and prefix != "/usr":
            return Path(prefix)
    raise SystemExit(
        f"no Python {version} of its own folder (pyenv's, a python.org build): "
        "set LUPUS_TEST_BASE_PYTHON to its program"
    )


def _interpreters(version: str) -> Iterator[str]:
    yield os.environ.get("LUPUS_TEST_BASE_PYTHON", "")
    yield sys.executable
    yield shutil.which(f"python{version}") or ""
    folder = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for found in sorted(folder.glob(f"{version}.*/bin/python{version}"), reverse=True):
        yield str(found)


def _make_base(prefix: Path, version: str, tag: str) -> None:
    root = WORK / "rootfs"
    shutil.rmtree(root, ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    run("debootstrap", "--variant=minbase", f"--include={LIBRARIES}", "bookworm", root)
    _copy_interpreter(prefix, version, root)
    for leftover in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / leftover, ignore_errors=True)
    name = run(*BUILDAH, "from", "scratch").strip()
    run(*BUILDAH, "add", name, root, "/")
    path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    run(*BUILDAH, "config", "--cmd", "python3", "--env", path, "--env", "LANG=C.UTF-8", name)
    run(*BUILDAH, "commit", "--rm", name, tag)
    shutil.rmtree(root)


def _copy_interpreter(prefix: Path, version: str, root: Path) -> None:
    local, library = root / "usr/local", f"lib/python{version}"
    left_out = ("__pycache__", "test", "tests", "idlelib", "turtledemo", "tkinter", "config-*")
    drop = shutil.ignore_patterns(*left_out, "site-packages")
    shutil.copytree(
        prefix / library, local / library, symlinks=True, ignore=drop, dirs_exist_ok=True
    )
    shutil.copytree(prefix / "include", local / "include", dirs_exist_ok=True)
    shutil.copy2(prefix / "bin" / f"python{version}", local / "bin")
    for shared in (prefix / "lib").glob(f"libpython{version}.so*"):
        shutil.copy2(shared, local / "lib")
    for alias in ("python", "python3"):
        (local / "bin" / alias).symlink_to(f"python{version}")
    run("chroot", root, "/sbin/ldconfig")
    run("chroot", root, "/usr/local/bin/python", "-m", "ensurepip")
    (local / "bin" / "pip").symlink_to("pip3")


def image_build(tag: str, context: str, *arguments: str) -> None:
    """A Dockerfile as it stands, straight into the cluster.

    The machine's package-client settings are lent to its RUN steps, not kept in the image.
    """
    settings = WORK / "uv.toml"
    WORK.mkdir(parents=True, exist_ok=True)
    settings.write_text("native-tls = true\n")
    certificates, pip = Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pip.conf")
    lent = [(path, path) for path in (certificates, pip) if path.exists()]
    volumes = [
        f"--volume={source}:{target}:ro"
        for source, target in [*lent, (settings, Path("/etc/uv/uv.toml"))]
    ]
    words = ("--isolation", "chroot", "--network", "host", "--pull-never", "--layers")
    shown(*BUILDAH, "build", *words, *volumes, "--tag", tag, *arguments, context)
    print(export(tag))


def forget(name: str, kept: int) -> None:
    """Remove the oldest images tagged with a digest: each is as large as the installed project."""
    archives = IMAGES.glob(archive_of(f"{name}:{'[0-9a-f]' * DIGITS}").name)
    newest = sorted(archives, key=lambda path: path.stat().st_mtime, reverse=True)
    for archive in newest[kept:]:
        tag = f"{name}:{archive.stem.rpartition('_')[2]}"
        run(*BUILDAH, "rmi", "--force", tag, check=False)
        if pid_of("containerd"):
            run(*CTR, "images", "rm", tag, check=False)
        archive.unlink(missing_ok=True)
