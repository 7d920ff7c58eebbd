"""`zhengyin audit`: the log's checkpoints, evidence for a court or another office, and checking it offline.

`verify` needs no home: a bundle, and a checkpoint that was held before. Data on stdout, messages on stderr.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import home_settings
from signing_service.errors import Text

if TYPE_CHECKING:
    from cert_registry.audit.export import Enclosed, Wanted
    from cert_registry.audit.findings import Outcome
    from cli.stage import Stage
    from signing_service.errors import Language
    from signing_service.verification.policy import Policy

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
DOES_NOT_HOLD = 4


@app.command()
def checkpoint(ctx: typer.Context) -> None:
    """Sign a checkpoint over all entries, bring it to the witnesses, and print it: keep it outside this system."""
    from cli.evidence_log import home_checkpoints, keep_evidence
    from cli.own_services import OwnTimestamper
    from cli.stage import open_stage
    from signing_service.evidence.log_checkpoints import newest

    stage = open_stage(home_settings(ctx))
    try:
        for failure in keep_evidence(stage.database, home_checkpoints(stage, OwnTimestamper(stage.pki.tsa))):
            typer.echo(failure.explain(_language(ctx)), err=True)
        with stage.database.read() as session:
            last = newest(session)
        typer.echo(last.note if last is not None else "", nl=False)
    finally:
        stage.close()


@app.command()
def export(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("-o", "--out", help="The bundle to write (.zip).")],
    about: Annotated[
        list[str] | None, typer.Option(help="Entries about this object, e.g. seal:default, case:…; repeatable.")
    ] = None,
    document: Annotated[
        list[Path] | None, typer.Option(help="A PDF: its entries, the file itself and its report; repeatable.")
    ] = None,
    held: Annotated[Path | None, typer.Option("--checkpoint", help="A checkpoint that the reader holds.")] = None,
    reason: Annotated[str, typer.Option(help="What it is for; stands on the bundle's page.")] = "",
) -> None:
    """Write evidence as a bundle that verifies offline: the whole log, or what concerns an object or a document."""
    from cert_registry.audit.export import export as write
    from cli.stage import open_stage
    from signing_service.evidence.checkpoint import parsed

    stage = open_stage(home_settings(ctx))
    part = out.with_name(f".{out.name}.part")
    try:
        files = {path.name: path.read_bytes() for path in document or []}
        sizes = [parsed(held.read_text("utf-8"))[0].size] if held else []
        with stage.database.read() as session:
            written = write(
                session, part, _wanted(about or [], files, sizes), _enclosed(stage, files, reason), stage.clock.now(),
                _progress,
            )  # fmt: skip
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
        stage.close()
    typer.echo(
        Text(f"已写入 {out}:{written} 条记录。", f"{out}: {written} entries written.").in_(_language(ctx)), err=True
    )


@app.command()
def verify(
    ctx: typer.Context,
    bundle: Annotated[Path, typer.Argument(help="An evidence bundle (.zip).")],
    held: Annotated[Path | None, typer.Option("--checkpoint", help="A checkpoint held before.")] = None,
    trust: Annotated[list[Path] | None, typer.Option(help="Trust anchors (PEM) for log key and timestamp.")] = None,
    as_json: Json = False,
) -> None:
    """Check a bundle: signatures, places, contents, consistency. Exit code 0: it holds; 4: it does not."""
    from cert_registry.audit.bundle_check import check_bundle

    note = held.read_text("utf-8") if held else None
    outcome = check_bundle(bundle, note, _policy(trust or []))
    language = _language(ctx)
    if as_json:
        typer.echo(json.dumps(_as_json(outcome, language), ensure_ascii=False, indent=2))
    else:
        _show(outcome, language)
    if not outcome.holds:
        raise typer.Exit(DOES_NOT_HOLD)


@app.command()
def erase(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="The decision or request that asks for it; stays in the log.")],
    actor: Annotated[str, typer.Option(help="Entries whose actor is this id, e.g. applicant:… or officer-7.")] = "",
    about: Annotated[str, typer.Option(help="Entries about this object, e.g. case:….")] = "",
    confirmed: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a person from the log: actor, certificate, digest, details and the salt go for ever; the proofs stay whole.

    Time, kind, object and result remain, and each entry's place in the tree. It cannot be undone. That it was done,
    how often and why is an entry of its own.
    """
    from cli.erasing import Erasing, NothingToErase, erase_entries

    language, wanted = _language(ctx), Erasing(actor, about, reason)
    settings = home_settings(ctx)
    count = wanted.count(settings)
    if not count:
        raise NothingToErase
    if not confirmed:
        asked = Text(
            f"将永久删除 {count} 条记录中的个人信息,不能恢复。请输入 {count} 确认",
            f"What {count} entries say of the person is erased for ever. Type {count} to confirm",
        )
        if typer.prompt(asked.in_(language), err=True) != str(count):
            raise typer.Exit(1)
    done = erase_entries(settings, wanted)
    if as_json:
        typer.echo(json.dumps({"erased": done}))
    else:
        typer.echo(Text(f"已删除 {done} 条记录中的个人信息。", f"Erased the person in {done} entries.").in_(language))


