"""openCryptoki's soft token alone, fresh. It is one instance a machine: what was there is put aside and put back."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hardware.driver import process_driver
from hardware.module_paths import find_module

CONFIGURATION = Path("/etc/opencryptoki/opencryptoki.conf")
DATA = Path("/var/lib/opencryptoki/swtok")
LOCKS = Path("/run/lock/opencryptoki/swtok")
SOCKET = Path("/run/pkcsslotd.socket")
SW_ONLY = "version opencryptoki-3.1\nslot 3\n{\nstdll = libpkcs11_sw.so\n}\n"


@contextmanager
def opencryptoki(aside: Path) -> Iterator[str]:
    """The module's path, while its daemon runs on a token that was never initialised."""
    module = find_module("libopencryptoki.so")
    if module is None or os.geteuid() != 0 or shutil.which("pkcsslotd") is None:
        pytest.skip("needs openCryptoki (apt-get install opencryptoki) and root")
    if subprocess.run(["pgrep", "-x", "pkcsslotd"], capture_output=True, check=False).returncode == 0:
        pytest.skip("an openCryptoki daemon of this machine is in use")
    shutil.copy2(CONFIGURATION, aside / "conf")
    shutil.move(DATA, aside / "swtok")
    CONFIGURATION.write_text(SW_ONLY)
    for folder in (DATA / "TOK_OBJ", LOCKS):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in (DATA, DATA / "TOK_OBJ", LOCKS.parent, LOCKS):
        shutil.chown(folder, group="pkcs11")
        folder.chmod(0o770)
    SOCKET.unlink(missing_ok=True)
    daemon = subprocess.Popen(["pkcsslotd", "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait_for_socket(daemon)
    yield module
    process_driver().modules.port(module).close()
    daemon.kill()  # asked politely, it waits for every process that was ever its client
    daemon.wait(10)
    shutil.rmtree(DATA)
    shutil.move(aside / "swtok", DATA)
    shutil.copy2(aside / "conf", CONFIGURATION)


def _wait_for_socket(daemon: subprocess.Popen[bytes]) -> None:
    """Only looks: the daemon does not take a client that connects and says nothing."""
    deadline = time.monotonic() + 20
    while not SOCKET.exists():
        assert time.monotonic() < deadline
        assert daemon.poll() is None
        time.sleep(0.05)
