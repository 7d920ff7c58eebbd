"""Timestamp requests (RFC 3161 2.4.1) as they come from strangers, and the reasons to refuse one (2.4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from signing_service.errors import Text
from signing_service.pki import der
from signing_service.pki.errors import MalformedDer, PkiError

LARGEST_REQUEST = 16 * 1024
LARGEST_NONCE = 64
STRONG_DIGESTS = {
    "2.16.840.1.101.3.4.2.1": 32,
    "2.16.840.1.101.3.4.2.2": 48,
    "2.16.840.1.101.3.4.2.3": 64,
    "2.16.840.1.101.3.4.2.8": 32,
    "2.16.840.1.101.3.4.2.9": 48,
    "2.16.840.1.101.3.4.2.10": 64,
    "1.2.156.10197.1.401": 32,
}


class FailureInfo(IntEnum):
    """PKIFailureInfo: the bit that says why."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    SYSTEM_FAILURE = 25


class TimestampNotGiven(PkiError):
    """Why our TSA does not stamp; the answer carries `info`."""

    code = "timestamp_not_given"

    def __init__(self, info: FailureInfo, zh: str, en: str) -> None:
        self.info = info
        super().__init__(
            Text("没有签发时间戳。", "No timestamp was issued."),
            why=Text(zh, en),
            advice=Text(
                "请按 RFC 3161 更正请求(摘要用 SHA-256 或更强)后重发。",
                "Correct the request by RFC 3161 (a digest of SHA-256 or stronger) and send it again.",
            ),
        )


@dataclass(frozen=True, slots=True)
class TimestampRequest:
    """`imprint` and `nonce` are the DER elements, to be echoed; `digest` is the hash value."""

    imprint: bytes
    digest: bytes
    policy: str
    nonce: bytes
    wants_certificates: bool


def read_timestamp_request(data: bytes) -> TimestampRequest:
    """Read a request. Raises TimestampNotGiven: badDataFormat, badRequest, badAlg or unacceptedExtension."""
    if len(data) > LARGEST_REQUEST:
        raise TimestampNotGiven(FailureInfo.BAD_DATA_FORMAT, "请求过大。", "The request is too large.")
    try:
        return _read(data)
    except MalformedDer as failure:
        why = failure.why or failure.what
        raise TimestampNotGiven(FailureInfo.BAD_DATA_FORMAT, why.zh, why.en) from failure


def _read(data: bytes) -> TimestampRequest:
    fields = der.read(data, der.SEQUENCE).children()
    if len(fields) < 2:
        raise MalformedDer("it is not a TimeStampReq")
    if fields[0].as_integer() != 1:
        raise TimestampNotGiven(FailureInfo.BAD_REQUEST, "版本不是 1。", "Only version 1 is known.")
    digest = _digest(fields[1].expect(der.SEQUENCE))
    optional = {field.tag: field for field in fields[2:]}
    order = [tag for tag in (der.OID, der.INTEGER, der.BOOLEAN, 0xA0) if tag in optional]
    if [field.tag for field in fields[2:]] != order:
        raise MalformedDer("optional fields are unknown, repeated or out of order")
    if 0xA0 in optional:
        raise TimestampNotGiven(
            FailureInfo.UNACCEPTED_EXTENSION, "请求带有扩展。", "The request carries extensions; none is known here."
        )
    return TimestampRequest(
        imprint=fields[1].encoded,
        digest=digest,
        policy=optional[der.OID].as_oid() if der.OID in optional else "",
        nonce=_nonce(optional.get(der.INTEGER)),
        wants_certificates=der.BOOLEAN in optional and optional[der.BOOLEAN].as_boolean(),
    )


def _digest(imprint: der.Element) -> bytes:
    parts = imprint.children()
    if len(parts) != 2:
        raise MalformedDer("a MessageImprint has not two parts")
    algorithm = parts[0].expect(der.SEQUENCE).children()
    digest = parts[1].expect(der.OCTET_STRING).content
    if not 1 <= len(algorithm) <= 2 or (len(algorithm) == 2 and algorithm[1].encoded != b"\x05\x00"):
        raise MalformedDer("the hash algorithm has parameters")
    length = STRONG_DIGESTS.get(algorithm[0].as_oid())
    if length is None:
        raise TimestampNotGiven(FailureInfo.BAD_ALG, "摘要算法过弱或未知。", "The digest algorithm is weak or unknown.")
    if len(digest) != length:
        raise MalformedDer("the digest's length does not fit its algorithm")
    return digest


def _nonce(field: der.Element | None) -> bytes:
    if field is None:
        return b""
    field.as_integer()
    if len(field.content) > LARGEST_NONCE:
        raise MalformedDer("the nonce is too long")
    return field.encoded
