"""Custody's own policy: which key on which token is which seal's or service's, and who holds each seal.

`policy.json` lies in custody's folder (0700), is owner-only (0600) and is written by `zhengyin init`, `zhengyin seals
make` and `zhengyin pki rotate` alone, never by web server or worker. Holders are pinned as whole certificates.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from signing_service.custody.errors import PolicyUnreadable, PolicyUnsafe, SealNotInCustody, ServiceNotInCustody
from signing_service.kernel.blobs import write_atomically

FILE_NAME = "policy.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where a token is: its module and serial, and the owner-only file with its PIN (relative to custody's folder)."""

    module: str
    serial: str
    pin_file: str


@dataclass(frozen=True, slots=True)
class SealEntry:
    """One seal: its key is the one on `token` that belongs to `certificate` (DER).

    `holders` may authorise; two of `appointed` may in an emergency. `bureau` is the department for the stop switch.
    """

    token: str
    certificate: bytes
    bureau: str
    holders: tuple[bytes, ...]
    chain: tuple[bytes, ...] = ()
    appointed: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class EarlierKey:
    """A service key that was replaced. Before `until` it still signs when asked for by name; its public half (DER
    SubjectPublicKeyInfo) and its certificate are kept for ever, since what it signed must be verifiable."""

    token: str
    key_id: bytes
    public_key: bytes
    until: datetime
    certificate: bytes = b""
    chain: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Pinned:
    """DER certificates of a seal: of its holders, and of those who may act together in an emergency."""

    holders: tuple[bytes, ...]
    appointed: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service key, found by CKA_ID; `certificate` (DER) is empty for a key that has none. `earlier` are the keys
    that it replaced, newest first."""

    token: str
    key_id: bytes
    certificate: bytes = b""
    chain: tuple[bytes, ...] = ()
    earlier: tuple[EarlierKey, ...] = ()

    def succeeded_by(self, new: ServiceEntry, public_key: bytes, until: datetime) -> ServiceEntry:
        """`new` in this one's place; this key (`public_key`: its DER) goes on among the earlier ones `until` then."""
        mine = EarlierKey(self.token, self.key_id, public_key, until, self.certificate, self.chain)
        return replace(new, earlier=(mine, *self.earlier))

    def ended(self, now: datetime) -> ServiceEntry:
        """No earlier key signs any more from `now` on."""
        return replace(self, earlier=tuple(replace(key, until=min(key.until, now)) for key in self.earlier))


@dataclass(frozen=True, slots=True)
class CustodyPolicy:
    """The whole of it. `direct_sealing` seals without an authorisation: a demo home alone may say so."""

    profile: str
    direct_sealing: bool = False
    tokens: Mapping[str, TokenPlace] = field(default_factory=dict)
    seals: Mapping[str, SealEntry] = field(default_factory=dict)
    services: Mapping[str, ServiceEntry] = field(default_factory=dict)
    peers: tuple[int, ...] = ()

    def seal(self, seal_id: str) -> SealEntry:
        if seal_id not in self.seals:
            raise SealNotInCustody(seal_id)
        return self.seals[seal_id]

    def service(self, kind: str) -> ServiceEntry:
        if kind not in self.services:
            raise ServiceNotInCustody(kind)
        return self.services[kind]

    def with_seal(self, seal_id: str, entry: SealEntry) -> CustodyPolicy:
        """A policy that knows one seal more, or this one anew."""
        return replace(self, seals={**self.seals, seal_id: entry})

    def with_service(self, kind: str, entry: ServiceEntry) -> CustodyPolicy:
        """A policy that knows one service more, or this one anew."""
        return replace(self, services={**self.services, kind: entry})


