"""The inside of a module host: one vendor module, one thread that calls it, commands on stdin, answers on stdout.

Started by `module_host` as `python -m hardware.host_child MODULE`, in a packed program as itself (`serve_if_host`).
When the owner goes away (end of stdin) the process ends at once, even while the vendor's code hangs.
"""

from __future__ import annotations

import os
import queue
import struct
import sys
import threading
from typing import BinaryIO

from .core_dumps import forbid_core_dumps
from .errors import TokenError, TokenFault
from .module import LoadedModule
from .module_port import OPERATIONS
from .wire import decode, encode_answer, encode_failure

HEADER = struct.Struct(">I")
# The first argument by which a packed program is told to be a host.
PACKED = "--pkcs11-module-host"


def read_message(stream: BinaryIO) -> bytes | None:
    """One length-prefixed message; None at the end of the stream."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    body = stream.read(length)
    return body if len(body) == length else None


def write_message(stream: BinaryIO, message: bytes) -> None:
    stream.write(HEADER.pack(len(message)) + message)
    stream.flush()


def _read_commands(stream: BinaryIO, commands: queue.SimpleQueue[bytes]) -> None:
    while (message := read_message(stream)) is not None:
        commands.put(message)
    os._exit(0)


def _answer(module: LoadedModule, message: bytes) -> bytes:
    operation, arguments = decode(message)
    if operation not in OPERATIONS:
        raise ValueError(f"unknown operation {operation!r}")
    try:
        return encode_answer(getattr(module, operation)(*arguments))
    except TokenError as error:
        return encode_failure(error)
    except Exception as error:
        # Only the type: a message could quote arguments, and an argument may be a PIN.
        return encode_failure(TokenFault(token=module.path, detail=type(error).__name__))


def serve(path: str) -> None:
    """Loads `path`, says how that went, then answers commands until the owner goes away."""
    forbid_core_dumps()
    answers = os.fdopen(os.dup(1), "wb")
    # Vendor code prints where it likes; our channel is not for it.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    commands: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_commands, args=(sys.stdin.buffer, commands), daemon=True).start()
    try:
        module = LoadedModule(path)
    except TokenError as error:
        write_message(answers, encode_failure(error))
        return
    write_message(answers, encode_answer("ready"))
    while True:
        write_message(answers, _answer(module, commands.get()))


def serve_if_host(arguments: list[str]) -> bool:
    """For the entry of a packed program: whether its arguments made it a host, which has then ended."""
    if len(arguments) != 2 or arguments[0] != PACKED:
        return False
    serve(arguments[1])
    return True


if __name__ == "__main__":
    serve(sys.argv[1])
