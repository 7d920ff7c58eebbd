"""Templates for what we write to a token: key pairs and certificates. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .cryptoki.attributes import AttributeValue, Template
from .cryptoki.binding import RawMechanism
from .cryptoki.codes import Attr, Ckm, KeyType, ObjectClass
from .errors import KeyTypeUnsupported
from .public_keys import P256, P384

_ED25519 = bytes.fromhex("06032b6570")
_Values = dict[Attr, AttributeValue]
_EXPONENT = b"\x01\x00\x01"


@dataclass(frozen=True, slots=True)
class KeyPairTemplate:
    """What C_GenerateKeyPair needs."""

    mechanism: RawMechanism
    public: Template
    private: Template


def key_pair(kind: str, *, label: str, id: bytes, decrypt: bool = False) -> KeyPairTemplate:
    """Template for `kind`: rsa2048, rsa3072, rsa4096, p256, p384 or ed25519. The private key never leaves."""
    mechanism, special = _kind(kind)
    decrypt = decrypt and kind.startswith("rsa")
    common: _Values = {Attr.TOKEN: True, Attr.LABEL: label, Attr.ID: id}
    # What the public half may do is left to the module: TPM 2 derives it and refuses to be told otherwise.
    public = {**common, **special}
    private = {**common, Attr.PRIVATE: True, Attr.SENSITIVE: True, Attr.EXTRACTABLE: False, Attr.SIGN: True}
    if kind.startswith("rsa"):
        private[Attr.DECRYPT] = decrypt
    return KeyPairTemplate(mechanism, public, private)


def without_usage(template: KeyPairTemplate) -> KeyPairTemplate:
    """The same pair without usage flags, for modules that derive those themselves and refuse to be told (TPM 2)."""
    flags = {Attr.ENCRYPT, Attr.DECRYPT, Attr.SIGN, Attr.VERIFY, Attr.EXTRACTABLE}
    public, private = (
        {name: value for name, value in each.items() if name not in flags}
        for each in (template.public, template.private)
    )
    return KeyPairTemplate(template.mechanism, public, private)


def _kind(kind: str) -> tuple[RawMechanism, _Values]:
    if kind in {"rsa2048", "rsa3072", "rsa4096"}:
        sizes: _Values = {Attr.MODULUS_BITS: int(kind[3:]), Attr.PUBLIC_EXPONENT: _EXPONENT}
        return RawMechanism(Ckm.RSA_PKCS_KEY_PAIR_GEN), sizes
    if kind in {"p256", "p384"}:
        return RawMechanism(Ckm.EC_KEY_PAIR_GEN), {Attr.EC_PARAMS: P256 if kind == "p256" else P384}
    if kind == "ed25519":
        special: _Values = {Attr.KEY_TYPE: int(KeyType.EC_EDWARDS), Attr.EC_PARAMS: _ED25519}
        return RawMechanism(Ckm.EC_EDWARDS_KEY_PAIR_GEN), special
    raise KeyTypeUnsupported(kind=kind)


def certificate(der: bytes, *, label: str, id: bytes) -> Template:
    """Template of an X.509 certificate object."""
    from cryptography import x509  # only storing a certificate needs it

    parsed = x509.load_der_x509_certificate(der)
    serial = parsed.serial_number
    encoded = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return {
        Attr.CLASS: int(ObjectClass.CERTIFICATE),
        Attr.CERTIFICATE_TYPE: 0,
        Attr.TOKEN: True,
        Attr.PRIVATE: False,
        Attr.LABEL: label,
        Attr.ID: id,
        Attr.SUBJECT: parsed.subject.public_bytes(),
        Attr.ISSUER: parsed.issuer.public_bytes(),
        Attr.SERIAL_NUMBER: b"\x02" + bytes([len(encoded)]) + encoded,
        Attr.VALUE: der,
    }
