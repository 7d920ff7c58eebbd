"""Runs `zhengyin` commands one after another in one process: a JSON line in, a JSON line out.

SoftHSM knows one store per process, and starting a process for each command would take most of the time.
"""

import contextlib
import io
import json
import sys

from cli.main import main


def run(arguments: list[str], given: str) -> dict[str, object]:
    out, err, code = io.StringIO(), io.StringIO(), 0
    sys.argv, sys.stdin = ["zhengyin", *arguments], io.StringIO(given)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":  # a command's own worker processes load this file too
    for line in iter(sys.__stdin__.readline, ""):
        asked = json.loads(line)
        print(json.dumps(run(asked["arguments"], asked["given"])), file=sys.__stdout__, flush=True)