@app.command()
def renewals(
    ctx: typer.Context,
    run: Annotated[bool, typer.Option("--run", help="Renew now what is due, as the worker does.")] = False,
    within: Annotated[int, typer.Option(min=1, max=36500, help="Days before its end that a document is due.")] = 180,
    as_json: Json = False,
) -> None:
    """Which stored documents need a new archive timestamp, and by when; with --run they get it.

    A new revision is stored beside the old file, which stays as it is. Killed, it goes on with the next one when it is
    run again. Exit code 1 where a document could not be renewed.
    """
    from datetime import timedelta

    from cli.own_services import OwnTimestamper
    from cli.renewal_report import lines, report
    from cli.renewing import Renewals
    from cli.stage import open_stage

    stage = open_stage(home_settings(ctx))
    try:
        work = Renewals(stage, OwnTimestamper(stage.pki.tsa), timedelta(days=within))
        done = work.run(at_once=True) if run else work.only_look()
        told = report(stage, done, timedelta(days=within))
    finally:
        stage.close()
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for line in lines(told):
            typer.echo(line.in_(_language(ctx)))
    if done.failed:
        raise typer.Exit(1)


@app.command()
def retention(
    ctx: typer.Context,
    run: Annotated[bool, typer.Option("--run", help="Delete now what is to be deleted, as the worker does.")] = False,
    as_json: Json = False,
) -> None:
    """Which data was kept long enough, by the home's schedule, and what happens to it then."""
    from cert_registry.audit.retention import THEN_WORDS, delete_due, what_is_due
    from cli.due_work import schedule
    from signing_service.kernel.clock import SystemClock
    from signing_service.kernel.database import Database

    settings, language = home_settings(ctx), _language(ctx)
    classes, now, database = schedule(settings), SystemClock().now(), Database(settings.database_url)
    try:
        with database.write() as session:
            found = what_is_due(session, classes, now)
            gone = delete_due(session, classes, now) if run else {}
    finally:
        database.close()
    if as_json:
        rows = [
            {"kind": each.kind, "count": each.count, "kept_until": each.by.isoformat(), "then": each.then.value}
            for each in found
        ]
        typer.echo(json.dumps({"due": rows, "deleted": gone}, ensure_ascii=False, indent=2))
        return
    for each in found:
        words, then = each.words.in_(language), THEN_WORDS[each.then].in_(language)
        typer.echo(f"{each.count} {words} ({each.by}): {then}" + (" ✔" if each.kind in gone else ""))
    if not found:
        typer.echo(Text("没有保存期满的数据。", "No data has been kept to its end.").in_(language))


def _wanted(about: list[str], files: dict[str, bytes], held: list[int]) -> Wanted:
    from cert_registry.audit.export import Wanted

    return Wanted(about, [hashlib.sha256(content).hexdigest() for content in files.values()], held)


def _enclosed(stage: Stage, files: dict[str, bytes], reason: str) -> Enclosed:
    """The documents with the engine's reports, and what is needed to judge the log's key."""
    from cert_registry.audit.export import Enclosed
    from cli.evidence_log import known_log_certificates
    from cli.trust_store import current_crls

    reports = {
        f"{name}.report.json": json.dumps(stage.judge(content, name).as_json(), ensure_ascii=False, indent=1).encode()
        for name, content in files.items()
    }
    logs, issuers = known_log_certificates(stage)
    return Enclosed(logs, issuers, current_crls(stage.pki.crls), {**files, **reports}, reason)


def _policy(trust: list[Path]) -> Policy | None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from signing_service.kernel.clock import SystemClock
    from signing_service.verification.policy import Policy, Purpose

    if not trust:
        return None
    loaded = [found for path in trust for found in x509.load_pem_x509_certificates(path.read_bytes())]
    anchors = [certificate.public_bytes(Encoding.DER) for certificate in loaded]
    return Policy({purpose: anchors for purpose in Purpose if purpose is not Purpose.SIMULATED}, SystemClock().now())


def _show(outcome: Outcome, language: Language) -> None:
    for finding in outcome.findings:
        typer.echo(f"✖ {finding.text().in_(language)}")
    for text in outcome.not_checked:
        typer.echo(f"? {text.in_(language)}")
    if outcome.holds:
        said = Text(
            f"✔ 证据成立:核对了 {outcome.entries} 条记录,日志共 {outcome.size} 条。",
            f"✔ The evidence holds: {outcome.entries} entries checked, of {outcome.size} in the log.",
        )
        typer.echo(said.in_(language))
    if outcome.erased:
        erased = Text(
            f"其中 {outcome.erased} 条的个人信息已依法删除。", f"In {outcome.erased} of them the person was erased."
        )
        typer.echo(erased.in_(language))


def _as_json(outcome: Outcome, language: Language) -> dict[str, Any]:
    return {
        "holds": outcome.holds,
        "size": outcome.size,
        "entries": outcome.entries,
        "erased": outcome.erased,
        "findings": [
            {
                "code": finding.code,
                "index": finding.index,
                "detail": finding.detail,
                "text": finding.text().in_(language),
            }
            for finding in outcome.findings
        ],
        "not_checked": [text.in_(language) for text in outcome.not_checked],
    }


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"{done}/{total}", end="\r", file=sys.stderr, flush=True)


def _language(ctx: typer.Context) -> Language:
    language: Language = ctx.obj.language
    return language
