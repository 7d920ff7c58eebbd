"""The signature container: CMS SignedData (RFC 5652) with the attributes that PAdES and RFC 3161 need, read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from asn1crypto import cms, core, tsp

from signing_service.verification.algorithms import Algorithm, digest_name, signature_algorithm
from signing_service.verification.errors import UnreadableCms, UnsupportedAlgorithm, VerificationError

_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
_ESS_V1, _ESS_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
_TIMESTAMP = "1.2.840.113549.1.9.16.2.14"
_ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"
_ADOBE_REVOCATION = "1.2.840.113583.1.1.8"
_REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.24"
TST_INFO = "1.2.840.113549.1.9.16.1.4"


@dataclass(frozen=True, slots=True)
class EssCertId:
    """A hash of the signing certificate that the signature itself protects (RFC 5035)."""

    digest: str
    value: bytes


@dataclass(slots=True)
class Container:
    """One SignerInfo and what comes with it. DER bytes throughout; `signed` is what the signature value covers."""

    certificates: list[bytes]
    issuer: bytes | None
    serial: int | None
    key_identifier: bytes | None
    digest: str
    algorithm: Algorithm
    signature: bytes
    signed: bytes | None
    message_digest: bytes | None
    content_type: str
    stated_content_type: str | None
    content: bytes | None
    ess: list[EssCertId] = field(default_factory=list)
    claimed: datetime | None = None
    tokens: list[bytes] = field(default_factory=list)
    crls: list[bytes] = field(default_factory=list)
    ocsp_responses: list[bytes] = field(default_factory=list)
    duplicates: bool = False
    protection_mismatch: bool = False


@dataclass(frozen=True, slots=True)
class TimestampInfo:
    """What a timestamp token states (RFC 3161, 2.4.2)."""

    digest: str
    imprint: bytes
    time: datetime
    policy: str


def read_container(data: bytes) -> Container:
    """Parse /Contents (padding zeros behind it are ignored). Raises UnreadableCms or UnsupportedAlgorithm."""
    try:
        return _read(data)
    except VerificationError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise UnreadableCms(f"not a CMS signature: {str(error)[:120]}") from error


def _read(data: bytes) -> Container:
    info = cms.ContentInfo.load(data)
    kind = info["content_type"].dotted
    if kind.startswith("1.2.156.10197.6.1.4.2"):
        raise UnsupportedAlgorithm("SM2 (GB/T 35275)")
    if kind != "1.2.840.113549.1.7.2":
        raise UnreadableCms(f"content type {kind} instead of signed data")
    signed = info["content"]
    if len(signed["signer_infos"]) != 1:
        raise UnreadableCms(f"{len(signed['signer_infos'])} signers instead of one")
    signer = signed["signer_infos"][0]
    _refuse_padded_integers(signed, signer)
    container = _core(signed, signer)
    _read_signed_attributes(signer, container)
    _read_unsigned_attributes(signer, container)
    for entry in signed["crls"] if isinstance(signed["crls"], cms.RevocationInfoChoices) else []:
        if entry.name == "":
            container.crls.append(entry.chosen.dump())
    return container


def _refuse_padded_integers(signed: Any, signer: Any) -> None:
    """Superfluous leading bytes in an INTEGER are no encoding at all (X.690, 8.3.2); lenient readers disagree on
    them."""
    versions = [signed["version"].contents, signer["version"].contents]
    if signer["sid"].name == "issuer_and_serial_number":
        versions.append(signer["sid"].chosen["serial_number"].contents)
    for raw in versions:
        if len(raw) > 1 and ((raw[0] == 0 and raw[1] < 128) or (raw[0] == 255 and raw[1] > 127)):
            raise UnreadableCms("an integer with superfluous leading bytes")


def _core(signed: Any, signer: Any) -> Container:
    by_key = signer["sid"].name != "issuer_and_serial_number"
    sid = signer["sid"].chosen
    stated = signer["signature_algorithm"]
    content = signed["encap_content_info"]["content"]
    attributes = signer["signed_attrs"]
    return Container(
        certificates=[entry.chosen.dump() for entry in signed["certificates"] if entry.name == "certificate"]
        if isinstance(signed["certificates"], cms.CertificateSet)
        else [],
        issuer=None if by_key else sid["issuer"].dump(),
        serial=None if by_key else sid["serial_number"].native,
        key_identifier=sid.native if by_key else None,
        digest=digest_name(signer["digest_algorithm"]["algorithm"].dotted),
        algorithm=signature_algorithm(stated["algorithm"].dotted, stated["parameters"]),
        signature=signer["signature"].native,
        signed=_set_of(attributes) if isinstance(attributes, cms.CMSAttributes) and len(attributes) else None,
        message_digest=None,
        content_type=signed["encap_content_info"]["content_type"].dotted,
        stated_content_type=None,
        content=_octets(content),
    )


def _set_of(attributes: Any) -> bytes:
    """The signed attributes as SET OF (RFC 5652, 5.4): the implicit tag replaced, the bytes kept."""
    plain: bytes = attributes.untag().dump()
    return plain


def _octets(content: Any) -> bytes | None:
    if isinstance(content, core.Void) or content is None or content.contents is None:
        return None
    return bytes(content)


def _read_signed_attributes(signer: Any, container: Container) -> None:
    if container.signed is None:
        return
    seen: set[str] = set()
    for attribute in signer["signed_attrs"]:
        kind, values = attribute["type"].dotted, attribute["values"]
        container.duplicates = container.duplicates or kind in seen
        seen.add(kind)
        if len(values) == 0:
            continue
        if kind == _MESSAGE_DIGEST:
            container.message_digest = values[0].native
            container.duplicates = container.duplicates or len(values) > 1
        elif kind == _CONTENT_TYPE:
            container.stated_content_type = values[0].dotted
        elif kind == _SIGNING_TIME:
            container.claimed = values[0].native
        elif kind == _ESS_V1:
            container.ess.append(EssCertId("sha1", values[0]["certs"][0]["cert_hash"].native))
        elif kind == _ESS_V2:
            first = values[0]["certs"][0]
            container.ess.append(
                EssCertId(digest_name(first["hash_algorithm"]["algorithm"].dotted), first["cert_hash"].native)
            )
        elif kind == _ADOBE_REVOCATION:
            _read_revocation(values[0], container, adobe=True)
        elif kind == _ALGORITHM_PROTECTION:
            stated = values[0]["digest_algorithm"]["algorithm"].dotted
            container.protection_mismatch = stated != signer["digest_algorithm"]["algorithm"].dotted


def _read_unsigned_attributes(signer: Any, container: Container) -> None:
    attributes = signer["unsigned_attrs"]
    if not isinstance(attributes, cms.CMSAttributes):
        return
    for attribute in attributes:
        kind, values = attribute["type"].dotted, attribute["values"]
        if kind == _TIMESTAMP:
            container.tokens += [value.dump() for value in values]
        elif kind == _REVOCATION_VALUES and len(values):
            _read_revocation(values[0], container, adobe=False)


class _Archive(core.Sequence):  # type: ignore[misc]
    """RevocationInfoArchival (ISO 32000-2, 12.8.3.3.2) and CAdES revocation-values: CRLs [0], OCSP responses [1]."""

    _fields: ClassVar = [
        ("crls", core.SequenceOf, {"explicit": 0, "optional": True, "spec": core.Any}),
        ("responses", core.SequenceOf, {"explicit": 1, "optional": True, "spec": core.Any}),
        ("others", core.Any, {"explicit": 2, "optional": True}),
    ]


def _read_revocation(value: Any, container: Container, *, adobe: bool) -> None:
    """Adobe's archival attribute (full OCSP responses) or CAdES revocation-values (basic responses)."""
    archive = _Archive.load(value.dump())
    for kind in ("crls", "responses"):
        part = archive[kind]
        if isinstance(part, core.Void):
            continue
        raw = [item.dump() for item in part]
        if kind == "crls":
            container.crls += raw
        else:
            container.ocsp_responses += raw if adobe else [wrap_basic_ocsp(item) for item in raw]


def wrap_basic_ocsp(basic: bytes) -> bytes:
    """An OCSPResponse around a BasicOCSPResponse (RFC 6960, 4.2.1)."""
    from asn1crypto import ocsp

    return bytes(
        ocsp.OCSPResponse(
            {
                "response_status": "successful",
                "response_bytes": {
                    "response_type": "basic_ocsp_response",
                    "response": ocsp.BasicOCSPResponse.load(basic),
                },
            }
        ).dump()
    )


def read_timestamp(container: Container) -> TimestampInfo:
    """The TSTInfo inside a token. Raises UnreadableCms or UnsupportedAlgorithm."""
    if container.content_type != TST_INFO or container.content is None:
        raise UnreadableCms("a timestamp token without TSTInfo")
    try:
        info = tsp.TSTInfo.load(container.content)
        imprint = info["message_imprint"]
        return TimestampInfo(
            digest_name(imprint["hash_algorithm"]["algorithm"].dotted),
            imprint["hashed_message"].native,
            info["gen_time"].native,
            info["policy"].dotted,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableCms("an unreadable TSTInfo") from error
