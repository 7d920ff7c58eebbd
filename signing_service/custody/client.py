"""Asking the custody process over its Unix socket: the same calls, the same errors as `Custody` itself."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hardware.ports import Mechanism
from signing_service.custody import wire
from signing_service.custody.errors import AuthorisationNotLodged, CallRefused, CustodyUnreachable
from signing_service.custody.granted import reference
from signing_service.custody.ledger import Freeze, RecordedUse, Use
from signing_service.custody.policy import Pinned
from signing_service.custody.ports import HeldKey

TIMEOUT_SECONDS = 60.0
LODGE_FROM = 8192  # bytes; larger authorisations cross once, then by reference


class CustodyClient:
    """One connection a thread, opened when first needed and again after custody was restarted; `ports.CustodyPort`.

    A call that broke after it was sent is not repeated: `signature_of` tells what became of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def seal(
        self,
        seal_id: str,
        signed_attributes: bytes,
        authorisation: bytes,
        mechanism: Mechanism,
        *,
        document_type: str = "",
    ) -> bytes:
        given = {"seal_id": seal_id, "signed_attributes": signed_attributes, "mechanism": mechanism.value,
                 "document_type": document_type}  # fmt: skip
        return bytes(self._with_authorisation("seal", given, authorisation))

    def seal_all(
        self,
        seal_id: str,
        signed_attributes: Sequence[bytes],
        authorisation: bytes,
        mechanism: Mechanism,
        *,
        document_type: str = "",
    ) -> Sequence[bytes]:
        given = {"seal_id": seal_id, "signed_attributes": list(signed_attributes), "mechanism": mechanism.value,
                 "document_type": document_type}  # fmt: skip
        return [bytes(each) for each in self._with_authorisation("seal_all", given, authorisation)]

    def signature_of(self, seal_id: str, signed_attributes: bytes, authorisation: bytes) -> bytes:
        given = {"seal_id": seal_id, "signed_attributes": signed_attributes}
        return bytes(self._with_authorisation("signature_of", given, authorisation))

    def sign_service(
        self, kind: str, content: bytes, mechanism: Mechanism | None = None, *, public_key: bytes = b""
    ) -> bytes:
        name = mechanism.value if mechanism else ""
        given = {"kind": kind, "content": content, "mechanism": name, "public_key": public_key}
        return bytes(self._call("sign_service", **given))

    def unwrap_data_key(self, wrapped: bytes, *, public_key: bytes = b"") -> bytes:
        return bytes(self._call("unwrap_data_key", wrapped=wrapped, public_key=public_key))

    def service_keys(self, kind: str) -> Sequence[HeldKey]:
        return [
            HeldKey(
                bytes(key["public_key"]),
                tuple(bytes(each) for each in key["certificates"]),
                datetime.fromisoformat(key["until"]) if key["until"] else None,
            )
            for key in self._call("service_keys", kind=kind)
        ]

    def seal_certificates(self, seal_id: str) -> Sequence[bytes]:
        return [bytes(each) for each in self._call("seal_certificates", seal_id=seal_id)]

    def service_certificates(self, kind: str) -> Sequence[bytes]:
        return [bytes(each) for each in self._call("service_certificates", kind=kind)]

    def service_public_key(self, kind: str) -> bytes:
        return bytes(self._call("service_public_key", kind=kind))

    def withdraw(self, authorisation_id: str, reason: str) -> None:
        self._call("withdraw", authorisation_id=authorisation_id, reason=reason)

    def freeze(self, scope: str, *, actor: str, reason: str) -> None:
        self._call("freeze", scope=scope, actor=actor, reason=reason)

    def frozen(self) -> Sequence[Freeze]:
        return [
            Freeze(stop["scope"], datetime.fromisoformat(stop["since"]), stop["actor"], stop["reason"])
            for stop in self._call("frozen")
        ]

    def uses(self, seal_id: str, *, kind: str = "") -> Sequence[RecordedUse]:
        return [
            RecordedUse(datetime.fromisoformat(each["at"]), Use(**each["use"]), bool(each["completed"]))
            for each in self._call("uses", seal_id=seal_id, kind=kind)
        ]

    def was_signed(self, seal_id: str, digest: str) -> bool:
        return bool(self._call("was_signed", seal_id=seal_id, digest=digest))

    def pinned(self, seal_id: str) -> Pinned:
        found = self._call("pinned", seal_id=seal_id)
        return Pinned(tuple(map(bytes, found["holders"])), tuple(map(bytes, found["appointed"])))

    def close(self) -> None:
        """Close this thread's connection."""
        state = getattr(self._local, "state", None)
        if state is not None:
            state[1].close()
            self._local.state = None

    def _with_authorisation(self, call: str, given: dict[str, Any], authorisation: bytes) -> Any:
        if len(authorisation) < LODGE_FROM:
            return self._call(call, **given, authorisation=authorisation)
        try:
            return self._call(call, **given, authorisation=reference(authorisation))
        except AuthorisationNotLodged:
            self._call("lodge", authorisation=authorisation)
            return self._call(call, **given, authorisation=reference(authorisation))

    def _call(self, name: str, **arguments: Any) -> Any:
        try:
            connection = self._connection()
            wire.send(connection, {"call": name, "arguments": arguments})
            answer = wire.receive(connection)
        except (OSError, wire.ConnectionEnded) as failure:
            self.close()
            raise CustodyUnreachable(self._path, str(failure) or type(failure).__name__) from failure
        if "error" in answer:
            raise wire.error_from_json(answer["error"])
        if "result" not in answer:
            raise CallRefused("the answer is neither a result nor an error")
        return answer["result"]

    def _connection(self) -> socket.socket:
        """This thread's connection; a new one in a forked child, and where the other end has gone."""
        state: tuple[int, socket.socket] | None = getattr(self._local, "state", None)
        if state is not None and state[0] == os.getpid() and not _gone(state[1]):
            return state[1]
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT_SECONDS)
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        self._local.state = (os.getpid(), connection)
        return connection


def _gone(connection: socket.socket) -> bool:
    """Whether the server closed this idle connection: nothing is owed to us, so only an end can be waiting."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN | select.POLLHUP)
    return bool(waiting.poll(0))
