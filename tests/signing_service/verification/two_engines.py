"""Both engines over vectors of others: our path validation, and pyhanko-certvalidator as it comes."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.policy_decl import DisallowWeakAlgorithmsPolicy, PKIXValidationParams
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response

from signing_service.verification.algorithms import believed_until, public_key
from signing_service.verification.certificate_form import usage_fault
from signing_service.verification.certificates import load
from signing_service.verification.chain import Chain, TrustStore, outside_validity
from signing_service.verification.errors import UnsupportedAlgorithm
from signing_service.verification.path_parameters import PathParameters
from signing_service.verification.policy import Policy, Purpose
from signing_service.verification.revocation import RevocationData
from signing_service.verification.trust import _weak

ANY_USAGE = "2.5.29.37.0"


@dataclass(frozen=True)
class PathCase:
    """One vector. All certificates, lists and responses are DER. `revocation`: every certificate's state must be known.
    `strength_at`: when algorithms must still have been believed. `usages`: extended key usages, one of which the
    certificate must allow; none given means that its use is not asked about."""

    name: str
    valid: bool
    leaf: bytes
    anchors: Sequence[bytes]
    others: Sequence[bytes]
    at: datetime
    crls: Sequence[bytes] = ()
    responses: Sequence[bytes] = ()
    revocation: bool = False
    parameters: PathParameters = field(default_factory=PathParameters)
    usages: frozenset[str] = frozenset()
    strength_at: datetime | None = None
    freshness: timedelta = timedelta(hours=1)


def ours(case: PathCase) -> str:
    """good, unknown (revocation not known), or a word for the problem."""
    certificate = load(case.leaf)
    if certificate is None:
        return "unreadable"
    paths = {Purpose.OUTSIDE: case.parameters}
    store = TrustStore(Policy({Purpose.OUTSIDE: list(case.anchors)}, case.at, paths=paths), case.others)
    chain = store.find_chain(certificate, (Purpose.OUTSIDE,), case.at)
    if not isinstance(chain, Chain):
        return chain.kind
    if outside_validity(chain, case.at):
        return "validity"
    if case.usages and usage_fault(certificate, case.usages):
        return "usage"
    if _too_weak(chain, case.strength_at or case.at):
        return "weak"
    data = RevocationData(case.crls, case.responses, store)
    states = (
        {data.standing(*pair, case.at, case.at, case.freshness).state for pair in chain.pairs()}
        if case.revocation
        else set()
    )
    return next((state for state in ("revoked", "held", "unknown") if state in states), "good")


def _too_weak(chain: Chain, at: datetime) -> bool:
    """An algorithm of the path, or the certificate's own key, that was no longer believed."""
    try:
        weak = believed_until("sha256", public_key(chain.path[0].x509))
    except UnsupportedAlgorithm:
        return True
    return _weak(chain, at) is not None or (weak is not None and at > weak[1])


def the_librarys(case: PathCase) -> str:
    """good, or the name of the error that certvalidator raises."""
    try:
        asyncio.run(_validate(case))
    except Exception as error:  # whatever it raises is its answer
        return type(error).__name__
    return "good"


def the_librarys_states(case: PathCase, count: int) -> list[str]:
    """What certvalidator's checks of responses, or else lists, say of the first `count` certificates, the leaf first:
    good, or an error's name."""
    return asyncio.run(_states(case, count))


async def _states(case: PathCase, count: int) -> list[str]:
    plain = replace(case, revocation=False, crls=(), responses=())
    validator = CertificateValidator(asn1_x509.Certificate.load(case.leaf), validation_context=_context(plain))
    path = await validator.async_validate_path()
    found = []
    for certificate in list(path.iter_certs(include_root=False))[::-1][:count]:
        check = verify_ocsp_response if case.responses else verify_crl
        try:
            await check(certificate, path, _context(case))
        except Exception as error:  # whatever it raises is its answer
            found.append(type(error).__name__)
        else:
            found.append("good")
    return found


async def _validate(case: PathCase) -> None:
    given = case.parameters
    parameters = PKIXValidationParams(
        user_initial_policy_set=frozenset({"any_policy"})
        if given.initial_policies == PathParameters().initial_policies
        else given.initial_policies,
        initial_policy_mapping_inhibit=given.inhibit_mapping,
        initial_explicit_policy=given.explicit_policy,
        initial_any_policy_inhibit=given.inhibit_any_policy,
    )
    await CertificateValidator(
        asn1_x509.Certificate.load(case.leaf), validation_context=_context(case), pkix_params=parameters
    ).async_validate_path()


