"""The seal as GB/T 38540 data: what a seal is, who made it, which certificates it binds. Reads v1, v4, v5; writes v4.

A generation is told by the number of elements and the header's version. SM2-signed seals are read and their algorithm
is named; this machine cannot check it. The maker's trust is for the verification engine to judge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from asn1crypto import core
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from hardware.ports import Mechanism
from signing_service.seals import ses_asn1
from signing_service.seals.errors import SealError, Text
from signing_service.seals.holder_signature import verify_signature

LARGEST = 8 * 1024 * 1024
VENDOR = "ZHENGYIN"
SM2_WITH_SM3 = "1.2.156.10197.1.501"
ALGORITHMS = {
    SM2_WITH_SM3: "SM2-SM3",
    "1.2.840.113549.1.1.11": "RSA-SHA256",
    "1.2.840.10045.4.3.2": "ECDSA-SHA256",
    "1.3.101.112": "Ed25519",
}
MECHANISMS = {
    "1.2.840.113549.1.1.11": Mechanism.RSA_PKCS1_SHA256,
    "1.2.840.10045.4.3.2": Mechanism.ECDSA_SHA256,
    "1.3.101.112": Mechanism.ED25519,
}


class SealUnreadable(SealError):
    code = "seal_unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("不是可识别的电子印章数据。", "This is no electronic seal that can be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "请核对文件;支持 GM/T 0031 和 GB/T 38540。", "Check the file; GM/T 0031 and GB/T 38540 are read."
            ),
        )


class SealMakerAlgorithmUnsupported(SealError):
    code = "seal_maker_algorithm_unsupported"

    def __init__(self, algorithm: str) -> None:
        super().__init__(
            Text(
                f"制章签名算法 {algorithm} 在本机无法验证。",
                f"The maker's algorithm {algorithm} cannot be checked here.",
            ),
            advice=Text("请用支持国密算法的验章工具核验。", "Check the seal with a tool that has the SM algorithms."),
        )


class SealMakerSignatureBroken(SealError):
    code = "seal_maker_signature_broken"

    def __init__(self) -> None:
        super().__init__(
            Text("制章签名不成立,印章数据被改动。", "The maker's signature does not hold; the seal has been altered."),
            advice=Text("请勿使用该印章,并报告印章管理员。", "Do not use this seal; tell the seal administrator."),
        )


@dataclass(frozen=True, slots=True)
class SealData:
    """A seal of any generation. Sizes are whole millimetres, times aware; `certificates` are DER, or empty where the
    seal lists `digests` (algorithm name, value) instead. `encoded` is all of it, `to_be_signed` what the maker signed.
    """

    version: int
    vendor: str
    es_id: str
    kind: int
    name: str
    certificates: tuple[bytes, ...]
    digests: tuple[tuple[str, bytes], ...]
    created: datetime
    valid_from: datetime
    valid_until: datetime
    picture_type: str
    picture: bytes
    width_mm: int
    height_mm: int
    extensions: tuple[tuple[str, bool, bytes], ...]
    maker: bytes
    algorithm_oid: str
    signature: bytes
    to_be_signed: bytes
    encoded: bytes
    timestamp: bytes = b""

    @property
    def algorithm(self) -> str:
        """The maker's algorithm by name, else its OID."""
        return ALGORITHMS.get(self.algorithm_oid, self.algorithm_oid)

    def binds(self, certificate: bytes) -> bool:
        """Whether the DER certificate is one of the seal's, by itself or by digest."""
        if certificate in self.certificates:
            return True
        return any(value == _digest(name, certificate) for name, value in self.digests)

    def check_maker_signature(self) -> None:
        """Raises SealMakerAlgorithmUnsupported, SealMakerSignatureBroken. Whether to trust the maker is not said."""
        if self.algorithm_oid not in MECHANISMS:
            raise SealMakerAlgorithmUnsupported(self.algorithm)
        try:
            maker = x509.load_der_x509_certificate(self.maker)
            verify_signature(maker, self.signature, self.to_be_signed, MECHANISMS[self.algorithm_oid])
        except (InvalidSignature, ValueError) as failure:
            raise SealMakerSignatureBroken from failure


@dataclass(frozen=True, slots=True)
class SealContent:
    """What a new seal is to say; `picture` is a PNG, SVG or OFD, as `picture_type` says, at whole millimetres."""

    es_id: str
    kind: int
    name: str
    certificates: tuple[bytes, ...]
    created: datetime
    valid_from: datetime
    valid_until: datetime
    picture: bytes
    width_mm: int
    height_mm: int
    picture_type: str = "PNG"
    extensions: tuple[tuple[str, bool, bytes], ...] = ()


def seal_info(content: SealContent) -> bytes:
    """DER SES_SealInfo of a v4 seal: what the maker signs."""
    info: dict[str, Any] = {
        "header": {"id": "ES", "version": 4, "vid": VENDOR},
        "es_id": content.es_id,
        "property": {
            "type": content.kind,
            "name": content.name,
            "cert_list_type": 1,
            "cert_list": ses_asn1.CertificateList(list(content.certificates)),
            "create_date": _seconds(content.created),
            "valid_start": _seconds(content.valid_from),
            "valid_end": _seconds(content.valid_until),
        },
        "picture": {
            "type": content.picture_type, "data": content.picture,
            "width": content.width_mm, "height": content.height_mm,
        },
    }  # fmt: skip
    if content.extensions:
        info["ext_datas"] = [
            {"extn_id": oid, "critical": critical, "extn_value": value} for oid, critical, value in content.extensions
        ]
    return bytes(ses_asn1.SesSealInfo(info).dump())


