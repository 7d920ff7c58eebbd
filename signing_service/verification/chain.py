"""Certificate paths (RFC 5280, 6): from a certificate to an anchor that is trusted for the purpose, at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from signing_service.verification.certificate_form import anchor_fault, form_fault
from signing_service.verification.certificates import Certificate, issued_by, load_all, signed_with_sm2
from signing_service.verification.errors import UnsupportedAlgorithm
from signing_service.verification.name_constraints import names_problem
from signing_service.verification.path_parameters import DEFAULT, PathParameters
from signing_service.verification.policy import Policy, Purpose

_ATTEMPTS = 200


@dataclass(frozen=True, slots=True)
class Chain:
    """`path` runs from the certificate up to and including the anchor."""

    path: tuple[Certificate, ...]
    purpose: Purpose

    @property
    def anchor(self) -> Certificate:
        return self.path[-1]

    def pairs(self) -> Iterator[tuple[Certificate, Certificate]]:
        """(certificate, its issuer) for every certificate below the anchor."""
        return zip(self.path, self.path[1:], strict=False)


@dataclass(frozen=True, slots=True)
class NoChain:
    """Why no path was accepted. `kind`: no_issuer, unsupported (detail = algorithm), constraints."""

    kind: str
    detail: str


class TrustStore:
    """Anchors by purpose and every intermediate certificate known to this run."""

    def __init__(self, policy: Policy, extra: Iterable[bytes] = ()) -> None:
        self.anchors: Mapping[Purpose, list[Certificate]] = {
            purpose: load_all(ders) for purpose, ders in policy.anchors.items()
        }
        self._parameters = policy.paths
        self._by_subject: dict[tuple[tuple[str, str], ...], list[Certificate]] = {}
        self.add(policy.certificates)
        self.add(extra)

    def add(self, ders: Iterable[bytes]) -> None:
        for certificate in load_all(ders):
            known = self._by_subject.setdefault(certificate.subject_key, [])
            if certificate not in known and len(known) < 50:
                known.append(certificate)

    def named(self, subject: tuple[tuple[str, str], ...]) -> list[Certificate]:
        return self._by_subject.get(subject, [])

    def everything(self) -> list[Certificate]:
        """All intermediates and other certificates at hand, without the anchors."""
        return [certificate for group in self._by_subject.values() for certificate in group]

    def find_chain(self, leaf: Certificate, purposes: Sequence[Purpose], at: datetime) -> Chain | NoChain:
        """The first acceptable path, purposes in order; else why the best attempt failed. Validity periods are not
        judged here."""
        failure = NoChain("no_issuer", "no path to a trust anchor")
        for purpose in purposes:
            anchors = self.anchors.get(purpose, [])
            parameters = self._parameters.get(purpose, DEFAULT)
            for path in self._paths(leaf, anchors, parameters.longest):
                problem = path_problem(path, at, parameters)
                if problem is None:
                    return Chain(path, purpose)
                failure = problem
        return failure if failure.kind != "no_issuer" else self._why_not(leaf)

    def _why_not(self, leaf: Certificate) -> NoChain:
        name = signed_with_sm2(leaf)
        return (
            NoChain("unsupported", name)
            if name
            else NoChain("no_issuer", f"no path to a trust anchor for {leaf.common_name()}")
        )

    def _paths(
        self, leaf: Certificate, anchors: Sequence[Certificate], longest: int
    ) -> Iterator[tuple[Certificate, ...]]:
        """Depth first, anchors before intermediates; bounded in length and number."""
        attempts = 0
        pending: list[tuple[Certificate, ...]] = [(leaf,)]
        while pending and attempts < _ATTEMPTS:
            path = pending.pop()
            attempts += 1
            last = path[-1]
            if last in anchors:
                yield path
                continue
            if len(path) > longest + 1:
                continue
            for anchor in anchors:
                if anchor.subject_key == last.issuer_key and _signed(last, anchor):
                    yield (*path, anchor)
            if len(path) > longest:
                continue
            pending += [
                (*path, issuer)
                for issuer in self.named(last.issuer_key)
                if issuer not in path and issuer not in anchors and _signed(last, issuer)
            ]


def _signed(child: Certificate, issuer: Certificate) -> bool:
    try:
        return issued_by(child, issuer)
    except UnsupportedAlgorithm:
        return False


def path_problem(path: Sequence[Certificate], at: datetime, parameters: PathParameters = DEFAULT) -> NoChain | None:
    """Constraints along a path whose signatures hold (RFC 5280, 6.1.4), anchor's own constraints included: 1. who may
    issue, 2. critical extensions, 3. form, 4. names, 5. policies."""
    problem = _issuers_problem(path)
    for certificate in path:
        if problem is None and certificate.unknown_critical:
            problem = f"critical extension {certificate.unknown_critical[0]} is not understood"
    for certificate in path[:-1]:
        if problem is None and (fault := form_fault(certificate)):
            problem = f"{certificate.common_name()}: {fault}"
    if problem is None and (fault := anchor_fault(path[-1], alone=len(path) == 1)):
        problem = f"{path[-1].common_name()}: {fault}"
    problem = problem or names_problem(path) or _policies_problem(path, at, parameters)
    return None if problem is None else NoChain("constraints", problem)


def _issuers_problem(path: Sequence[Certificate]) -> str | None:
    below = 0
    for issuer in path[1:]:
        if not issuer.is_ca:
            return f"{issuer.common_name()} is not a certification authority"
        if not issuer.subject_key:
            return "a certification authority without a name"
        if issuer.key_usage is not None and not issuer.key_usage.key_cert_sign:
            return f"{issuer.common_name()} may not sign certificates"
        if issuer.path_length is not None and below > issuer.path_length:
            return f"the path below {issuer.common_name()} is too long"
        below += not issuer.self_issued
    return None


def _policies_problem(path: Sequence[Certificate], at: datetime, parameters: PathParameters) -> str | None:
    """Policy processing by the complete algorithm of pyhanko-certvalidator, where somebody asks for it."""
    asked = parameters.rules_policies or any(certificate.rules_policies for certificate in path)
    if not asked or len(path) == 1:
        return None
    from signing_service.verification.rare_constraints import problem_of

    return problem_of([certificate.der for certificate in path], at, parameters)


def outside_validity(chain: Chain, at: datetime) -> tuple[Certificate, str] | None:
    """The first certificate that is expired or not yet valid at `at`, and which; an anchor's own period counts too:
    nobody answers for a root that has ended."""
    for certificate in chain.path:
        if at > certificate.not_after:
            return certificate, "expired"
        if at < certificate.not_before:
            return certificate, "not_yet_valid"
    return None
