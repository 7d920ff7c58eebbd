"""The custody process's end of the Unix socket: who may call (by account), what may be called, one thread a caller."""

from __future__ import annotations

import logging
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hardware.errors import ExplainedError
from hardware.ports import Mechanism
from signing_service.custody import wire
from signing_service.custody.core import Custody
from signing_service.custody.errors import CallRefused, CustodyError
from signing_service.errors import Text

LOG = logging.getLogger(__name__)
IDLE_SECONDS = 600.0


class CustodyServer:
    """Serves one Custody on a socket file (0600). Use as a context manager, or `serve_forever()` in a process."""

    def __init__(self, path: Path, custody: Custody) -> None:
        """Raises CallRefused when another custody process already answers at `path`."""
        self._path = path
        _remove_stale(path)
        before = os.umask(0o177)
        try:
            self._server = _Server(str(path), _Caller)
        finally:
            os.umask(before)
        self._server.custody = custody
        self._thread: threading.Thread | None = None

    def serve_forever(self) -> None:
        self._server.serve_forever(poll_interval=0.2)

    def __enter__(self) -> CustodyServer:
        self._thread = threading.Thread(target=self.serve_forever, name="custody", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take no more callers and remove the socket file; calls in hand are finished."""
        self._server.shutdown()
        self._server.server_close()
        self._server.end_calls()
        self._path.unlink(missing_ok=True)
        if self._thread is not None:
            self._thread.join()


class _Server(socketserver.ThreadingUnixStreamServer):
    """`connections` are the callers' sockets, each added and taken out by its own thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    custody: Custody

    def __init__(self, path: str, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(path, handler)

    def end_calls(self) -> None:
        """No caller is read from any more; an answer in hand is still sent."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)


class _Caller(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        connection: socket.socket = self.request
        connection.settimeout(IDLE_SECONDS)
        self.server.connections.add(connection)
        try:
            if self._is_peer(connection):
                while True:
                    wire.send(connection, self._answer(wire.receive(connection)))
            wire.send(connection, {"error": wire.error_as_json(CallRefused("this account may not call custody"))})
        except CallRefused as refusal:
            wire.send(connection, {"error": wire.error_as_json(refusal)})
        except (wire.ConnectionEnded, OSError):
            return
        finally:
            self.server.connections.discard(connection)

    def _is_peer(self, connection: socket.socket) -> bool:
        _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return uid in self.server.custody.peers

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"result": _call(self.server.custody, message)}
        except ExplainedError as refusal:
            return {"error": wire.error_as_json(refusal)}
        except Exception:  # the caller must not hang, nor learn more; the operator's log has it
            LOG.exception("a call failed")
            broken = CustodyError(Text("密钥保管进程出错。", "The custody process failed; see its log."))
            return {"error": wire.error_as_json(broken)}


def _call(custody: Custody, message: dict[str, Any]) -> Any:
    name, arguments = str(message.get("call")), message.get("arguments")
    if name not in _CALLS or not isinstance(arguments, dict):
        raise CallRefused(f"there is no call “{name}”")
    types, call = _CALLS[name]
    if arguments.keys() != types.keys() or any(type(arguments[key]) is not kind for key, kind in types.items()):
        raise CallRefused(f"“{name}” was called with other arguments")
    return call(custody, arguments)


def _seal(custody: Custody, given: dict[str, Any]) -> bytes:
    mechanism = _mechanism(given.pop("mechanism"))
    return custody.seal(mechanism=mechanism, **given)


def _seal_all(custody: Custody, given: dict[str, Any]) -> list[bytes]:
    if any(type(each) is not bytes for each in given["signed_attributes"]):
        raise CallRefused("signed attributes are bytes")
    mechanism = _mechanism(given.pop("mechanism"))
    return custody.seal_all(mechanism=mechanism, **given)


def _sign_service(custody: Custody, given: dict[str, Any]) -> bytes:
    name = given["mechanism"]
    mechanism = _mechanism(name) if name else None
    return custody.sign_service(given["kind"], given["content"], mechanism, public_key=given["public_key"])


def _service_keys(custody: Custody, given: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "public_key": key.public_key,
            "certificates": list(key.certificates),
            "until": key.until.isoformat() if key.until else "",
        }
        for key in custody.service_keys(given["kind"])
    ]


def _mechanism(name: str) -> Mechanism:
    try:
        return Mechanism(name)
    except ValueError:
        raise CallRefused(f"there is no mechanism “{name}”") from None


def _frozen(custody: Custody, _given: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**asdict(stop), "since": stop.since.isoformat()} for stop in custody.frozen()]


def _uses(custody: Custody, given: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**asdict(use), "at": use.at.isoformat()} for use in custody.uses(given["seal_id"], kind=given["kind"])]


def _pinned(custody: Custody, given: dict[str, Any]) -> dict[str, list[bytes]]:
    pinned = custody.pinned(given["seal_id"])
    return {"holders": list(pinned.holders), "appointed": list(pinned.appointed)}


_CALLS: Mapping[str, tuple[Mapping[str, type], Callable[[Custody, dict[str, Any]], Any]]] = {
    "seal": (
        {"seal_id": str, "signed_attributes": bytes, "authorisation": bytes, "mechanism": str, "document_type": str},
        _seal,
    ),
    "seal_all": (
        {"seal_id": str, "signed_attributes": list, "authorisation": bytes, "mechanism": str, "document_type": str},
        _seal_all,
    ),
    "signature_of": (
        {"seal_id": str, "signed_attributes": bytes, "authorisation": bytes},
        lambda custody, given: custody.signature_of(**given),
    ),
    "lodge": ({"authorisation": bytes}, lambda custody, given: custody.lodge(**given)),
    "sign_service": ({"kind": str, "content": bytes, "mechanism": str, "public_key": bytes}, _sign_service),
    "unwrap_data_key": (
        {"wrapped": bytes, "public_key": bytes},
        lambda custody, given: custody.unwrap_data_key(**given),
    ),
    "service_keys": ({"kind": str}, _service_keys),
    "seal_certificates": ({"seal_id": str}, lambda custody, given: list(custody.seal_certificates(**given))),
    "service_certificates": ({"kind": str}, lambda custody, given: list(custody.service_certificates(**given))),
    "service_public_key": ({"kind": str}, lambda custody, given: custody.service_public_key(**given)),
    "withdraw": ({"authorisation_id": str, "reason": str}, lambda custody, given: custody.withdraw(**given)),
    "freeze": ({"scope": str, "actor": str, "reason": str}, lambda custody, given: custody.freeze(**given)),
    "frozen": ({}, _frozen),
    "uses": ({"seal_id": str, "kind": str}, _uses),
    "was_signed": ({"seal_id": str, "digest": str}, lambda custody, given: custody.was_signed(**given)),
    "pinned": ({"seal_id": str}, _pinned),
}


def _remove_stale(path: Path) -> None:
    """A socket file that nobody answers at is left over from a crash."""
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise CallRefused(f"another custody process already answers at {path}")
