"""Which stored documents need a new archive timestamp, and by when: pure over a file's bytes and a table of dates.

What still carries a document is its newest document timestamp, and the timestamps of signatures made after it: nothing
newer covers those. The first of them to lose its certificate or an algorithm decides (EN 319 142-1, 5.4.3: the next
document timestamp has to come before).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import yaml
from asn1crypto import parser
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from signing_service.errors import Text
from signing_service.verification.algorithms import public_key
from signing_service.verification.certificates import load_all
from signing_service.verification.container import Container, read_container, read_timestamp
from signing_service.verification.cryptography_check import find_signer
from signing_service.verification.discovery import Found, Revisions, find_signatures
from signing_service.verification.document import Document, PdfFile
from signing_service.verification.errors import UnreadableCms, VerificationError
from signing_service.verification.limits import Spending

MARGIN = timedelta(days=180)
"""How long before its end a timestamp is renewed: time enough to rotate a timestamp key or to change the authority."""
SHIPPED = Path(__file__).with_name("algorithm_ends.yaml")
CERTIFICATE = "certificate"


class AlgorithmEndsUnreadable(VerificationError):
    code = "algorithm_ends_unreadable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            Text(f"算法期限表 {path.name} 有误。", f"The table of algorithms {path.name} is wrong."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "请写明 digests(名称:日期)和 keys(family、below、until)。",
                "It has digests (name: date) and keys (family, below, until).",
            ),
        )


@dataclass(frozen=True, slots=True)
class Stamp:
    """One timestamp token (DER). `keys`: family and length in bits; `digests`: of the token and of what it stamps."""

    token: bytes
    certificate_ends: datetime
    family: str
    bits: int
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End:
    """Until when a document is carried by what it has, and what ends then: `certificate`, or an algorithm's name."""

    at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class AlgorithmEnds:
    """`keys`: family, length below which the row counts (None: any), last day."""

    digests: Mapping[str, date]
    keys: Sequence[tuple[str, int | None, date]]

    @classmethod
    def read(cls, path: Path = SHIPPED) -> AlgorithmEnds:
        """Raises AlgorithmEndsUnreadable."""
        try:
            table = yaml.safe_load(path.read_text(encoding="utf-8"))
            digests = {str(name): _day(until) for name, until in table["digests"].items()}
            keys = [
                (str(row["family"]), int(row["below"]) if "below" in row else None, _day(row["until"]))
                for row in table["keys"]
            ]
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise AlgorithmEndsUnreadable(path, str(error)[:200]) from error
        return cls(digests, keys)

    def of(self, stamp: Stamp) -> Iterator[End]:
        """Every end that the table knows for this stamp."""
        for name in stamp.digests:
            if name in self.digests:
                yield End(_last_moment(self.digests[name]), name.upper())
        for family, below, until in self.keys:
            if family == stamp.family and (below is None or stamp.bits < below):
                yield End(_last_moment(until), f"{family.upper()}-{stamp.bits}")
                break


def end_of(stamps: Sequence[Stamp], table: AlgorithmEnds) -> End | None:
    """The first thing to end; None: the document has no timestamp to renew."""
    ends = [End(stamp.certificate_ends, CERTIFICATE) for stamp in stamps]
    return min([*ends, *(end for stamp in stamps for end in table.of(stamp))], key=lambda end: end.at, default=None)


def is_due(end: End | None, now: datetime, margin: timedelta = MARGIN) -> bool:
    """Has the time come to renew what ends so?"""
    return end is not None and end.at - margin <= now


def carrying_stamps(pdf: bytes) -> list[Stamp]:
    """The timestamps that nothing newer covers; empty for a file without any.

    Nothing is judged. Raises VerificationError by name for a file, container or key that cannot be read.
    """
    file = PdfFile(pdf, Spending())
    document = Document(file, len(pdf))
    found: list[Stamp] = []
    for item in find_signatures(file, Revisions(file, document)):
        if not item.end:
            continue
        container = read_container(item.dictionary["Contents"])
        if _is_document_timestamp(item):
            padded = bytes(item.dictionary["Contents"])
            found = [_stamp(padded[: parser.peek(padded)], container)]  # zeros fill the rest of the room
        else:
            found += [_stamp(token, read_container(token)) for token in container.tokens]
    return found


def _is_document_timestamp(item: Found) -> bool:
    return item.dictionary.get("SubFilter") == "ETSI.RFC3161" or item.dictionary.get("Type") == "DocTimeStamp"


def _stamp(token: bytes, container: Container) -> Stamp:
    certificate = find_signer(container, load_all(container.certificates))
    if certificate is None:
        raise UnreadableCms("a timestamp without its certificate")
    family, bits = _strength(public_key(certificate.x509))
    digests = (container.digest, read_timestamp(container).digest)
    return Stamp(token, certificate.not_after, family, bits, tuple(dict.fromkeys(digests)))


def _strength(key: Any) -> tuple[str, int]:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519", 256
    if isinstance(key, ed448.Ed448PublicKey):
        return "ed448", 456
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ecdsa", key.curve.key_size
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        return ("rsa" if isinstance(key, rsa.RSAPublicKey) else "dsa"), key.key_size
    return type(key).__name__, 0


def _day(value: object) -> date:
    if not isinstance(value, date):
        raise TypeError(f"{value!r} is no date")
    return value


def _last_moment(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(days=1)
