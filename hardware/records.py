"""Plain values that cross the border between a module (in this process or in its host) and the driver."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A private key as its token describes it.

    `public` is the DER SubjectPublicKeyInfo, b"" where the token shows neither a public key nor a certificate for
    it. `key_type` is the CKK number, vendor-defined ones included.
    """

    id: bytes
    label: str
    key_type: int
    public: bytes = b""
    may_sign: bool = True
    may_decrypt: bool = False
    pin_per_signature: bool = False


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """An X.509 certificate object: `der` as stored; `id` and `label` are hints, never proof of a pairing."""

    id: bytes
    label: str
    der: bytes


@dataclass(frozen=True, slots=True)
class SlotReport:
    """What a slot says, for discovery and the doctor. `serial` is "" where no token is in it."""

    slot: int
    description: str
    serial: str = ""
    label: str = ""
    initialised: bool = False
    problem: str = ""
