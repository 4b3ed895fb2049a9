"""What the server tests need of the machine, and where they get it."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

NAMESPACE = [
    "unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private",
]  # fmt: skip
"""A private network, mounts and process table: when the driver ends, every server that it started ends with it."""

PROGRAMS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "openssl": "openssl",
    "nsd": "nsd",
}
EXIM_PACKAGES = ("exim4-daemon-light", "exim4-base", "libidn12", "libgnutls-dane0", "libunbound8", "libevent-2.1-7")
"""Exim, and the libraries of Debian 12 that a small installation lacks; one that is unknown here is passed over."""


class Missing(Exception):  # noqa: N818  (its name is its sentence)
    """Something this machine lacks; the text says which, and what to install."""


def require(mta: str) -> None:
    """Everything that a run needs, or :class:`Missing`."""
    if os.geteuid() != 0:
        raise Missing("root is needed: mail servers change users, and the network is a private namespace")
    needed = PROGRAMS | ({"postfix": "postfix"} if mta == "postfix" else {"dpkg-deb": "dpkg", "apt-get": "apt"})
    for program, package in needed.items():
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed (Debian: apt-get install {package})")
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        raise Missing("unshare(1) may not make network and mount namespaces here (a container without CAP_SYS_ADMIN?)")


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "deliverability-tests"


def exim_root() -> Path:
    """The unpacked Exim package; fetched once with apt, because Debian can install one mail server at a time."""
    folder = cache() / "exim"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test workers may start at once
        root = folder / "root"
        if not (folder / "complete").exists():
            _download(folder)
            for file in sorted(folder.glob("*.deb")):
                subprocess.run(["dpkg-deb", "-x", str(file), str(root)], check=True, capture_output=True, timeout=60)
            (folder / "complete").touch()
        return root


def _download(folder: Path) -> None:
    for package in EXIM_PACKAGES:
        command = ["apt-get", "-o", "APT::Sandbox::User=root", "download", package]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
        if done.returncode and package.startswith("exim4"):
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise Missing(f"apt-get download {package} failed, and it is not cached in {folder}: {(words or [''])[-1]}")
