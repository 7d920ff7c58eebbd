"""USB keys of officers, played by SoftHSM: a signing pair and a log-in pair, issued by a CA in memory."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from hardware.driver import open_token
from signing_service.kernel.typesetting import typeset

PIN, SO_PIN = "246810", "13579135"
NOW = datetime(2026, 11, 24, 7, 4, tzinfo=UTC)
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")


class Authority:
    """An issuing CA for tests."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示例市测试 CA")])
        builder = self._builder(self.name, self.key.public_key(), days=3650)
        constraint = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self._signed(builder.add_extension(constraint, critical=True))

    def issue(self, name, public_key, *, commits=True, clients=False, days=1096):
        """DER of a certificate: `commits` for signing documents, `clients` for log-in."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(not commits, commits, False, False, False, False, False, False, False)
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if clients else DOCUMENT_SIGNING
        builder = self._builder(subject, public_key, days=days).add_extension(usage, critical=True)
        return self._signed(builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False))

    def _builder(self, subject, public_key, *, days):
        since = NOW - timedelta(days=1)
        return x509.CertificateBuilder(
            self.name, subject, public_key, x509.random_serial_number(), since, since + timedelta(days=days)
        )

    def _signed(self, builder):
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)


@dataclass
class UsbKey:
    """A token with its two certificates (DER)."""

    module: str
    serial: str
    signing: bytes
    login: bytes

    def open(self, pin=PIN):
        return open_token(self.module, serial=self.serial, pin=pin)


def make_usb_key(store, authority, name, kind="p256"):
    info = store.create(name, user_pin=PIN, so_pin=SO_PIN)
    with open_token(store.module, serial=info.serial, pin=PIN, write=True) as token:
        pairs = {}
        for label, id, commits in (("signing", b"\x01", True), ("login", b"\x02", False)):
            key = token.generate(kind, label=label, id=id)
            der = authority.issue(name, key.public_key, commits=commits, clients=not commits)
            token.store_certificate(der, label=label, id=id)
            pairs[label] = der
    return UsbKey(store.module, info.serial, pairs["signing"], pairs["login"])


def form(text="示例市行政审批局审批表"):
    """A PDF of two pages."""
    return typeset("#set page(width: 210mm, height: 297mm)\n= " + text + "\n#pagebreak()\n第二页", {})