def load_policy(folder: Path) -> CustodyPolicy:
    """Read and check the policy. Raises PolicyUnreadable, PolicyUnsafe."""
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        policy = _from_json(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        raise PolicyUnreadable(path, f"{type(failure).__name__}: {failure}") from failure
    _check(folder, path, policy)
    return policy


def save_policy(folder: Path, policy: CustodyPolicy) -> None:
    """Write the whole policy atomically, making the folder if need be. Raises PolicyUnsafe for what may not be."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _check_content(folder / FILE_NAME, policy)
    text = json.dumps(_to_json(policy), indent=1, sort_keys=True)
    write_atomically(folder / FILE_NAME, text.encode(), mode=0o600)


def change_policy(folder: Path, change: Callable[[CustodyPolicy], CustodyPolicy]) -> CustodyPolicy:
    """Read, change and write under a lock, so that two commands at once lose nothing."""
    with (folder / ".policy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        policy = change(load_policy(folder))
        save_policy(folder, policy)
    return policy


def _check(folder: Path, path: Path, policy: CustodyPolicy) -> None:
    for item, closed in ((folder, 0o077), (path, 0o077)):
        facts = os.stat(item)
        if facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & closed:
            raise PolicyUnsafe(path, f"{item} 可被他人读取或修改。", f"{item} is open to other accounts.")
    _check_content(path, policy)


def _check_content(path: Path, policy: CustodyPolicy) -> None:
    if policy.profile not in ("demo", "production"):
        raise PolicyUnsafe(path, f"没有“{policy.profile}”这种运行模式。", f"There is no profile “{policy.profile}”.")
    if policy.direct_sealing and policy.profile != "demo":
        raise PolicyUnsafe(
            path, "只有演示环境可以直接盖章。", "Direct sealing is for a demo home alone; a seal obeys its holder."
        )
    named = {seal.token for seal in policy.seals.values()} | {each.token for each in policy.services.values()}
    named |= {key.token for each in policy.services.values() for key in each.earlier}
    for token in named - set(policy.tokens):
        raise PolicyUnsafe(path, f"没有名为“{token}”的密码设备。", f"There is no token “{token}”.")


def _to_json(policy: CustodyPolicy) -> dict[str, Any]:
    return {
        "version": VERSION,
        "profile": policy.profile,
        "direct_sealing": policy.direct_sealing,
        "peers": list(policy.peers),
        "tokens": {
            name: {"module": place.module, "serial": place.serial, "pin_file": place.pin_file}
            for name, place in policy.tokens.items()
        },
        "seals": {
            seal_id: {
                "token": seal.token, "certificate": _text(seal.certificate), "bureau": seal.bureau,
                "holders": _texts(seal.holders), "chain": _texts(seal.chain), "appointed": _texts(seal.appointed),
            }
            for seal_id, seal in policy.seals.items()
        },
        "services": {
            kind: {
                "token": service.token, "key_id": service.key_id.hex(), "certificate": _text(service.certificate),
                "chain": _texts(service.chain), "earlier": [_earlier_json(key) for key in service.earlier],
            }
            for kind, service in policy.services.items()
        },
    }  # fmt: skip


def _earlier_json(key: EarlierKey) -> dict[str, Any]:
    return {
        "token": key.token, "key_id": key.key_id.hex(), "public_key": _text(key.public_key),
        "until": key.until.isoformat(), "certificate": _text(key.certificate), "chain": _texts(key.chain),
    }  # fmt: skip


def _earlier(content: dict[str, Any]) -> EarlierKey:
    return EarlierKey(
        str(content["token"]), bytes.fromhex(content["key_id"]), _der(content["public_key"]),
        datetime.fromisoformat(content["until"]), _der(content["certificate"]), _ders(content["chain"]),
    )  # fmt: skip


def _from_json(content: dict[str, Any]) -> CustodyPolicy:
    if content["version"] != VERSION or type(content["direct_sealing"]) is not bool:
        raise ValueError("this version of the policy is not known here")
    return CustodyPolicy(
        profile=str(content["profile"]),
        direct_sealing=content["direct_sealing"],
        peers=tuple(int(uid) for uid in content["peers"]),
        tokens={
            name: TokenPlace(str(t["module"]), str(t["serial"]), str(t["pin_file"]))
            for name, t in content["tokens"].items()
        },
        seals={
            seal_id: SealEntry(
                str(s["token"]), _der(s["certificate"]), str(s["bureau"]),
                _ders(s["holders"]), _ders(s["chain"]), _ders(s["appointed"]),
            )
            for seal_id, s in content["seals"].items()
        },
        services={
            kind: ServiceEntry(
                str(s["token"]), bytes.fromhex(s["key_id"]), _der(s["certificate"]), _ders(s["chain"]),
                tuple(_earlier(key) for key in s.get("earlier", ())),
            )
            for kind, s in content["services"].items()
        },
    )  # fmt: skip


def _text(der: bytes) -> str:
    return base64.b64encode(der).decode()


def _texts(ders: tuple[bytes, ...]) -> list[str]:
    return [_text(der) for der in ders]


def _der(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _ders(texts: list[str]) -> tuple[bytes, ...]:
    return tuple(_der(text) for text in texts)
