"""A small certificate world for tests: root, seal authority, officers' authority, timestamp service, revocation
lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.signers.pdf_cms import SimpleSigner
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

FOUNDED = datetime(2008, 1, 1, tzinfo=UTC)
START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2034, 1, 1, tzinfo=UTC)


@dataclass
class Party:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def asn1(self) -> asn1_x509.Certificate:
        return asn1_x509.Certificate.load(self.der)

    @property
    def asn1_key(self) -> asn1_keys.PrivateKeyInfo:
        raw = self.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return asn1_keys.PrivateKeyInfo.load(raw)


def name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "示例市行政审批局"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def usage(*, sign: bool = False, ca: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(sign, sign, False, False, False, ca, ca, False, False)


def authority(common: str, issuer: Party | None = None) -> Party:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(issuer.certificate.subject if issuer else name(common))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FOUNDED)
        .not_valid_after(END)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(usage(ca=True), critical=True)
    )
    return Party(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def end_entity(
    common: str,
    issuer: Party,
    *,
    start: datetime = START,
    end: datetime = END,
    timestamper: bool = False,
    extra: tuple[x509.ExtensionType, bool] | None = None,
    purposes: list[x509.ObjectIdentifier] | None = None,
    rsa_bits: int | None = None,
    commitment_alone: bool = False,
) -> Party:
    bits = 2048 if timestamper else rsa_bits
    key = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(
            x509.KeyUsage(not commitment_alone, True, False, False, False, False, False, False, False), critical=True
        )
    )
    if timestamper:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    else:
        chosen = [x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")] if purposes is None else purposes
        builder = builder.add_extension(x509.ExtendedKeyUsage(chosen), critical=False) if chosen else builder
    if extra:
        builder = builder.add_extension(*extra)
    return Party(builder.sign(issuer.key, hashes.SHA256()), key)


@dataclass(frozen=True)
class Revoked:
    """One CRL entry."""

    party: Party
    at: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.superseded
    invalid_since: datetime | None = None


def revocation_list(issuer: Party, at: datetime, *entries: Revoked, days: float = 30) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(at)
        .next_update(at + timedelta(days=days))
        .add_extension(x509.CRLNumber(int(at.timestamp())), critical=False)
    )
    for entry in entries:
        revoked = (
            x509.RevokedCertificateBuilder()
            .serial_number(entry.party.certificate.serial_number)
            .revocation_date(entry.at)
            .add_extension(x509.CRLReason(entry.reason), critical=False)
        )
        if entry.invalid_since:
            revoked = revoked.add_extension(x509.InvalidityDate(entry.invalid_since), critical=False)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@dataclass
class World:
    """Everyone whom the tests need."""

    root: Party = field(default_factory=lambda: authority("示例根"))
    seals: Party = field(init=False)
    officers: Party = field(init=False)
    times: Party = field(init=False)
    seal: Party = field(init=False)
    officer: Party = field(init=False)
    timestamper: Party = field(init=False)
    stranger: Party = field(init=False)

    def __post_init__(self) -> None:
        self.seals = authority("示例印章 CA", self.root)
        self.officers = authority("示例人员 CA", self.root)
        self.times = authority("示例时间 CA", self.root)
        self.seal = end_entity("示例市行政审批专用章", self.seals)
        self.officer = end_entity("审批员甲", self.officers)
        self.timestamper = end_entity("示例时间戳", self.times, timestamper=True)
        self.stranger = end_entity("外人", authority("别处 CA"))

    def signer(self, party: Party, *above: Party) -> SimpleSigner:
        store = SimpleCertificateStore()
        store.register_multiple([party.asn1, *(issuer.asn1 for issuer in above)])
        return SimpleSigner(party.asn1, party.asn1_key, store, signature_mechanism=None, prefer_pss=False)

    def stamper(self, at: datetime, party: Party | None = None) -> DummyTimeStamper:
        chosen = party or self.timestamper
        store = SimpleCertificateStore()
        store.register_multiple([chosen.asn1, self.times.asn1])
        return DummyTimeStamper(chosen.asn1, chosen.asn1_key, certs_to_embed=store, fixed_dt=at)

    def crls(self, at: datetime, *, seals: tuple[Revoked, ...] = (), officers: tuple[Revoked, ...] = ()) -> list[bytes]:
        """One list of each authority; nothing else is revoked."""
        return [
            revocation_list(self.seals, at, *seals),
            revocation_list(self.officers, at, *officers),
            revocation_list(self.times, at),
            revocation_list(self.root, at),
        ]
