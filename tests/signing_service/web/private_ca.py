"""A private root CA and a server certificate for this machine's own names, as a city's inner network has them."""

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

ROOT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示例市内网根 CA")])
HERE = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


def make_private_ca(folder):
    """Writes root.pem, server.pem (certificate and key); gives both paths."""
    root_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate(ROOT, root_key.public_key(), x509.BasicConstraints(ca=True, path_length=0))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    server = _certificate(subject, server_key.public_key(), x509.SubjectAlternativeName(HERE))
    (folder / "root.pem").write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signed = server.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (folder / "server.pem").write_bytes(signed + private)
    return folder / "root.pem", folder / "server.pem"


def _certificate(subject, public_key, extension):
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        ROOT, subject, public_key, x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=30)
    )
    return builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
