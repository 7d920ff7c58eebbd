"""What each service key signs: one kind of structure a key, checked here before the token is asked.

A key that signed whatever it was given could be made to sign a seal, a certificate or a log-in. The kinds cannot be
taken for one another, nor for the signed attributes of a document (whose content-type is `data`).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import cbor2
from asn1crypto import cms, ocsp, x509
from asn1crypto import tsp as _tsp  # noqa: F401 - its import teaches asn1crypto the attributes of a timestamp

from signing_service.custody.errors import StructureRefused
from signing_service.custody.policy import ServiceEntry
from signing_service.pki.to_be_signed import certificate_list_issuer
from signing_service.seals.structures import SealUnreadable, read_seal_info

TSA, OCSP, ISSUING, EVIDENCE, PAPER_CODE, LOG = "tsa", "ocsp", "issuing", "evidence", "paper_code", "log"
SIMULATION_ISSUING, SIMULATION_OCSP = "simulation_issuing", "simulation_ocsp"
"""The simulation CA and its responder sign the same structures as the formal ones, under certificates of their own."""
SEAL_MAKER = "seal_maker"
DATA = "data"
"""The key that wraps data keys; it unwraps and never signs."""
JWS_ALGORITHMS = {"ES256", "ES384", "RS256", "PS256", "EdDSA", "Ed25519"}
_TIMESTAMP_ATTRIBUTES = {
    "content_type", "message_digest", "signing_certificate", "signing_certificate_v2", "signing_time",
    "cms_algorithm_protection",
}  # fmt: skip


def check_structure(kind: str, content: bytes, entry: ServiceEntry) -> None:
    """Raises StructureRefused unless `content` is what the service `kind` signs."""
    check = _CHECKS.get(kind)
    if check is None:
        raise StructureRefused(kind, "this service signs nothing")
    try:
        check(content, entry)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as failure:
        raise StructureRefused(kind, f"{type(failure).__name__}: {failure}") from failure


def _timestamp(content: bytes, entry: ServiceEntry) -> None:
    """CMS signed attributes over a TSTInfo (RFC 3161 2.4.2), naming the authority's own certificate."""
    attributes = _exact(cms.CMSAttributes, content)
    found = {attribute["type"].native: attribute["values"] for attribute in attributes}
    _require(len(found) == len(attributes) and set(found) <= _TIMESTAMP_ATTRIBUTES, "unknown or doubled attributes")
    _require(all(len(values) == 1 for values in found.values()), "an attribute has one value")
    _require(found["content_type"][0].native == "tst_info", "the content is no TSTInfo")
    _require(len(found["message_digest"][0].native) in (32, 48, 64), "the message digest is missing")
    names = _named_certificates(found)
    _require(names != set() and names <= _hashes(entry.certificate), "another certificate is named")


def _named_certificates(found: Mapping[str, Any]) -> set[bytes]:
    kinds = [found[kind] for kind in ("signing_certificate", "signing_certificate_v2") if kind in found]
    return {values[0]["certs"][0]["cert_hash"].native for values in kinds}


def _hashes(certificate: bytes) -> set[bytes]:
    return {hashlib.new(name, certificate, usedforsecurity=False).digest() for name in ("sha1", "sha256", "sha512")}


def _ocsp(content: bytes, _entry: ServiceEntry) -> None:
    """ResponseData (RFC 6960 4.2.1)."""
    data = _exact(ocsp.ResponseData, content)
    _require(data["responder_id"].native is not None and data["produced_at"].native is not None, "no responder")
    for response in data["responses"]:
        _require(response["cert_id"]["serial_number"].native > 0, "no certificate is named")


