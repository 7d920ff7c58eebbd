"""A real virtual printer: ippeveprinter, with the private D-Bus and Avahi that it insists on, on the loopback alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={folder}/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"""
AVAHI = "[server]\nallow-interfaces=lo\nuse-ipv6=no\n[publish]\ndisable-publishing=no\n[rlimits]\n"
COMMAND = """#!/bin/sh
# ippeveprinter -c: $1 is the spooled file; the exit status is the job's result
if [ -f {folder}/fail ]; then echo "ERROR: jam" >&2; exit 1; fi
cp "$1" {folder}/printed.pdf
"""
PROGRAMS = {"ippeveprinter": "cups-ipp-utils", "avahi-daemon": "avahi-daemon", "dbus-daemon": "dbus"}
START_SECONDS = 20.0


class PrinterUnavailable(Exception):
    """Why no virtual printer can run here."""


@dataclass
class VirtualPrinter:
    """`fail()` makes the next jobs abort; `printed` is the last file that came out."""

    folder: Path
    port: int = 0
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"ipp://localhost:{self.port}/ipp/print"

    @property
    def printed(self) -> bytes:
        return (self.folder / "printed.pdf").read_bytes()

    def fail(self) -> None:
        (self.folder / "fail").touch()

    def mend(self) -> None:
        (self.folder / "fail").unlink(missing_ok=True)

    def start(self) -> None:
        """Raises PrinterUnavailable, naming the package or the program's last words."""
        for program, package in PROGRAMS.items():
            if _find(program) is None:
                raise PrinterUnavailable(f"{program} is missing; install it: apt install {package}")
        self.port = _free_port()
        (self.folder / "bus.conf").write_text(BUS.format(folder=self.folder))
        (self.folder / "avahi.conf").write_text(AVAHI)
        command = self.folder / "command.sh"
        command.write_text(COMMAND.format(folder=self.folder))
        command.chmod(0o755)
        (self.folder / "spool").mkdir()
        self._run("dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile")
        self._until((self.folder / "bus").exists, "dbus-daemon")
        avahi = ("--no-drop-root", "--no-rlimits", "--no-chroot", "-f", f"{self.folder}/avahi.conf")
        self._run("avahi-daemon", *avahi)
        self._until(lambda: "Server startup complete" in self._log("avahi-daemon"), "avahi-daemon")
        self._run(
            "ippeveprinter", "-p", str(self.port), "-n", "localhost", "-d", f"{self.folder}/spool", "-k",
            "-f", "application/pdf", "-c", str(command), "Test Printer",
        )  # fmt: skip
        self._until(self._answers, "ippeveprinter")

    def stop(self) -> None:
        for process in reversed(self.running):
            process.terminate()
            process.wait(10)

    def _run(self, program: str, *arguments: str) -> None:
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder}/bus"}
        with (self.folder / f"{program}.log").open("wb") as log:
            command = [str(_find(program)), *arguments]
            self.running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    def _until(self, ready: object, program: str) -> None:
        """Waits for a fact, never for a time alone."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():  # type: ignore[operator]
            if self.running[-1].poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PrinterUnavailable(f"{program} did not start: {self._log(program)[-300:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _log(self, program: str) -> str:
        return (self.folder / f"{program}.log").read_text(errors="replace")


def _find(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
