"""Rotating a service's key on a home: successor on the token, register, then custody, which keeps the old one for the
overlap. Nothing is interrupted: whoever holds the old key goes on signing with it until it has looked again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cli.data_keys import load_ring
from cli.own_services import own_pki
from hardware.driver import open_token
from hardware.errors import KeyNotFound
from hardware.opened_token import OpenedToken
from hardware.pin_source import read_pin_file
from signing_service.custody.policy import CustodyPolicy, ServiceEntry, TokenPlace, change_policy, load_policy
from signing_service.custody.structures import DATA
from signing_service.errors import Text
from signing_service.pki.register import CertificateRegister, fingerprint
from signing_service.pki.rotation import RotationRefused, logged_rotation, make_successor, record_successor
from signing_service.pki.rules import Actor
from signing_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Rotated:
    """A service as the command names it: custody's name, the certificate's profile, the CA that certifies it."""

    name: str
    service: str
    profile: str
    ca: str
    title: Text


ROTATED = {
    entry.name: entry
    for entry in (
        Rotated("tsa", "tsa", "tsa", "issuing", Text("时间戳密钥", "the timestamp key")),
        Rotated("ocsp", "ocsp", "ocsp", "issuing", Text("OCSP 响应密钥", "the OCSP responder's key")),
        Rotated(
            "simulation-ocsp", "simulation_ocsp", "simulation-ocsp", "simulation",
            Text("模拟审批 OCSP 响应密钥", "the simulation CA's OCSP responder's key"),
        ),
        Rotated("evidence", "evidence", "evidence", "issuing", Text("查验回执密钥", "the evidence key")),
        Rotated("paper-code", "paper_code", "paper-code", "issuing", Text("核验二维码密钥", "the paper-code key")),
        Rotated("log", "log", "log", "issuing", Text("审计日志密钥", "the audit log's key")),
    )
}  # fmt: skip


WRAPPING_KEY = "wrapping-key"
ENDED = {**{name: entry.service for name, entry in ROTATED.items()}, WRAPPING_KEY: DATA}
"""What has an overlap that can be ended: the command's name and custody's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rotation would do; `until` is when the old key stops signing."""

    what: Rotated
    entry: ServiceEntry
    key_kind: str
    until: datetime

    def steps(self) -> list[Text]:
        """For people, in order."""
        old = x509.load_der_x509_certificate(self.entry.certificate)
        ends, until = f"{old.not_valid_after_utc:%Y-%m-%d}", f"{self.until:%Y-%m-%d %H:%M} UTC"
        return [
            Text(f"在设备“{self.entry.token}”上生成 {self.key_kind} 密钥", f'generate a {self.key_kind} key on token '
                 f'"{self.entry.token}"'),
            Text(f"由“{self.what.ca}”签发 {self.what.profile} 证书,写回并读出核对",
                 f'"{self.what.ca}" issues a {self.what.profile} certificate, written back and read again'),
            Text(f"登记并切换;旧密钥到 {until} 仍可签名", f"record and switch; the old key signs until {until}"),
            Text(f"旧证书不吊销,有效到 {ends},旧签名一直可验",
                 f"the old certificate is not revoked; it is valid until {ends}, and what it signed stays verifiable"),
        ]  # fmt: skip


def plan(settings: Settings, name: str, key_kind: str, overlap: timedelta, now: datetime) -> Plan:
    """Raises ServiceNotInCustody, PolicyUnreadable."""
    what = ROTATED[name]
    return Plan(what, load_policy(settings.custody).service(what.service), key_kind, now + overlap)


def rotate(settings: Settings, chosen: Plan, actor: Actor) -> dict[str, Any]:
    """Carry it out; what was done, for output. Raises MoveNotAllowed, PkiError, CustodyError, TokenError."""
    what, entry = chosen.what, chosen.entry
    authority = own_pki(settings).authorities[what.ca]
    register = authority.register
    with logged_rotation(register, f"service:{what.name}", actor) as record:
        place = load_policy(settings.custody).tokens[entry.token]
        label = f"{what.name}-{register.clock.now():%Y%m%d%H%M%S}"
        with _opened(settings, place) as token:
            made = make_successor(
                authority, token, entry.certificate, what.profile, key_kind=chosen.key_kind, label=label
            )
        record_successor(
            register, authority.key.certificate, entry.certificate, made, what.profile, place.serial, actor
        )
        new = ServiceEntry(entry.token, made.key_id, made.certificate, entry.chain)
        change_policy(settings.custody, lambda policy: _switched(policy, chosen, new))
        record.details |= {
            "service": what.name, "old": fingerprint(entry.certificate), "new": fingerprint(made.certificate),
            "until": chosen.until.isoformat(), "token": place.serial,
        }  # fmt: skip
    return record.details


def _switched(policy: CustodyPolicy, chosen: Plan, new: ServiceEntry) -> CustodyPolicy:
    """Under the policy's lock. Raises RotationRefused where another rotation came first."""
    service, old = chosen.what.service, chosen.entry
    present = policy.service(service)
    if present.key_id != old.key_id:
        raise RotationRefused("同一密钥正在另行轮换。", "The same key was rotated meanwhile.")
    return policy.with_service(service, present.succeeded_by(new, _public_key(old.certificate), chosen.until))


