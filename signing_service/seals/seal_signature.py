"""SES_Signature: what a seal signed in an OFD file (SignedValue.dat), by GM/T 0031 (v1) or GB/T 38540 (v4, v5).

Read and shown, never made: our own files are PDFs with PAdES signatures. An OFD file is a ZIP; its signed values are
found by name. SM2 signatures are named; this machine cannot check them (see `structures`).
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import core
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from signing_service.seals import ses_asn1
from signing_service.seals.errors import SealError, Text
from signing_service.seals.holder_signature import verify_signature
from signing_service.seals.structures import (
    ALGORITHMS,
    LARGEST,
    MECHANISMS,
    SealData,
    SealMakerAlgorithmUnsupported,
    SealUnreadable,
    exact,
    octets,
    read_seal,
)

MOST_VALUES = 200
ZIP = b"PK\x03\x04"


class SealSignatureBroken(SealError):
    code = "seal_signature_broken"

    def __init__(self) -> None:
        super().__init__(
            Text("签章的签名不成立。", "The signature made with the seal does not hold."),
            advice=Text("请勿采信该签章。", "Do not rely on it."),
        )


@dataclass(frozen=True, slots=True)
class SealSignature:
    """One signed value. `signed_at` is the signer's claim, or none where a timestamp token stands instead (v1);
    `data_hash` is over the OFD's Signature.xml; `signer` the DER certificate; `to_be_signed` what the key signed."""

    version: int
    seal: SealData
    signed_at: datetime | None
    data_hash: bytes
    property_info: str
    signer: bytes
    algorithm_oid: str
    signature: bytes
    timestamp: bytes
    to_be_signed: bytes

    @property
    def algorithm(self) -> str:
        """By name, else its OID."""
        return ALGORITHMS.get(self.algorithm_oid, self.algorithm_oid)

    @property
    def signer_is_the_seals(self) -> bool:
        """Whether the seal lists the signer's certificate, by itself or by digest."""
        return self.seal.binds(self.signer)

    def check_signature(self) -> None:
        """Raises SealMakerAlgorithmUnsupported, SealSignatureBroken. Whether to trust the signer is not said."""
        if self.algorithm_oid not in MECHANISMS:
            raise SealMakerAlgorithmUnsupported(self.algorithm)
        try:
            signer = x509.load_der_x509_certificate(self.signer)
            verify_signature(signer, self.signature, self.to_be_signed, MECHANISMS[self.algorithm_oid])
        except (InvalidSignature, ValueError) as failure:
            raise SealSignatureBroken from failure


def read_seal_signature(encoded: bytes) -> SealSignature:
    """A DER SES_Signature of any of the three generations. Raises SealUnreadable."""
    if len(encoded) > LARGEST:
        raise SealUnreadable(f"over {LARGEST} bytes")
    try:
        outer = core.Sequence.load(encoded, strict=True)
        return _read_v1(encoded) if len(outer) == 2 else _read_later(encoded)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as failure:
        raise SealUnreadable(f"{type(failure).__name__}: {str(failure).splitlines()[0]}") from failure


def signed_values(ofd: bytes) -> dict[str, bytes]:
    """The signed values of an OFD file by their names in it. Raises SealUnreadable for what is no OFD."""
    try:
        with zipfile.ZipFile(io.BytesIO(ofd)) as archive:
            named = [info for info in archive.infolist() if info.filename.lower().endswith("signedvalue.dat")]
            if len(named) > MOST_VALUES or any(info.file_size > LARGEST for info in named):
                raise SealUnreadable("too many or too large signed values")
            return {info.filename: archive.read(info) for info in named}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as failure:
        raise SealUnreadable(f"it is no OFD: {failure}") from failure


def _read_v1(encoded: bytes) -> SealSignature:
    value = exact(ses_asn1.SesSignatureV1, encoded)
    signed = value["to_sign"]
    instant, token = _v1_time(octets(signed["time_info"]))
    return SealSignature(
        signed["version"].native, read_seal(signed["eseal"].dump()), instant, octets(signed["data_hash"]),
        signed["property_info"].native, signed["cert"].native, signed["sign_alg_id"].dotted,
        octets(value["signature"]), token, signed.dump(),
    )  # fmt: skip


def _read_later(encoded: bytes) -> SealSignature:
    value = exact(ses_asn1.SesSignature, encoded)
    signed, stamp = value["to_sign"], value["time_stamp"]
    return SealSignature(
        signed["version"].native, read_seal(signed["eseal"].dump()), signed["time_info"].native,
        octets(signed["data_hash"]), signed["property_info"].native, value["cert"].native,
        value["sign_alg_id"].dotted, octets(value["signature"]), b"" if stamp.native is None else octets(stamp),
        signed.dump(),
    )  # fmt: skip


def _v1_time(content: bytes) -> tuple[datetime | None, bytes]:
    """A claimed time, as DER UTCTime or as bare digits, or a timestamp token."""
    for kind in (core.UTCTime, core.GeneralizedTime):
        try:
            parsed: Any = kind.load(content, strict=True).native
        except (ValueError, TypeError):
            continue
        return parsed, b""
    try:
        return datetime.strptime(content.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), b""
    except (UnicodeDecodeError, ValueError):
        return None, content
