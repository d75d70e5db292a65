"""What the benches compare with: programs of the distribution are installed here, Python packages are in the dev pins.

pandas, pydantic, polars, aiohttp and the providers of the stock operators are pinned in requirements-dev.txt.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version

PACKAGES = {"rclone": "rclone", "wrk": "wrk", "sftp": "openssh-client", "/usr/sbin/sshd": "openssh-server"}
SAYS_ITS_VERSION = {"rclone": ("rclone", "version"), "OpenSSH": ("ssh", "-V"), "wrk": ("wrk", "-v")}
OF_PYTHON = ("apache-airflow", "apache-airflow-providers-amazon", "apache-airflow-providers-http", "pandas", "pydantic",
             "polars", "aiohttp")  # fmt: skip


def need(*programs: str) -> None:
    """Installs those of the programs that are missing.

    Raises:
        SystemExit: only root could, or there is no apt-get; it says what to install.
    """
    missing = sorted({PACKAGES[name] for name in programs if not shutil.which(name)})
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(f"Not installed here: {', '.join(missing)}. Next: sudo apt-get install {' '.join(missing)}")
    print(f"installing {', '.join(missing)}", file=sys.stderr)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-qq"], install):
        subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, stdout=sys.stderr, check=True)


def versions() -> dict[str, str]:
    """What is compared with, and which of it."""
    programs = {name: _said(command) for name, command in SAYS_ITS_VERSION.items() if shutil.which(command[0])}
    return programs | {name: version(name) for name in OF_PYTHON}


def _said(command: tuple[str, ...]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = (done.stdout + done.stderr).split()
    return next(word for word in words if any(letter.isdigit() for letter in word)).strip(",")
