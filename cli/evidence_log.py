"""The audit log of a home put together: its key in custody, its timestamps, its witnesses from HOME/witnesses.toml."""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select

from cli.stage import Stage
from hardware.ports import Mechanism
from signing_service.custody.errors import ServiceNotInCustody
from signing_service.custody.structures import LOG
from signing_service.errors import SigningServiceError, Text
from signing_service.evidence.checkpoint import LogKey
from signing_service.evidence.log_checkpoints import LogCheckpoints, LogSigner
from signing_service.evidence.log_tree import sequence_entries
from signing_service.evidence.mail_witness import MailWitness
from signing_service.evidence.witness import FolderWitness, ServerWitness, Witness
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.kernel.smtp import MailServer
from signing_service.pades.ports import Timestamper
from signing_service.pki.certificates import CertificateRow
from signing_service.settings import Settings

FILE_NAME = "witnesses.toml"


class WitnessesUnreadable(SigningServiceError):
    code = "witnesses_unreadable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            Text(f"无法读取见证处清单 {path}。", f"The list of witnesses {path} cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                '每处写一节 [[witness]]:folder = "目录",或 url 和 key(Ed25519 公钥),或 mail、server、sender。',
                'Write a section [[witness]] for each: folder = "PATH", or url = "ADDRESS" and key = "base64 of its '
                'Ed25519 key", or mail, server and sender.',
            ),
        )


def home_checkpoints(stage: Stage, timestamper: Timestamper) -> LogCheckpoints:
    """The log of an opened home. Raises ServiceNotInCustody, WitnessesUnreadable."""
    keys = [key_of(certificate) for certificate in known_log_certificates(stage)[0]]

    def sign(body: bytes) -> bytes:
        on_curve = isinstance(keys[0], EllipticCurvePublicKey)
        return stage.custody.sign_service(LOG, body, Mechanism.ECDSA_SHA256 if on_curve else Mechanism.ED25519)

    signer = LogSigner(origin(stage.settings), keys[0], sign, timestamper.timestamp)
    return LogCheckpoints(stage.database, stage.clock, signer, witnesses(stage.settings, keys))


def known_log_certificates(stage: Stage) -> tuple[list[bytes], list[bytes]]:
    """The log key's certificates, the present one first and earlier ones after it; and the issuers. DER."""
    certificates = stage.custody.service_certificates(LOG)
    if not certificates:
        raise ServiceNotInCustody(LOG)
    present, *issuers = certificates
    with stage.database.read() as session:
        rows = session.scalars(
            select(CertificateRow).where(CertificateRow.profile == "log").order_by(CertificateRow.id)
        )
        earlier = [row.der for row in rows if row.der and row.der != present]
    return [present, *earlier], issuers


def keep_evidence(database: Database, checkpoints: LogCheckpoints) -> list[SigningServiceError]:
    """What is due each minute: positions, a checkpoint, its timestamp, the witnesses. Returns what did not work and
    can be made up for; raises LogRewritten."""
    while sequence_entries(database):
        pass
    checkpoints.issue()
    failures: list[SigningServiceError] = []
    try:
        checkpoints.stamp()
    except SigningServiceError as failure:
        failures.append(failure)
    return failures + checkpoints.bring_to_witnesses()


def origin(settings: Settings) -> str:
    """The log's name: the home's address without its scheme."""
    return f"{settings.base_url.partition('://')[2].rstrip('/')}/log"


def witnesses(settings: Settings, keys: Sequence[LogKey] = ()) -> list[Witness]:
    """Those that the operator named. Without `keys` they have names and keep nothing. Raises WitnessesUnreadable."""
    path = settings.home / FILE_NAME
    if not path.exists():
        return []
    try:
        entries = tomllib.loads(path.read_text("utf-8")).get("witness", [])
        return [_witness(settings, keys, entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        raise WitnessesUnreadable(path, str(failure)) from failure


def _witness(settings: Settings, keys: Sequence[LogKey], entry: dict[str, Any]) -> Witness:
    if entry.keys() == {"folder"}:
        return FolderWitness(Path(entry["folder"]), *keys)
    if "mail" in entry:
        return _mailbox(settings, keys, dict(entry))
    if entry.keys() != {"url", "key"}:
        raise ValueError(f"a witness has folder, or url and key, not {', '.join(sorted(entry)) or 'nothing'}")
    cosigner = Ed25519PublicKey.from_public_bytes(base64.b64decode(entry["key"], validate=True))
    return ServerWitness(entry["url"], cosigner, Outbound(OutboundPolicy(settings.outbound_hosts)))


def _mailbox(settings: Settings, keys: Sequence[LogKey], entry: dict[str, Any]) -> Witness:
    """mail, server (HOST:PORT), sender; and where it is so: security, user, password_file, every_minutes."""
    recipient, sender, every = entry.pop("mail"), entry.pop("sender"), entry.pop("every_minutes", 60)
    host, _, port = entry.pop("server").rpartition(":")
    security, user, password = entry.pop("security", "tls"), entry.pop("user", ""), entry.pop("password_file", "")
    if entry or security not in ("tls", "starttls", "none") or not host:
        raise ValueError(f"a mailbox is not described so: {recipient}")
    file = settings.home / password if password else None
    server = MailServer(host, int(port), security, user, file)
    return MailWitness(server, sender, recipient, *keys, every=timedelta(minutes=every))


def key_of(certificate: bytes) -> LogKey:
    """The public key of a log certificate (DER). Raises ServiceNotInCustody for one of no known kind."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey):
        raise ServiceNotInCustody(LOG)
    return key
