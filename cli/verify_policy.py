"""What `zhengyin verify` judges with: anchors and CRLs from files or the home, the time, and who may be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from signing_service.kernel.database import Database
    from signing_service.settings import Settings
    from signing_service.verification.path_parameters import PathParameters
    from signing_service.verification.policy import Policy, Purpose
    from signing_service.verification.ports import CopyFact, Fetcher, StatusSource

_BEGIN = b"-----BEGIN "


@dataclass(frozen=True, slots=True)
class Options:
    """The options that decide a policy. `fetch_hosts`: further hosts that may be asked. `policies`: certificate
    policies (dotted), one of which a signer's path must be valid for; none: any. `recipient`, `matter`: who is asked
    to accept the document, and for what."""

    trust: Sequence[Path]
    crls: Sequence[Path]
    at: datetime
    offline: bool = False
    freshness: float | None = None
    fetch_hosts: Sequence[str] = ()
    policies: Sequence[str] = ()
    recipient: str = ""
    matter: str = ""


def build_policy(home: Path, trust: Sequence[Path], crls: Sequence[Path], at: datetime) -> Policy:
    """Anchors from the named files for every purpose, else from HOME/trust/{purpose}/*.pem; CRLs from
    HOME/trust/crls."""
    from signing_service.verification.policy import Policy, Purpose

    if trust:
        named = [der for path in trust for der in read_certificates(path)]
        anchors: dict[Purpose, list[bytes]] = dict.fromkeys(list(Purpose), named)
        anchors.pop(Purpose.SIMULATED)
    else:
        anchors = {purpose: _folder(home / "trust" / purpose.value) for purpose in Purpose}
    found = [*crls, *sorted((home / "trust" / "crls").glob("*.crl"))]
    return Policy(
        anchors,
        at,
        crls=[_crl(path) for path in found],
        certificates=_folder(home / "trust" / "intermediates"),
    )


def policy_of(home: Path, options: Options, settings: Settings | None, database: Database | None) -> Policy:
    """The policy with a fetcher unless offline; outside CAs on record are trusted when no `--trust` is given."""
    policy = build_policy(home, options.trust, options.crls, options.at)
    policy = replace(policy, recipient=options.recipient, matter=options.matter)
    if options.freshness is not None:
        policy = replace(policy, freshness=timedelta(minutes=options.freshness))
    if options.policies:
        policy = replace(policy, paths=_paths(options.policies))
    if database is not None and not options.trust:
        from cli.trust_store import outside_anchors_of, outside_cas

        known = outside_anchors_of(outside_cas(database))
        more = {purpose: [*policy.anchors[purpose], *found] for purpose, found in known.items()}
        policy = replace(policy, anchors={**policy.anchors, **more})
    return policy if options.offline else replace(policy, fetcher=_fetcher(options, settings, database))


def _paths(policies: Sequence[str]) -> dict[Purpose, PathParameters]:
    """What `--require-policy` asks of the paths of signers, not of timestamps. Raises a usage error."""
    from cryptography.x509 import ObjectIdentifier

    from signing_service.verification.path_parameters import PathParameters
    from signing_service.verification.policy import SIGNERS

    try:
        accepted = frozenset(ObjectIdentifier(policy).dotted_string for policy in policies)
    except ValueError as error:
        raise typer.BadParameter("--require-policy: not an OID such as 1.2.156.1 / 不是 OID") from error
    return dict.fromkeys(SIGNERS, PathParameters.requiring(accepted))


def _fetcher(options: Options, settings: Settings | None, database: Database | None) -> Fetcher | None:
    """None where there is nobody to ask: no home, and no host named."""
    if settings is None and not options.fetch_hosts:
        return None
    from cli.trust_store import named_fetcher, outside_cas, own_fetcher

    if settings is None:
        return named_fetcher(options.fetch_hosts)
    return own_fetcher(settings, outside_cas(database) if database is not None else (), options.fetch_hosts)


def facts_of(settings: Settings, database: Database, options: Options) -> StatusSource:
    """All that this home knows of documents, purpose-bound copies included."""
    from cert_registry.licences.status_facts import LicenceStatusFacts
    from cert_registry.sharing.copies import copy_by_digest, fact_for_named
    from cli.home_blobs import home_blobs
    from cli.known_facts import home_facts
    from signing_service.kernel.clock import SystemClock

    def copies(digest: str) -> tuple[str, CopyFact] | None:
        with database.read() as session:
            copy = copy_by_digest(session, digest)
            if copy is None:
                return None
            return copy.identifier, fact_for_named(copy, options.recipient, options.matter)

    licences = LicenceStatusFacts(database, SystemClock(), copies)
    return home_facts(database, home_blobs(settings), licences)


def read_certificates(path: Path) -> list[bytes]:
    """Every certificate in a PEM file, or the one in a DER file. Raises a usage error when there is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    raw = path.read_bytes()
    try:
        loaded = x509.load_pem_x509_certificates(raw) if _BEGIN in raw else [x509.load_der_x509_certificate(raw)]
    except (ValueError, x509.InvalidVersion) as error:
        raise typer.BadParameter(f"{path}: no certificate in it / 其中没有证书") from error
    return [certificate.public_bytes(Encoding.DER) for certificate in loaded]


def moment(text: str | None) -> datetime:
    """`--at`, or now. Raises a usage error."""
    if text is None:
        from signing_service.kernel.clock import SystemClock

        return SystemClock().now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"--at {text}: not an ISO 8601 time / 不是 ISO 8601 时间") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _folder(folder: Path) -> list[bytes]:
    return [der for path in sorted(folder.glob("*.pem")) for der in read_certificates(path)]


def _crl(path: Path) -> bytes:
    """A CRL in DER or PEM, as DER. Raises a usage error when it is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    raw = path.read_bytes()
    try:
        crl = x509.load_pem_x509_crl(raw) if _BEGIN in raw else x509.load_der_x509_crl(raw)
    except (ValueError, x509.InvalidVersion) as error:
        raise typer.BadParameter(f"{path}: no revocation list in it / 其中没有吊销列表") from error
    return crl.public_bytes(Encoding.DER)
