"""What the agent keeps on the reviewer's PC: its paired servers and the digests that it signed, in owner-only files."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from signing_service.agent.errors import NotPaired

MOST_DIGESTS = 20_000


@dataclass(frozen=True, slots=True)
class PairedServer:
    """`origin` as browsers name it; `server_key` is the pinned Ed25519 key in hex; `secret` shows who we are."""

    origin: str
    name: str
    server_key: str
    agent: str
    secret: str


def default_folder() -> Path:
    return user_state_path("zhengyin", appauthor=False) / "agent"


class PairedServers:
    """The files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, server: PairedServer) -> None:
        """Remember a pairing; an earlier one with the same origin is replaced."""
        servers = {**self._read("servers.json"), server.origin: asdict(server)}
        self._write("servers.json", json.dumps(servers, ensure_ascii=False, indent=1))

    def find(self, address: str) -> PairedServer:
        """The pairing with the server at this address. Raises NotPaired."""
        entry = self._read("servers.json").get(origin_of(address))
        if entry is None:
            raise NotPaired(f"地址:{address}。", f"Address: {address}.")
        return PairedServer(**entry)

    def signed(self, *, but_for: str = "") -> frozenset[str]:
        """Digests (hex) of the prepared files that were signed here.

        `but_for` is a job: what was signed for it, but not taken by the server yet, may be signed once more, so that
        a list can be resumed after this PC was switched off in between.
        """
        kept = self._read("signed.json")
        return frozenset(digest for digest, (job, taken) in kept.items() if taken or job != but_for)

    def note_signed(self, digest: str, job: str, *, taken: bool) -> None:
        """Before the signature leaves this PC, and again when the server has taken it."""
        kept = self._read("signed.json")
        kept.pop(digest, None)
        kept[digest] = [job, taken]
        self._write("signed.json", json.dumps(dict(list(kept.items())[-MOST_DIGESTS:])))

    def _read(self, name: str) -> dict[str, Any]:
        path = self._folder / name
        found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return found

    def _write(self, name: str, content: str) -> None:
        """The whole file or none of it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._folder / f".{name}.{os.getpid()}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / name)


def origin_of(address: str) -> str:
    """Scheme, host and port, without a path."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return f"https://{address.partition('/')[0]}"
    return f"{scheme.lower()}://{rest.partition('/')[0].lower()}"
