"""The plan of a key ceremony: a YAML file, read and checked as a whole before any token is touched. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

import yaml

from signing_service.errors import Text
from signing_service.pki.crl_partitions import is_ca_name
from signing_service.pki.errors import PkiError
from signing_service.pki.extensions import Urls
from signing_service.pki.profiles import PROFILES


class PlanInvalid(PkiError):
    """The plan cannot be carried out; every fault is listed."""

    code = "ceremony_plan_invalid"

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        listed = "; ".join(faults)
        super().__init__(
            Text("密钥仪式方案有误,没有改动任何设备。", "The ceremony plan is wrong; no token was touched."),
            why=Text(f"问题:{listed}。", f"Faults: {listed}."),
            advice=Text("请更正方案后用 --dry-run 再检查。", "Correct it and check it again with --dry-run."),
        )


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who is present; `role` in the words of the record."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class PlannedCertificate:
    """One key and its certificate. `name` is the key's label and, for a CA, its name in CRL addresses; `service` is
    what the certificate serves as (default: `name`; `seal:ID` for a seal), the same for the successor of a key; empty
    `issuer`: self-signed. `host` is a TLS server's name or IP address; `organization` instead of the plan's,
    `identifier` its code in the subject, `department` whose it is.
    """

    name: str
    profile: str
    token: str
    key: str
    subject: str
    issuer: str = ""
    service: str = ""
    host: str = ""
    organization: str = ""
    identifier: str = ""
    department: str = ""

    @property
    def owner(self) -> str:
        """Under which name the register keeps it."""
        return self.service or self.name


@dataclass(frozen=True, slots=True)
class ExistingIssuer:
    """A CA from an earlier ceremony: its key by label, its certificate on the same token."""

    name: str
    token: str
    label: str


@dataclass(frozen=True, slots=True)
class CeremonyPlan:
    """`tokens` are the plan's own names for tokens; which token that is, is said when the ceremony is held."""

    title: str
    organization: str
    base_url: str
    present: tuple[Participant, ...]
    certificates: tuple[PlannedCertificate, ...]
    existing: tuple[ExistingIssuer, ...] = ()
    crls: tuple[str, ...] = ()
    digest: str = ""

    @property
    def tokens(self) -> frozenset[str]:
        """The tokens that must be at hand, by their names in the plan."""
        return frozenset(entry.token for entry in self.certificates) | {entry.token for entry in self.existing}


def read_plan(text: str) -> CeremonyPlan:
    """A checked plan from YAML. Raises PlanInvalid with every fault that was found."""
    try:
        entries = yaml.safe_load(text)
    except yaml.YAMLError as failure:
        raise PlanInvalid([f"not YAML: {' '.join(str(failure).split())}"]) from failure
    if not isinstance(entries, dict):
        raise PlanInvalid(["the plan is not a mapping"])
    faults: list[str] = []
    plan = CeremonyPlan(
        title=_text(entries, "title", faults),
        organization=_text(entries, "organization", faults),
        base_url=_text(entries, "base_url", faults).rstrip("/"),
        present=tuple(_records(Participant, entries, "present", faults)),
        certificates=tuple(_records(PlannedCertificate, entries, "certificates", faults)),
        existing=tuple(_records(ExistingIssuer, entries, "existing", faults)),
        crls=tuple(str(name) for name in entries.get("crls") or ()),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )
    unknown = entries.keys() - {field.name for field in fields(CeremonyPlan)} | entries.keys() & {"digest"}
    faults += [f"unknown entry: {name}" for name in sorted(map(str, unknown))]
    if faults := faults or list(plan_faults(plan)):
        raise PlanInvalid(faults)
    return plan


def plan_faults(plan: CeremonyPlan) -> Iterator[str]:
    """What keeps a plan from being carried out, as far as the plan itself shows."""
    if len({person.name for person in plan.present}) < 2:
        yield "present: a ceremony has at least two people"
    if not plan.base_url.startswith(("http://", "https://")):
        yield "base_url: not an http(s) address"
    seen = {issuer.name for issuer in plan.existing}
    for entry in plan.certificates:
        if entry.name in seen:
            yield f"{entry.name}: the name is used twice"
        yield from (f"{entry.name}: {fault}" for fault in _certificate_faults(entry, plan, seen))
        seen.add(entry.name)
    signers = _issuers(plan)
    yield from (f"crls: {name} is no CA of this plan" for name in plan.crls if name not in signers)
    if not plan.certificates and not plan.crls:
        yield "the plan makes nothing"


def _certificate_faults(entry: PlannedCertificate, plan: CeremonyPlan, above: set[str]) -> Iterator[str]:
    profile = PROFILES.get(entry.profile)
    if profile is None:
        yield f"unknown profile {entry.profile}"
        return
    if entry.key not in profile.keys:
        yield f"a {entry.key} key is not allowed for {entry.profile}"
    if profile.self_signed != (not entry.issuer):
        yield "a root has no issuer, everything else has one"
    if entry.issuer and (entry.issuer not in above or entry.issuer not in _issuers(plan)):
        yield f"its issuer {entry.issuer} is not a CA named before it"
    if profile.is_ca and not is_ca_name(entry.name):
        yield "a CA's name stands in addresses: a-z, 0-9 and -, not ending in -delta or -p and a number"
    if profile.needs_host != bool(entry.host):
        yield "a host is for TLS servers, and needed there"
    if entry.profile == "root" and [other for other in plan.certificates if other.token == entry.token] != [entry]:
        yield "the root key shares its token with another key"


def _issuers(plan: CeremonyPlan) -> set[str]:
    made = {entry.name for entry in plan.certificates if entry.profile in PROFILES and PROFILES[entry.profile].is_ca}
    return made | {issuer.name for issuer in plan.existing}


def issuer_urls(base_url: str, issuer: str, *, has_ocsp: bool) -> Urls:
    """Where the certificates of this issuer point: our own PKI addresses below `base_url`."""
    ocsp = f"{base_url}/ocsp" if has_ocsp else ""
    return Urls(crl=f"{base_url}/crl/{issuer}.crl", ocsp=ocsp, ca=f"{base_url}/ca/{issuer}.cer")


def _text(entries: Mapping[str, Any], name: str, faults: list[str]) -> str:
    value = entries.get(name)
    if not isinstance(value, str) or not value.strip():
        faults.append(f"{name}: missing or not text")
        return ""
    return value


def _records(kind: type[Any], entries: Mapping[str, Any], name: str, faults: list[str]) -> Iterator[Any]:
    known = {field.name for field in fields(kind)}
    required = {field.name for field in fields(kind) if field.default is MISSING}
    for number, entry in enumerate(entries.get(name) or (), 1):
        if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
            faults.append(f"{name} {number}: not a mapping of texts")
        elif wrong := sorted(map(str, (entry.keys() - known) | (required - entry.keys()))):
            faults.append(f"{name} {number}: missing or unknown: {', '.join(wrong)}")
        else:
            yield kind(**entry)
