"""`zhengyin doctor`, the looking: each room's findings on one home. Decides nothing but what can be asked at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from cli import schema
from cli.certificates_in_use import certificates_in_use, issuers_known, sample_certificates, service_tokens
from cli.evidence_log import FILE_NAME, witnesses
from hardware.doctor.examination import examine
from signing_service.custody.client import CustodyClient
from signing_service.custody.errors import CustodyUnreachable
from signing_service.errors import SigningServiceError, Text
from signing_service.evidence.witness_health import unwitnessed
from signing_service.kernel.clock import SystemClock, in_words
from signing_service.kernel.database import Database
from signing_service.kernel.outbound import Outbound, OutboundFailed, OutboundPolicy, OutboundRefused
from signing_service.pki.address_health import network_findings
from signing_service.pki.health import Finding, Level, clock_findings, register_findings
from signing_service.settings import Settings

ADDRESS_SECONDS = 5
# The register tells of endings by the certificates that count; a token's old ones are `zhengyin keys doctor`'s matter.
NOT_THE_HOMES = ("certificate_expired", "certificate_expires_soon")
# What an officer's USB key must have; service tokens hold CA keys and a key without a certificate.
OF_OFFICERS = ("no_signing_pair", "key_without_certificate", "certificate_without_key")
START = Text("请启动服务:zhengyin serve。", "Start it: zhengyin serve.")


def examine_home(settings: Settings, *, network: bool, at: datetime | None = None) -> list[Finding]:
    """Every finding, what fails first. Without `network` nothing is asked over any socket."""
    now = at or SystemClock().now()
    database, found = Database(settings.database_url), []
    try:
        stopped = list(database_findings(settings, database))
        found += stopped or record_findings(settings, database, now)
        found += token_findings(settings, now, None if stopped else service_tokens(database))
        if network:
            found += online_findings(settings, None if stopped else database, now)
    finally:
        database.close()
    return sorted(dict.fromkeys(found), key=lambda finding: finding.level is not Level.FAIL)


def database_findings(settings: Settings, database: Database) -> Iterator[Finding]:
    """Findings that leave nothing to ask of it."""
    subject = database.url.render_as_string(hide_password=True)
    file = settings.home / (database.url.database or "")
    try:
        if database.is_sqlite and not file.exists():
            raise FileNotFoundError(file)
        missing = schema.missing_revisions(database)
    except (SQLAlchemyError, OSError) as failure:
        cause = " ".join(str(failure).split())[:200]
        yield Finding(
            Level.FAIL, "database_unreachable", subject,
            Text(f"无法连接数据库:{cause}", f"The database cannot be reached: {cause}"),
            Text("请检查 settings.toml 的 database_url 和数据库服务。",
                 "Check database_url in settings.toml, and the database server."),
        )  # fmt: skip
        return
    if missing:
        yield Finding(
            Level.FAIL, "database_behind", subject,
            Text(f"数据库结构落后:缺少 {', '.join(missing)}。", f"The database's tables are behind: {missing[0]} …"),
            Text("请先备份,再运行 zhengyin upgrade。", "Back up, then run zhengyin upgrade."),
        )  # fmt: skip


def record_findings(settings: Settings, database: Database, now: datetime) -> list[Finding]:
    """What database and custody's policy show of certificates, CRLs, tokens and the clock."""
    with database.read() as session:
        found = register_findings(session, now, production=not settings.is_demo)
        found += clock_findings(session, now)
    return [*found, *certificates_in_use(settings, database), *witness_findings(settings, database, now)]


