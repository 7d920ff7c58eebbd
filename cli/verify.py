"""`zhengyin verify`: a file, a licence identifier or a paper code to the one engine; prints the judgement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.verify_extras import Extras, fetch_report
from cli.verify_policy import Options, facts_of, moment, policy_of
from signing_service.errors import Text

if TYPE_CHECKING:
    from signing_service.kernel.database import Database
    from signing_service.settings import Settings
    from signing_service.verification.answer import Answer
    from signing_service.verification.report import Report, SignatureReport

_MARKS = {"passed": "✔", "indeterminate": "!", "failed": "✖"}


def verify(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="The PDF to judge.", exists=True, dir_okay=False)] = None,
    identifier: Annotated[str, typer.Option("--identifier", help="A licence identifier instead of a file.")] = "",
    code: Annotated[str, typer.Option("--code", help="A paper code: its text, or a picture or PDF of the page.")] = "",
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing.")] = False,
    trust: Annotated[
        list[Path] | None,
        typer.Option("--trust", help="PEM anchors instead of the home's; with --code a key list.", exists=True),
    ] = None,
    crl: Annotated[list[Path] | None, typer.Option("--crl", help="CRL to use besides the home's.", exists=True)] = None,
    at: Annotated[str | None, typer.Option("--at", help="Validation time, ISO 8601 (default: now).")] = None,
    freshness: Annotated[
        float | None, typer.Option("--freshness", min=0, help="Oldest revocation data, minutes (default: 60).")
    ] = None,
    fetch_host: Annotated[list[str] | None, typer.Option("--fetch-host", help="A host that may be asked too.")] = None,
    require_policy: Annotated[
        list[str] | None, typer.Option("--require-policy", help="A certificate policy (OID) signers must be under.")
    ] = None,
    recipient: Annotated[
        str, typer.Option("--recipient", help="Who is asked to accept it: a purpose-bound copy is for one alone.")
    ] = "",
    matter: Annotated[str, typer.Option("--matter", help="The matter for which it is presented.")] = "",
    as_of_sealing: Annotated[
        bool, typer.Option("--as-of-sealing", help="Exit code by the verdict at sealing alone.")
    ] = False,
    save_intact: Annotated[
        Path | None, typer.Option("--save-intact", help="Write the newest version that a signature vouches for.")
    ] = None,
    etsi: Annotated[Path | None, typer.Option("--etsi", help="Write an ETSI TS 119 102-2 report (XML).")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Issue a sealed verification report (PDF).")] = None,
    for_whom: Annotated[str, typer.Option("--for", help="The court or office that asked for the report.")] = "",
    purpose: Annotated[str, typer.Option("--purpose", help="What the report is for.")] = "",
    report_number: Annotated[str, typer.Option("--report-number", help="Fetch this issued report into --report.")] = "",
    report_code: Annotated[str, typer.Option("--report-code", help="The code on its first page.")] = "",
    archive: Annotated[bool, typer.Option("--archive", help="Keep it, with a fresh timestamp over it.")] = False,
) -> None:
    """Judge a PDF, a licence identifier or a paper code, at sealing and now. Exit codes: 0 passed, 3 cannot be
    confirmed, 4 failed or not usable now."""
    if report_number and report is not None:
        return fetch_report(ctx.obj.home, report_number, report_code, report)
    _one_of(file, identifier, code)
    if report is not None and not (file and for_whom and purpose):
        raise typer.BadParameter("--report needs FILE, --for and --purpose / 出具报告须给出文件、--for 和 --purpose")
    judged_at, hosts, policies = moment(at), fetch_host or [], require_policy or []
    options = Options(trust or [], crl or [], judged_at, offline, freshness, hosts, policies, recipient, matter)
    extras = Extras(save_intact, etsi, report, for_whom, purpose, archive)
    with _opened(ctx.obj.home) as (settings, database):
        if file is not None:
            judged = _judge_file(ctx.obj.home, file, options, settings, database)
            found: Report | Answer = judged
        else:
            judged = None
            found = _ask_register(ctx.obj.home, identifier, code, options, None if offline else database)
    if json_output:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
    else:
        _print(found, ctx.obj.language)
    if file is not None and judged is not None:
        extras.write(ctx.obj.home, file, judged)
    raise typer.Exit(found.exit_code(as_of_sealing))


def _one_of(file: Path | None, identifier: str, code: str) -> None:
    if sum(map(bool, (file, identifier, code))) != 1:
        raise typer.BadParameter("give FILE, --identifier or --code / 请给出文件、--identifier 或 --code 之一")


@contextmanager
def _opened(home: Path) -> Iterator[tuple[Settings | None, Database | None]]:
    """The home's settings and database; (None, None) where there is no initialised home."""
    from signing_service.settings import FILE_NAME, load_settings

    if not (home / FILE_NAME).exists():
        yield None, None
        return
    from signing_service.kernel.database import Database

    settings = load_settings(home)
    database = Database(settings.database_url)
    try:
        yield settings, database
    finally:
        database.close()


def _judge_file(
    home: Path, file: Path, options: Options, settings: Settings | None, database: Database | None
) -> Report:
    from signing_service.verification.worker import verify_in_worker

    policy = policy_of(home, options, settings, database)
    facts = facts_of(settings, database, options) if settings is not None and database is not None else None
    return verify_in_worker(file.read_bytes(), policy, facts, file_name=str(file))


def _ask_register(home: Path, identifier: str, code: str, options: Options, database: Database | None) -> Answer:
    from cli import verify_register as register

    if identifier:
        return register.answer_identifier(database, identifier, options.at)
    given = register.trust_file(options.trust)
    if given is not None:
        keys, prefix = register.read_key_list(given)
    else:
        keys, prefix = register.home_keys(home)
    return register.answer_code(database, code, keys, prefix, options.at)


def _source(signature: SignatureReport, language: Any) -> str:
    """Where the time is from, and whether that authority is independent of the parties."""
    words = {
        "own": Text("timestamp,本系统自有时间戳服务", "timestamp by this system's own authority"),
        "outside": Text("timestamp,独立的时间戳机构", "timestamp by an independent authority"),
    }
    known = words.get(signature.time_authority or "")
    return known.in_(language) if known and signature.time_source == "timestamp" else signature.time_source


def _print(found: Any, language: Any) -> None:
    """The answer first: mark, sentence, what to do; then each signature; problems with their checks."""
    mark = _MARKS["failed" if found.usable_now == "no" else str(found.verdict)]
    mark = "!" if mark == "✔" and found.usable_now != "yes" else mark
    typer.echo(f"{mark} {found.summary.in_(language)}")
    typer.echo(f"  {found.advice.in_(language)}")
    hint = getattr(found, "hint", None)
    if hint is not None:
        typer.echo(f"  {hint.in_(language)}")
    typer.echo(f"  verdict={found.verdict} usable_now={found.usable_now} reason={found.reason}")
    for signature in getattr(found, "signatures", ()):
        when = signature.signed_at.isoformat() if signature.signed_at else "-"
        typer.echo(
            f"- {signature.field} [{signature.kind}] {signature.signer} {when} ({_source(signature, language)}) "
            f"{signature.level or ''}"
        )
        for check in signature.checks:
            typer.echo(f"    {check.name}: {check.result}{f' - {check.detail}' if check.detail else ''}")
    for check in found.checks:
        typer.echo(f"  {check.name}: {check.result} {check.detail}")
    length = getattr(found, "intact_revision", None)
    if length and getattr(found, "modified_after_signing", False):
        typer.echo(f"  intact_revision={length} (--save-intact OUT.pdf)")
