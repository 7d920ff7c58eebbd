"""The extensions of a certificate, from its profile (RFC 5280 4.2). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import AuthorityInformationAccessOID

from signing_service.pki import der
from signing_service.pki.profiles import Profile

_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the issuer's CRL, OCSP responder and certificate are served; an empty one is left out."""

    crl: str = ""
    ocsp: str = ""
    ca: str = ""


def extensions(
    profile: Profile,
    public_key: CertificatePublicKeyTypes,
    issuer: x509.Certificate | None,
    urls: Urls,
    alternative_names: Sequence[x509.GeneralName] = (),
) -> bytes:
    """The [3] field of a TBSCertificate, DER."""
    wanted: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(profile.is_ca, profile.path_length), True),
        (x509.KeyUsage(**{name: name in profile.key_usage for name in _USAGES}), True),
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
    ]
    if issuer is not None:
        wanted.append((_authority_key(issuer), False))
        wanted += _pointers(profile, urls)
    if profile.extended_key_usage:
        usages = x509.ExtendedKeyUsage([x509.ObjectIdentifier(usage) for usage in profile.extended_key_usage])
        wanted.append((usages, profile.extended_key_usage_critical))
    if profile.policy:
        policy = x509.PolicyInformation(x509.ObjectIdentifier(profile.policy), None)
        wanted.append((x509.CertificatePolicies([policy]), False))
    if alternative_names:
        wanted.append((x509.SubjectAlternativeName(alternative_names), False))
    if profile.name.endswith("ocsp"):
        wanted.append((x509.OCSPNoCheck(), False))
    return der.context(3, der.sequence(*(_encode(value, critical) for value, critical in wanted)))


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _pointers(profile: Profile, urls: Urls) -> list[tuple[x509.ExtensionType, bool]]:
    """Where to ask about this certificate; one that cannot be revoked (id-pkix-ocsp-nocheck) names its issuer alone."""
    methods = AuthorityInformationAccessOID
    access = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in ((methods.OCSP, urls.ocsp if profile.revocable else ""), (methods.CA_ISSUERS, urls.ca))
        if url
    ]
    found: list[tuple[x509.ExtensionType, bool]] = []
    if access:
        found.append((x509.AuthorityInformationAccess(access), False))
    if urls.crl and profile.revocable:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(urls.crl)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return found


def _encode(value: x509.ExtensionType, critical: bool) -> bytes:
    flag = der.boolean(True) if critical else b""
    return der.sequence(der.oid(value.oid.dotted_string), flag, der.octet_string(value.public_bytes()))