def witness_findings(settings: Settings, database: Database, now: datetime) -> Iterator[Finding]:
    """Whether somebody outside holds a recent checkpoint of the audit log."""
    advice = Text("见 docs/guide/auditor.md 的“见证处”。", "See docs/guide/auditor.md about witnesses.")
    try:
        known = {witness.name: witness.every for witness in witnesses(settings)}
    except SigningServiceError as failure:
        yield Finding(Level.FAIL, failure.code, FILE_NAME, failure.what, failure.advice or advice)
        return
    if not known and not settings.is_demo:
        words = Text("没有系统之外的见证处。", "There is no witness outside this home.")
        yield Finding(Level.WARN, "witness_missing", FILE_NAME, words, advice)
    with database.read() as session:
        behind = unwitnessed(session, known, now)
    for each in behind:
        last = in_words(each.since) if each.since else "-"
        words = Text(
            f"见证处 {each.witness} 很久没有收到检查点(最近一次:{last})。",
            f"The witness {each.witness} has had no checkpoint for long (the last one: {last}).",
        )
        cure = Text(
            "请检查后台是否运行、见证处是否可达:zhengyin audit checkpoint。",
            "See that the worker runs and the witness can be reached: zhengyin audit checkpoint.",
        )
        yield Finding(Level.WARN, "witness_old", each.witness, words, cure)


def token_findings(settings: Settings, now: datetime, services: set[str] | None) -> Iterator[Finding]:
    """What `zhengyin keys doctor` says of this home's module, its errors and warnings. `services`: serials of service
    tokens, None where that is not known."""
    levels = {"error": Level.FAIL, "warning": Level.WARN}
    for seen in examine(modules=[settings.token_module], now=now):
        if seen.code in OF_OFFICERS and (services is None or seen.subject in services):
            continue
        if seen.level in levels and seen.code not in NOT_THE_HOMES:
            advice = seen.advice or Text("请运行 zhengyin keys doctor。", "Run zhengyin keys doctor.")
            yield Finding(levels[seen.level], seen.code, seen.subject, seen.what, advice)


def online_findings(settings: Settings, database: Database | None, now: datetime) -> list[Finding]:
    """Server, custody, and the addresses in certificates; no `database`: those are not known."""
    down = list(_server(settings))
    found = [*down, *_custody(settings, server_is_up=not down)]
    return found if database is None else found + address_findings(settings, database, now, own=not down)


def _server(settings: Settings) -> Iterator[Finding]:
    try:
        _outbound(settings).request("GET", f"{settings.base_url}/healthz")
    except (OutboundFailed, OutboundRefused):
        words = Text(f"{settings.base_url} 没有应答。", f"{settings.base_url} does not answer.")
        yield Finding(
            Level.WARN if settings.is_demo else Level.FAIL, "server_unreachable", settings.base_url, words, START
        )


def _custody(settings: Settings, *, server_is_up: bool) -> Iterator[Finding]:
    """Custody's stops; its absence, unless nothing of a demo home runs."""
    client = CustodyClient(settings.custody_socket)
    try:
        stops = client.frozen()
    except CustodyUnreachable as failure:
        if server_is_up or not settings.is_demo:
            yield Finding(Level.FAIL, "custody_unreachable", str(settings.custody_socket), failure.what, START)
        return
    except SigningServiceError as failure:
        yield Finding(Level.FAIL, failure.code, str(settings.custody_socket), failure.what, failure.advice or START)
        return
    finally:
        client.close()
    for stop in stops:
        yield Finding(
            Level.WARN, "custody_frozen", stop.scope,
            Text(f"已停止使用:{stop.scope}({stop.reason})。", f"Stopped: {stop.scope} ({stop.reason})."),
            Text("查明原因后在托管机上解除。", "Once it is cleared up, lift it at custody's own machine."),
        )  # fmt: skip


def address_findings(settings: Settings, database: Database, now: datetime, *, own: bool) -> list[Finding]:
    """The addresses that certificates in use name: each once. Those of our own server only while it answers."""
    known, found = issuers_known(settings, database), []
    for certificate, issuer in sample_certificates(database, None if own else settings.base_url):
        if issuer in known:
            found += network_findings(certificate, known[issuer], _outbound(settings), now)
    return found


def _outbound(settings: Settings) -> Outbound:
    return Outbound(OutboundPolicy(hosts=settings.outbound_hosts, timeout_seconds=ADDRESS_SECONDS))
