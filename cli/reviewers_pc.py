"""The program of a reviewer's PC, as it is packed into one folder: `zhengyin agent` and `zhengyin keys`, no server.

The packed program is also its own module host: `hardware.module_host` starts it again with an argument of its own.
"""

from __future__ import annotations

import sys

from cli.main import COMMANDS, LazyCommands, main, program
from hardware.host_child import serve_if_host


class ReviewersCommands(LazyCommands):
    """What a reviewer needs."""

    table = {name: COMMANDS[name] for name in ("agent", "keys")}  # noqa: RUF012  # a ClassVar of the base


if __name__ == "__main__" and not serve_if_host(sys.argv[1:]):
    main(program(ReviewersCommands))
