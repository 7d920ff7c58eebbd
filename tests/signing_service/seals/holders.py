"""Holders with software keys, for the pure rules; custody's tests use tokens."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardware.ports import Mechanism

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


class Holder:
    """A key with its certificate; signs as a `TokenKey` would."""

    def __init__(self, name, kind="p256", *, days=365, since=NOW - timedelta(days=1)):
        self.private = {
            "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
            "ed25519": ed25519.Ed25519PrivateKey.generate,
        }[kind]()
        self.mechanism = {
            "p256": Mechanism.ECDSA_SHA256,
            "rsa2048": Mechanism.RSA_PSS_SHA256,
            "ed25519": Mechanism.ED25519,
        }[kind]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(
            subject, subject, self.private.public_key(), x509.random_serial_number(), since, since + timedelta(days)
        )
        algorithm = None if kind == "ed25519" else hashes.SHA256()
        self.certificate = builder.sign(self.private, algorithm).public_bytes(Encoding.DER)

    def sign(self, data, mechanism):
        if mechanism is Mechanism.ECDSA_SHA256:
            return self.private.sign(data, ec.ECDSA(hashes.SHA256()))
        if mechanism is Mechanism.RSA_PSS_SHA256:
            return self.private.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        return self.private.sign(data)

    @property
    def signer(self):
        return self, self.certificate, self.mechanism
