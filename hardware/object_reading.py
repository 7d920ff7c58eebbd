"""Reading keys and certificates off a token: objects in, records out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .certificate_fields import ordinary_fields
from .cryptoki.attributes import number_of, text_of, truth_of
from .cryptoki.binding import Cryptoki
from .cryptoki.codes import Attr, ObjectClass
from .public_keys import is_canonical, public_key_info
from .records import CertificateRecord, KeyRecord

_KEY_ATTRIBUTES = (Attr.KEY_TYPE, Attr.ID, Attr.LABEL, Attr.MODULUS, Attr.PUBLIC_EXPONENT, Attr.EC_PARAMS)
_PRIVATE_ATTRIBUTES = (*_KEY_ATTRIBUTES, Attr.SIGN, Attr.DECRYPT, Attr.ALWAYS_AUTHENTICATE)
_PUBLIC_ATTRIBUTES = (*_KEY_ATTRIBUTES, Attr.EC_POINT)


def read_certificates(cryptoki: Cryptoki, session: int) -> list[CertificateRecord]:
    """Every certificate object that has a value."""
    records = []
    for handle in cryptoki.find(session, {Attr.CLASS: int(ObjectClass.CERTIFICATE)}):
        found = cryptoki.attributes(session, handle, (Attr.ID, Attr.LABEL, Attr.VALUE))
        if value := found.get(Attr.VALUE):
            records.append(CertificateRecord(found.get(Attr.ID, b""), text_of(found.get(Attr.LABEL, b"")), value))
    return records


def read_keys(cryptoki: Cryptoki, session: int) -> list[tuple[KeyRecord, int]]:
    """Every private key that the session sees, with its object handle."""
    handles = cryptoki.find(session, {Attr.CLASS: int(ObjectClass.PRIVATE_KEY)})
    if not handles:
        return []
    public = read_public_keys(cryptoki, session)
    certificates: list[CertificateRecord] | None = None
    records = []
    for handle in handles:
        found = cryptoki.attributes(session, handle, _PRIVATE_ATTRIBUTES)
        info = public_key_info(found) or _same_id(found, public)
        if not info:
            certificates = read_certificates(cryptoki, session) if certificates is None else certificates
            info = _from_certificates(found.get(Attr.ID, b""), certificates)
        records.append((key_record(found, info), handle))
    return records


def read_public_keys(cryptoki: Cryptoki, session: int) -> list[Mapping[Attr, bytes]]:
    """The attributes of every public key object."""
    handles = cryptoki.find(session, {Attr.CLASS: int(ObjectClass.PUBLIC_KEY)})
    return [read_public_attributes(cryptoki, session, handle) for handle in handles]


def read_public_attributes(cryptoki: Cryptoki, session: int, handle: int) -> Mapping[Attr, bytes]:
    """What `public_keys.public_key_info` needs, of one public key object."""
    return cryptoki.attributes(session, handle, _PUBLIC_ATTRIBUTES)


def read_pair(cryptoki: Cryptoki, session: int, public: int, private: int) -> KeyRecord:
    """The record of a pair that was just made."""
    found = cryptoki.attributes(session, private, _PRIVATE_ATTRIBUTES)
    info = public_key_info(read_public_attributes(cryptoki, session, public))
    return key_record(found, info or public_key_info(found))


def key_record(found: Mapping[Attr, bytes], info: bytes) -> KeyRecord:
    """The record of a private key with these attributes and this public key."""
    kind = number_of(found, Attr.KEY_TYPE)
    return KeyRecord(
        id=found.get(Attr.ID, b""),
        label=text_of(found.get(Attr.LABEL, b"")),
        key_type=-1 if kind is None else kind,
        public=info,
        may_sign=truth_of(found, Attr.SIGN) is not False,
        may_decrypt=truth_of(found, Attr.DECRYPT) is True,
        pin_per_signature=truth_of(found, Attr.ALWAYS_AUTHENTICATE) is True,
    )


def _same_id(private: Mapping[Attr, bytes], public: Sequence[Mapping[Attr, bytes]]) -> bytes:
    """The public key object with the private key's CKA_ID and type; label decides between several."""
    alike = [
        each
        for each in public
        if each.get(Attr.ID, b"") == private.get(Attr.ID, b"") and each.get(Attr.KEY_TYPE) == private.get(Attr.KEY_TYPE)
    ]
    named = [each for each in alike if each.get(Attr.LABEL, b"") == private.get(Attr.LABEL, b"")]
    infos = {public_key_info(each) for each in (named or alike)}
    return infos.pop() if len(infos) == 1 else b""


def _from_certificates(id: bytes, certificates: Iterable[CertificateRecord]) -> bytes:
    """Only where exactly one public key stands in the certificates of this CKA_ID: an id alone proves nothing."""
    infos = {certificate_key(each.der) for each in certificates if id and each.id == id} - {b""}
    return infos.pop() if len(infos) == 1 else b""


def certificate_key(der: bytes) -> bytes:
    """SubjectPublicKeyInfo of a certificate; b"" if it cannot be read."""
    fields = ordinary_fields(der)
    if fields is not None and is_canonical(fields.public_key_info):
        return fields.public_key_info
    from cryptography import x509  # most certificates are read without it

    try:
        certificate = x509.load_der_x509_certificate(der)
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return _opaque_key(der)


def _opaque_key(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo bytes as they stand, for a key type that `cryptography` does not know (SM2)."""
    from asn1crypto.x509 import Certificate

    try:
        return bytes(Certificate.load(der)["tbs_certificate"]["subject_public_key_info"].dump())
    except (ValueError, TypeError, KeyError):
        return b""