def make_seal(
    content: SealContent, *, maker: bytes, algorithm_oid: str, sign: Callable[[bytes, Mechanism], bytes]
) -> bytes:
    """A DER SESeal v4. `maker` is the making unit's DER certificate, `sign` its key; the result is read and checked."""
    if algorithm_oid not in MECHANISMS:
        raise SealMakerAlgorithmUnsupported(ALGORITHMS.get(algorithm_oid, algorithm_oid))
    info = seal_info(content)
    seal = ses_asn1.SesSeal(
        {
            "es_seal_info": ses_asn1.SesSealInfo.load(info),
            "cert": maker,
            "sign_alg_id": algorithm_oid,
            "signed_value": core.BitString(_bits(sign(info, MECHANISMS[algorithm_oid]))),
        }
    ).dump()
    read_seal(seal).check_maker_signature()
    return bytes(seal)


def read_seal_info(info: bytes) -> Any:
    """Parse a DER SES_SealInfo of v4, nothing left over and nothing written otherwise. Raises SealUnreadable."""
    try:
        return exact(ses_asn1.SesSealInfo, info)
    except (ValueError, TypeError, KeyError) as failure:
        raise SealUnreadable(str(failure)) from failure


def read_seal(encoded: bytes) -> SealData:
    """A seal of any of the three generations. Raises SealUnreadable."""
    if len(encoded) > LARGEST:
        raise SealUnreadable(f"over {LARGEST} bytes")
    try:
        outer = core.Sequence.load(encoded, strict=True)
        return _read_v1(encoded) if len(outer) == 2 else _read_later(encoded)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as failure:
        raise SealUnreadable(f"{type(failure).__name__}: {str(failure).splitlines()[0]}") from failure


def _read_v1(encoded: bytes) -> SealData:
    seal = exact(ses_asn1.SesSealV1, encoded)
    info, sign = seal["es_seal_info"], seal["sign_info"]
    if info["header"]["version"].native not in (1, 2, 3):
        raise ValueError("the version does not fit the structure")
    signed = ses_asn1.SesSigned({"es_seal_info": info, "cert": sign["cert"], "sign_alg_id": sign["sign_alg_id"]})
    listed = (item.parse() for item in info["property"]["cert_list"])
    certificates = tuple(item.native for item in listed if isinstance(item, core.OctetString))
    return replace(
        _common(info, certificates, ()),
        maker=sign["cert"].native,
        algorithm_oid=sign["sign_alg_id"].dotted,
        signature=octets(sign["sign_data"]),
        to_be_signed=signed.dump(),
        encoded=encoded,
    )


def _read_later(encoded: bytes) -> SealData:
    try:
        seal = exact(ses_asn1.SesSeal, encoded)
    except ValueError:
        seal = exact(ses_asn1.SesSealTagged, encoded)
    info, stamp = seal["es_seal_info"], seal["time_stamp"]
    version = info["header"]["version"].native
    if version not in (4, 5) or (version == 4 and stamp.native is not None):
        raise ValueError("the version does not fit the structure")
    items = info["property"]["cert_list"]
    listed = info["property"]["cert_list_type"].native == 1
    certificates = tuple(item.native for item in items) if listed else ()
    digests = () if listed else tuple((item["type"].native, item["value"].native) for item in items)
    return replace(
        _common(info, certificates, digests),
        maker=seal["cert"].native,
        algorithm_oid=seal["sign_alg_id"].dotted,
        signature=octets(seal["signed_value"]),
        to_be_signed=info.dump(),
        encoded=encoded,
        timestamp=b"" if stamp.native is None else octets(stamp),
    )


def _common(info: Any, certificates: tuple[bytes, ...], digests: tuple[tuple[str, bytes], ...]) -> SealData:
    """What all generations have; the rest is filled in by the caller."""
    header, about, picture = info["header"], info["property"], info["picture"]
    if header["id"].native != "ES":
        raise ValueError("the header is not ES")
    extensions = info["ext_datas"] if info["ext_datas"].native is not None else ()
    return SealData(
        version=header["version"].native,
        vendor=header["vid"].native,
        es_id=info["es_id"].native,
        kind=about["type"].native,
        name=about["name"].native,
        certificates=certificates,
        digests=digests,
        created=about["create_date"].native,
        valid_from=about["valid_start"].native,
        valid_until=about["valid_end"].native,
        picture_type=picture["type"].native,
        picture=picture["data"].native,
        width_mm=picture["width"].native,
        height_mm=picture["height"].native,
        extensions=tuple(
            (item["extn_id"].dotted, bool(item["critical"].native), item["extn_value"].native) for item in extensions
        ),
        maker=b"", algorithm_oid="", signature=b"", to_be_signed=b"", encoded=b"",
    )  # fmt: skip


def exact(kind: Any, content: bytes) -> Any:
    value = kind.load(content, strict=True)
    value.native  # noqa: B018 - asn1crypto parses lazily; this reads all of it
    if value.dump(force=True) != content:
        raise ValueError("it is not DER")
    return value


def _digest(name: str, content: bytes) -> bytes | None:
    known = {"SHA256": "sha256", "SHA-256": "sha256", "SM3": "sm3", "SHA512": "sha512", "SHA-512": "sha512"}
    try:
        return hashlib.new(known[name.upper()], content).digest()
    except (KeyError, ValueError):
        return None


def _seconds(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)


def _bits(octets: bytes) -> tuple[int, ...]:
    return tuple(int(bit) for octet in octets for bit in f"{octet:08b}")


def octets(bits: Any) -> bytes:
    """A BIT STRING that holds whole octets."""
    content = bytes(bits.contents)
    if not content or content[0] != 0:
        raise ValueError("a signature has whole octets")
    return content[1:]
