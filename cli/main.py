"""`zhengyin`: the entry point, and the edge where named errors become a message and an exit code.

Typer takes longer to load than a signature takes to make, so a `sign` that is plainly written does without it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from cli.invocation import language_of_terminal
from hardware.core_dumps import forbid_core_dumps
from hardware.explained import ExplainedError


def run_commands() -> None:
    """What the command line says: a plain `sign` at once, everything else by Typer."""
    words = sys.argv[1:]
    if "sign" in words:
        from cli.plain_command_line import read_sign

        if (given := read_sign(words)) is not None:
            from cli.sign import make_signature

            make_signature(**given)
            return
    from cli.commands import app

    app()


def main(run: Callable[[], Any] = run_commands) -> None:
    """Entry point. Keeps PINs out of core dumps, and turns named errors into a message and exit code 1."""
    forbid_core_dumps()
    try:
        run()
    except ExplainedError as error:
        print(f"zhengyin: {error.explain(language_of_terminal())}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def __getattr__(name: str) -> Any:
    """`app`, loaded when it is asked for."""
    if name != "app":
        raise AttributeError(name)
    from cli.commands import app

    return app
