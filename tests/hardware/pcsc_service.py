"""A PC/SC service of our own with one virtual reader, and a card in it: real pcscd over vsmartcard's vpcd."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hardware.discovery.readers import scan_readers
from hardware.driver import process_driver
from hardware.module_paths import find_module

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
RUN = Path("/run/pcscd")


@contextmanager
def pc_sc_service(folder: Path) -> Iterator[int]:
    """The port at which a card is put into the reader. Fresh for each test: a pull confuses vpcd."""
    if os.geteuid() != 0 or shutil.which("pcscd") is None or not DRIVER.exists():
        pytest.skip("needs root, pcscd and vsmartcard-vpcd")
    if (RUN / "pcscd.comm").exists():
        pytest.skip("this machine's own PC/SC service is in use")
    folder.mkdir()
    RUN.mkdir(exist_ok=True)
    daemon, port = _started(folder)
    try:
        yield port
    finally:
        _stop(daemon)


def _started(folder: Path, tries: int = 4) -> tuple[subprocess.Popen[bytes], int]:
    """The running service and its reader's port. The port was free when it was looked for; whoever takes it before the
    reader does makes a second try necessary."""
    for left in reversed(range(tries)):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # ykcs11 looks only at readers whose name starts so.
        (folder / "vpcd").write_text(
            f'FRIENDLYNAME "Yubico Virtual"\nDEVICENAME /dev/null:{port}\nLIBPATH {DRIVER}\nCHANNELID {port}\n'
        )
        command = ["pcscd", "-f", "-i", "-c", folder]
        daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for_service(port)
        except AssertionError:
            _stop(daemon)
            if not left:
                raise
        else:
            return daemon, port
    raise AssertionError("unreachable")


def _wait_for_service(port: int) -> None:
    wait_until(lambda: (RUN / "pcscd.comm").exists() and _listens(port), seconds=6)


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.kill()
    daemon.wait(10)
    for left in ("pcscd.comm", "pcscd.pid"):
        (RUN / left).unlink(missing_ok=True)


@contextmanager
def inserted(reader: Any) -> Iterator[Any]:
    """The virtual reader with its card in; afterwards the card is out and no module holds on to it."""
    _insert(reader)
    try:
        yield reader
    finally:
        if reader._thread.is_alive():
            reader.pull()
        for name in ("libykcs11.so", "opensc-pkcs11.so"):
            if (module := find_module(name)) and (port := process_driver().modules.loaded(module)):
                port.close()


def _insert(reader: Any, tries: int = 4) -> None:
    """Until the service sees the card. vpcd now and then overlooks a card that comes while it looks for one; as at a
    desk, it is taken out and put in again."""
    for left in reversed(range(tries)):
        reader.insert()
        try:
            wait_until(lambda: any(each.card for each in scan_readers().readers), seconds=6)
        except AssertionError:
            reader.pull()
            if not left:
                raise
        else:
            return


def wait_until(ready: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "did not come in time"
        time.sleep(0.05)


def _listens(port: int) -> bool:
    wanted = f":{port:04X} 00000000:0000 0A"
    return any(wanted in path.read_text() for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if path.exists())
