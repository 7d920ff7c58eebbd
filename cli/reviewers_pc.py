"""The program of a reviewer's PC, as it is packed into one folder: `zhengyin agent` and `zhengyin keys`, no server.

The packed program is also its own module host: `hardware.module_host` starts it again with an argument of its own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cli.commands import COMMANDS, LazyCommands, program
from cli.main import main
from hardware.host_child import serve_if_host


class ReviewersCommands(LazyCommands):
    """What a reviewer needs."""

    table = {name: COMMANDS[name] for name in ("agent", "keys")}  # noqa: RUF012  # a ClassVar of the base


# Where Linux systems keep the roots that they trust; the OpenSSL that is packed in knows those of its own build alone.
SYSTEM_ROOTS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")


def trust_system_roots() -> None:
    """Points the packed OpenSSL to this system's roots, unless the account has chosen its own."""
    found = next((path for path in SYSTEM_ROOTS if Path(path).exists()), None)
    if found is not None:
        os.environ.setdefault("SSL_CERT_FILE", found)


def run() -> None:
    """A module host if that was asked for, else the program."""
    if not serve_if_host(sys.argv[1:]):
        trust_system_roots()
        main(program(ReviewersCommands))


if __name__ == "__main__":
    run()