def finish(
    settings: Settings, register: CertificateRegister, name: str, actor: Actor, *, destroy: bool
) -> dict[str, Any]:
    """End the overlap now; with `destroy` the old private keys are destroyed on the token too."""
    service = ENDED[name]
    with logged_rotation(register, f"service:{name}", actor) as record:
        policy = load_policy(settings.custody)
        entry = policy.service(service)
        if not entry.earlier:
            raise RotationRefused("没有更早的密钥。", "There is no earlier key.")
        if name == WRAPPING_KEY:
            _check_unused(settings, entry)
        change_policy(
            settings.custody, lambda now: now.with_service(service, now.service(service).ended(register.clock.now()))
        )
        gone = [_destroy(settings, policy, key.token, key.key_id) for key in entry.earlier] if destroy else []
        record.details |= {"service": name, "ended": len(entry.earlier), "destroyed": sum(gone)}
    return record.details


def _check_unused(settings: Settings, entry: ServiceEntry) -> None:
    """A data key that is still under an earlier wrapping key would be lost with it."""
    earlier = {key.public_key for key in entry.earlier}
    if any(key.wrapped_by in earlier for key in load_ring(settings).keys):
        raise RotationRefused(
            "仍有数据密钥由旧包装密钥包装。",
            "A data key is still wrapped by the earlier wrapping key.",
            Text("请先再运行 zhengyin pki rotate wrapping-key。", "Run zhengyin pki rotate wrapping-key again first."),
        )


def _destroy(settings: Settings, policy: CustodyPolicy, token_name: str, key_id: bytes) -> bool:
    with _opened(settings, policy.tokens[token_name]) as token:
        try:
            token.key(id=key_id)
        except KeyNotFound:
            return False
        token.delete(id=key_id)
        return True


def status(settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """Every service key of custody, the present one and its predecessors; public facts only."""
    policy = load_policy(settings.custody)
    return [
        {
            "name": what.name, "token": entry.token, "certificate": fingerprint(entry.certificate),
            "not_after": x509.load_der_x509_certificate(entry.certificate).not_valid_after_utc.isoformat(),
            "earlier": [
                {"certificate": fingerprint(key.certificate), "until": key.until.isoformat(),
                 "signs": now < key.until}
                for key in entry.earlier
            ],
        }
        for what in ROTATED.values()
        if (entry := policy.services.get(what.service)) is not None
    ]  # fmt: skip


def _opened(settings: Settings, place: TokenPlace) -> AbstractContextManager[OpenedToken]:
    pin = settings.custody / place.pin_file
    return open_token(place.module, serial=place.serial, pin=lambda: read_pin_file(pin), write=True)


def _public_key(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