def _issuing(content: bytes, entry: ServiceEntry) -> None:
    """TBSCertificate of an end entity, or TBSCertList, in the issuing certificate's name (RFC 5280)."""
    issuer = x509.Certificate.load(entry.certificate).subject.dump()
    named = certificate_list_issuer(content)
    if named is not None:
        _require(named == issuer, "the CRL has another issuer")
        return
    certificate = _exact(x509.TbsCertificate, content)
    _require(certificate["issuer"].dump() == issuer, "the certificate has another issuer")
    constraints = [e for e in certificate["extensions"] if e["extn_id"].native == "basic_constraints"]
    is_authority = any(extension["extn_value"].parsed["ca"].native for extension in constraints)
    _require(not is_authority, "an authority's certificate is made at a ceremony, not here")
    usage = [e["extn_value"].parsed.native for e in certificate["extensions"] if e["extn_id"].native == "key_usage"]
    _require(not usage or not usage[0] & {"key_cert_sign", "crl_sign"}, "this key usage is an authority's")


def _evidence(content: bytes, _entry: ServiceEntry) -> None:
    """JWS signing input: two base64url parts; a JSON header without critical extensions, a JSON object inside."""
    header, payload = (_unpadded(part) for part in content.split(b"."))
    fields, claims = json.loads(header), json.loads(payload)
    _require(isinstance(fields, dict) and isinstance(claims, dict), "header or payload is no object")
    _require(fields.get("alg") in JWS_ALGORITHMS and "crit" not in fields, "the header is not acceptable")


def _unpadded(part: bytes) -> bytes:
    decoded = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    _require(base64.urlsafe_b64encode(decoded).rstrip(b"=") == part, "not base64url")
    return decoded


def _paper_code(content: bytes, _entry: ServiceEntry) -> None:
    """COSE Sig_structure of a COSE_Sign1 (RFC 9052 4.4) around CWT claims."""
    parts = _cbor(content)
    if not isinstance(parts, list) or len(parts) != 4 or parts[0] != "Signature1":
        raise ValueError("no Sig_structure")
    _require(all(isinstance(part, bytes) for part in parts[1:]), "no byte strings")
    _require(isinstance(_cbor(parts[1]), dict), "the protected header is no map")
    _require(isinstance(_cbor(parts[3]), dict), "the claims are no map")


def _cbor(content: bytes) -> object:
    stream = io.BytesIO(content)
    try:
        value: object = cbor2.load(stream)
    except cbor2.CBORError as failure:
        raise ValueError(str(failure)) from failure
    _require(stream.read(1) == b"", "bytes follow")
    return value


def _log(content: bytes, _entry: ServiceEntry) -> None:
    """Body of a C2SP tlog-checkpoint: origin, size, root hash, extension lines; ends with a line end."""
    text = content.decode("utf-8")
    _require(text.endswith("\n") and "\n\n" not in text, "no note body")
    origin, size, root, *_ = text.split("\n")
    _require(bool(origin) and not any(c.isspace() or c == "+" for c in origin), "no origin")
    _require(size.isascii() and size.isdigit() and str(int(size)) == size, "no tree size")
    _require(len(base64.b64decode(root, validate=True)) == 32, "no root hash")


def _seal_info(content: bytes, _entry: ServiceEntry) -> None:
    """SES_SealInfo of a v4 seal (GB/T 38540)."""
    try:
        read_seal_info(content)
    except SealUnreadable as failure:
        raise ValueError(str(failure)) from failure


def _exact(kind: Any, content: bytes) -> Any:
    """Parse as `kind`, nothing left over, and the same bytes when written again."""
    value = kind.load(content, strict=True)
    value.native  # noqa: B018 - asn1crypto parses lazily; this reads all of it
    _require(value.dump(force=True) == content, "it is not DER")
    return value


def _require(holds: bool, why: str) -> None:
    if not holds:
        raise ValueError(why)


_CHECKS: Mapping[str, Callable[[bytes, ServiceEntry], None]] = {
    TSA: _timestamp, OCSP: _ocsp, ISSUING: _issuing, EVIDENCE: _evidence, PAPER_CODE: _paper_code, LOG: _log,
    SIMULATION_ISSUING: _issuing, SIMULATION_OCSP: _ocsp, SEAL_MAKER: _seal_info,
}  # fmt: skip
