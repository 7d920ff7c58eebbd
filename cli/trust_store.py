"""The home's own trust: anchors by purpose from HOME/trust; CRLs from the register, or as published there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing_service.kernel.blobs import write_atomically
from signing_service.pki.crl_publication import CrlPublisher
from signing_service.settings import Settings
from signing_service.verification.policy import Policy, Purpose

ISSUERS = ("root", "issuing", "simulation")


def home_policy(settings: Settings, at: datetime, crls: Sequence[bytes] = ()) -> Policy:
    """What this home trusts at `at`; `crls` (DER) instead of the published ones where the register is at hand."""
    anchors = {purpose: _certificates(settings.trust / purpose.value) for purpose in Purpose}
    return Policy(anchors, at, crls=crls or [path.read_bytes() for path in sorted(_crls(settings).glob("*.crl"))])


def current_crls(publisher: CrlPublisher) -> list[bytes]:
    """The CRLs of our own CAs as they are now, DER."""
    return [crl for name in ISSUERS if (crl := publisher.crl(name)) is not None]


def publish_crls(settings: Settings, publisher: CrlPublisher) -> None:
    """Write the present CRLs where `zhengyin verify` finds them without a server."""
    _crls(settings).mkdir(parents=True, exist_ok=True)
    for name in ISSUERS:
        if (crl := publisher.crl(name)) is not None:
            write_atomically(_crls(settings) / f"{name}.crl", crl)


def _crls(settings: Settings) -> Path:
    return settings.trust / "crls"


def _certificates(folder: Path) -> list[bytes]:
    found = [x509.load_pem_x509_certificates(path.read_bytes()) for path in sorted(folder.glob("*.pem"))]
    return [certificate.public_bytes(Encoding.DER) for several in found for certificate in several]