def _context(case: PathCase) -> ValidationContext:
    algorithms: Any = DisallowWeakAlgorithmsPolicy
    return ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(der) for der in case.anchors],
        other_certs=[asn1_x509.Certificate.load(der) for der in case.others],
        crls=[asn1_crl.CertificateList.load(der) for der in case.crls],
        ocsps=[asn1_ocsp.OCSPResponse.load(der) for der in case.responses],
        moment=case.at,
        allow_fetching=False,
        revocation_mode="require" if case.revocation else "soft-fail",
        algorithm_usage_policy=algorithms(weak_hash_algos=frozenset({"md2", "md5"}), dsa_key_size_threshold=1024),
    )


def der_of(pem: str | bytes) -> bytes:
    """The bytes between the lines, whether a careful reader likes them or not."""
    text = pem.decode() if isinstance(pem, bytes) else pem
    return base64.b64decode("".join(text.strip().splitlines()[1:-1]))


def read_certificate(path: Path) -> bytes:
    raw = path.read_bytes()
    return x509.load_pem_x509_certificate(raw).public_bytes(Encoding.DER) if raw.startswith(b"-----") else raw


PKITS_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_STRENGTH_ASIDE = timedelta(days=365 * 30)  # PKITS signs with DSA and SHA-1, as was good in 2011


def pkits(corpora: Path) -> list[PathCase]:
    folder = corpora / "pki/pkits"
    return [_pkits_case(folder, case) for case in json.loads((folder / "pkits-cases.json").read_text())]


def _pkits_case(folder: Path, case: dict[str, Any]) -> PathCase:
    def read(kind: str, name: str) -> bytes:
        raw = (folder / kind / name).read_bytes()
        return der_of(raw) if raw.startswith(b"-----") else raw

    lists = [*case.get("crls", []), "TrustAnchorRootCRL.crl"]
    return PathCase(
        case["name"],
        "error" not in case,
        read("certs", case["cert"]),
        [read("certs", "TrustAnchorRootCertificate.crt")],
        [read("certs", name) for name in case.get("other_certs", [])],
        PKITS_TIME,
        [read("crls", name) for name in lists if (folder / "crls" / name).exists()],
        revocation=bool(case.get("crls")) and case.get("revocation", True),
        parameters=_pkits_parameters(case.get("params") or {}),
        strength_at=PKITS_TIME - _STRENGTH_ASIDE,
    )


def _pkits_parameters(given: dict[str, Any]) -> PathParameters:
    policies = given.get("user_initial_policy_set")
    return PathParameters(
        frozenset(policies) if policies else PathParameters().initial_policies,
        given.get("initial_explicit_policy", False),
        given.get("initial_policy_mapping_inhibit", False),
        given.get("initial_any_policy_inhibit", False),
    )


_LIMBO_TIME = datetime(2024, 11, 1, tzinfo=UTC)  # where a case leaves the time open
_USAGES = {"serverAuth": "1.3.6.1.5.5.7.3.1", "clientAuth": "1.3.6.1.5.5.7.3.2"}


def limbo(corpora: Path) -> list[PathCase]:
    loaded = json.loads((corpora / "pki/x509-limbo/limbo-subset.json").read_text())
    return [_limbo_case(case) for case in (loaded["testcases"] if isinstance(loaded, dict) else loaded)]


def _limbo_case(case: dict[str, Any]) -> PathCase:
    at = datetime.fromisoformat(case["validation_time"]) if case.get("validation_time") else _LIMBO_TIME
    depth = case.get("max_chain_depth")
    crls = [der_of(text) for text in case.get("crls") or []]
    usage = "clientAuth" if case["validation_kind"] == "CLIENT" else "serverAuth"
    return PathCase(
        case["id"],
        case["expected_result"] == "SUCCESS",
        der_of(case["peer_certificate"]),
        [der_of(text) for text in case["trusted_certs"]],
        [der_of(text) for text in case["untrusted_intermediates"]],
        at,
        crls,
        revocation=bool(crls),
        parameters=PathParameters() if depth is None else PathParameters(longest=depth),
        usages=frozenset({_USAGES[usage]}),
    )
