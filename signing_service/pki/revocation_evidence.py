"""Revocation evidence for a chain from our own responder and CRLs, without network: the shape that pades asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509

from signing_service.errors import Text
from signing_service.pki import der
from signing_service.pki.certificate_chain import issuer_in
from signing_service.pki.crl_partitions import partition_of
from signing_service.pki.crl_publication import CrlPublisher
from signing_service.pki.current_services import Responds
from signing_service.pki.errors import MalformedDer, PkiError
from signing_service.pki.ocsp import request_for


@dataclass(frozen=True, slots=True)
class Evidence:
    """DER values: certificates of the chain and of the responders, whole OCSPResponses, CRLs."""

    certificates: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()


class NoEvidence(PkiError):
    """Neither OCSP nor CRL can be had for a certificate of the chain."""

    code = "no_revocation_evidence"

    def __init__(self, subject: str) -> None:
        super().__init__(
            Text("缺少证书状态证据。", "There is no revocation evidence."),
            why=Text(f"“{subject}”没有可用的 OCSP 或 CRL。", f'No OCSP answer or CRL is to be had for "{subject}".'),
            advice=Text("请先发布 CRL(zhengyin pki crl),再签名。", "Publish the CRL (zhengyin pki crl), then sign."),
        )


class OwnEvidence:
    """Evidence for certificates of our own CAs; `issuers` maps a CA's certificate (DER) to its name in `publisher`."""

    def __init__(self, responder: Responds, publisher: CrlPublisher, issuers: Mapping[bytes, str]) -> None:
        self._responder, self._publisher, self._issuers = responder, publisher, dict(issuers)

    def evidence(self, chain: Sequence[bytes]) -> Evidence:
        """For each certificate but roots: the OCSP answer, or else the issuer's CRL. Raises NoEvidence."""
        answers: list[bytes] = []
        crls: list[bytes] = []
        for certificate in chain:
            issuer = issuer_in(certificate, [*chain, *self._issuers])
            if issuer is None:
                continue
            answer = self._responder.respond(request_for(certificate, issuer))
            if is_successful(answer):
                answers.append(answer)
            elif (crl := self._crl(certificate, issuer)) is not None:
                crls.append(crl)
            else:
                raise NoEvidence(x509.load_der_x509_certificate(certificate).subject.rfc4514_string())
        return Evidence(tuple(chain), tuple(answers), tuple(dict.fromkeys(crls)))

    def _crl(self, certificate: bytes, issuer: bytes) -> bytes | None:
        """The CRL that tells of a certificate: the partition that it names, which is small, or the whole list."""
        name, partition = self._issuers.get(issuer, ""), partition_of(x509.load_der_x509_certificate(certificate))
        return self._publisher.crl(name, partition)


def is_successful(response: bytes) -> bool:
    """Whether an OCSPResponse (DER) carries an answer."""
    try:
        return der.read(response, der.SEQUENCE).children()[0].content == b"\x00"
    except (MalformedDer, IndexError):
        return False
