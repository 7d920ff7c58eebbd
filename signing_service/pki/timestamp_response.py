"""Reading a timestamp response (RFC 3161 2.4.2) and checking it against what was asked (2.2). Pure.

Whether the authority is trusted, and was not revoked, is judged by the verification engine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from signing_service.errors import Text
from signing_service.pki import der
from signing_service.pki.errors import MalformedDer, PkiError

_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


class TimestampRefused(PkiError):
    """The TSA answered that it gives no timestamp."""

    code = "timestamp_refused"

    def __init__(self, url: str, status: str, failure: str, text: str) -> None:
        said = " ".join(part for part in (status, failure, text) if part)
        super().__init__(
            Text(f"时间戳服务 {url} 拒绝了请求。", f"The timestamp server {url} refused the request."),
            why=Text(f"答复:{said}。", f"It answered: {said}."),
            advice=Text(
                "请核对该服务支持的策略和算法,或改用其他时间戳服务。",
                "Check which policy and algorithms it accepts, or use another timestamp server.",
            ),
        )


class TimestampWrong(PkiError):
    """The answer is not a token for what was asked; it must not be used."""

    code = "timestamp_wrong"

    def __init__(self, url: str, zh: str, en: str) -> None:
        super().__init__(
            Text(f"时间戳服务 {url} 的答复不可用。", f"The answer of the timestamp server {url} cannot be used."),
            why=Text(zh, en),
            advice=Text("请检查网络代理,或改用其他时间戳服务。", "Check for a proxy, or use another timestamp server."),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request said; `nonce` as a number."""

    url: str
    digest: bytes
    nonce: int


def checked_token(body: bytes, asked: Asked) -> bytes:
    """The TimeStampToken (DER) in a response. Raises TimestampRefused or TimestampWrong.

    1. status granted; 2. message imprint and 3. nonce as asked; 4. message digest, signing certificate attribute and
    signature hold for the signer's certificate in the token.
    """
    try:
        status, *rest = der.read(body, der.SEQUENCE).children()
        _check_status(tsp.PKIStatusInfo.load(status.encoded, strict=True), asked)
        token = rest[0].encoded
        signed: cms.SignedData = cms.ContentInfo.load(token, strict=True)["content"]
        info: tsp.TSTInfo = signed["encap_content_info"]["content"].parsed
        _check_info(info, asked)
        _check_signature(signed, asked)
        return token
    except (MalformedDer, ValueError, TypeError, KeyError, AttributeError, IndexError) as failure:
        raise TimestampWrong(asked.url, "答复不是时间戳。", f"It is not a timestamp response ({failure}).") from failure


def _check_status(status: tsp.PKIStatusInfo, asked: Asked) -> None:
    """Read apart from the token: asn1crypto's TimeStampResp takes a refusal, which has none, for damaged."""
    if status["status"].native in ("granted", "granted_with_mods"):
        return
    failure = status["fail_info"].native if status["fail_info"] else None
    text = "; ".join(status["status_string"].native or ())[:200] if status["status_string"] else ""
    raise TimestampRefused(asked.url, str(status["status"].native), ", ".join(sorted(failure or ())), text)


def _check_info(info: tsp.TSTInfo, asked: Asked) -> None:
    imprint = info["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    if (algorithm, imprint["hashed_message"].native) != ("sha256", asked.digest):
        raise TimestampWrong(asked.url, "时间戳针对另一份数据。", "It stamps other data than was sent.")
    if info["nonce"].native != asked.nonce:
        raise TimestampWrong(asked.url, "随机数不符,可能是旧答复。", "Its nonce is wrong: perhaps an old answer.")


def _check_signature(signed: cms.SignedData, asked: Asked) -> None:
    signer: cms.SignerInfo = signed["signer_infos"][0]
    attributes = {attribute["type"].native: attribute["values"][0] for attribute in signer["signed_attrs"]}
    digest_name = signer["digest_algorithm"]["algorithm"].native
    content = signed["encap_content_info"]["content"].contents
    certificate = _signer_certificate(signed, signer)
    if certificate is None:
        raise TimestampWrong(asked.url, "缺少签名证书。", "The signer's certificate is missing.")
    holds = attributes["message_digest"].native == hashlib.new(digest_name, content).digest()
    holds = holds and _names_certificate(attributes, certificate)
    if not holds or not _signature_holds(signer, certificate, digest_name):
        raise TimestampWrong(asked.url, "签名不符。", "Its signature does not hold.")


def certificates_of_token(token: bytes, url: str) -> list[bytes]:
    """The certificates (DER) in a TimeStampToken that was checked, the signer's first. Raises TimestampWrong."""
    signed: cms.SignedData = cms.ContentInfo.load(token)["content"]
    signer = _signer_certificate(signed, signed["signer_infos"][0])
    if signer is None:
        raise TimestampWrong(url, "缺少签名证书。", "The signer's certificate is missing.")
    all_of_them = [bytes(choice.chosen.dump()) for choice in signed["certificates"] if choice.name == "certificate"]
    return [signer, *(each for each in all_of_them if each != signer)]


def _signer_certificate(signed: cms.SignedData, signer: cms.SignerInfo) -> bytes | None:
    sid = signer["sid"]
    for choice in signed["certificates"]:
        certificate = choice.chosen
        if not isinstance(certificate, asn1_x509.Certificate):
            continue
        if sid.name == "issuer_and_serial_number":
            wanted = (sid.chosen["issuer"], sid.chosen["serial_number"].native)
            if (certificate.issuer, certificate.serial_number) == wanted:
                return bytes(certificate.dump())
        elif certificate.key_identifier == sid.chosen.native:
            return bytes(certificate.dump())
    return None


def _names_certificate(attributes: dict[str, object], certificate: bytes) -> bool:
    """ESSCertIDv2 (RFC 5816), or ESSCertID with SHA-1 as older authorities send it (RFC 3161)."""
    for name, default in (("signing_certificate_v2", "sha256"), ("signing_certificate", "sha1")):
        if name in attributes:
            first = attributes[name]["certs"][0]  # type: ignore[index]
            algorithm = first["hash_algorithm"]["algorithm"].native if default == "sha256" else default
            made = hashlib.new(algorithm, certificate, usedforsecurity=False).digest()
            return bool(first["cert_hash"].native == made)
    return False


def _signature_holds(signer: cms.SignerInfo, certificate: bytes, digest_name: str) -> bool:
    signature = signer["signature"].native
    data = b"\x31" + signer["signed_attrs"].dump()[1:]
    algorithm = signer["signature_algorithm"]
    try:
        digest = _HASHES[algorithm.hash_algo if algorithm["algorithm"].native != "rsassa_pkcs1v15" else digest_name]
        key = x509.load_der_x509_certificate(certificate).public_key()
        if isinstance(key, rsa.RSAPublicKey) and algorithm.signature_algo == "rsassa_pss":
            key.verify(signature, data, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(digest))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
