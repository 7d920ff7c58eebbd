"""Pairing with a server: versions, the server's key compared and pinned, the officer's log-in key proven once."""

from __future__ import annotations

import platform
from pathlib import Path

from hardware.ports import Token
from signing_service.agent.connection import Connection
from signing_service.agent.errors import OriginDiffers, ServerKeyDiffers, VersionUnsupported
from signing_service.agent.messages import decoded, encoded
from signing_service.agent.officer_key import OfficerKey, PinCancelled
from signing_service.agent.paired_servers import PairedServer, PairedServers, origin_of
from signing_service.agent.protocol import VERSIONS, key_fingerprint, pairing_statement
from signing_service.agent.surface import Surface
from signing_service.agent.token_pairs import authentication_pair
from signing_service.errors import Language


def pair(
    address: str, key: OfficerKey, surface: Surface, servers: PairedServers, *,
    server_key: str | None = None, ca_file: Path | None = None,
) -> PairedServer:  # fmt: skip
    """The whole ceremony. `server_key`: the fingerprint from the enrolment sheet; without it the officer compares.

    Raises VersionUnsupported, OriginDiffers, ServerKeyDiffers, ServerRefused, PinCancelled, TokenError.
    """
    connection = Connection(origin_of(address), ca_file=ca_file)
    hello = connection.post("/agent/v1/hello", {"versions": list(VERSIONS)}).json()
    if hello["version"] not in VERSIONS:
        raise VersionUnsupported
    if hello["origin"] != connection.origin:
        raise OriginDiffers(f"它自称 {hello['origin']}。", f"It calls itself {hello['origin']}.")
    public = decoded(hello["server_key"])
    fingerprint = key_fingerprint(public)
    if server_key is not None and server_key != fingerprint:
        raise ServerKeyDiffers(
            f"应为 {server_key},实际 {fingerprint}。", f"{server_key} expected, {fingerprint} found."
        )
    if server_key is None and not surface.confirm_server(str(hello["name"]), connection.origin, fingerprint):
        raise PinCancelled
    connection.pin(public)
    made = key.use(surface, lambda token: _prove(connection, token, fingerprint))
    server = PairedServer(connection.origin, str(hello["name"]), public.hex(), made["agent"], made["secret"])
    servers.keep(server)
    return server


def _prove(connection: Connection, token: Token, fingerprint: str) -> dict[str, str]:
    login = authentication_pair(token)
    nonce = str(connection.post("/agent/v1/pairing").json()["nonce"])
    signature = login.sign(pairing_statement(connection.origin, fingerprint, nonce))
    proof = {
        "nonce": nonce, "certificate": encoded(login.certificate), "signature": encoded(signature),
        "device": platform.node()[:100],
    }  # fmt: skip
    made: dict[str, str] = connection.post("/agent/v1/pairing/proof", proof).json()
    return made


def connect(server: PairedServer, *, ca_file: Path | None = None, language: Language = "zh") -> Connection:
    """A connection that accepts this server's key alone and shows who we are; refusals come in `language`."""
    key = bytes.fromhex(server.server_key)
    connection = Connection(server.origin, server_key=key, ca_file=ca_file, language=language)
    connection.credentials = f"{server.agent}:{server.secret}"
    return connection
