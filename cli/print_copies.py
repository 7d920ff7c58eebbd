"""`zhengyin print`: print copies, their ledger, printers, and reading paper codes without the server.

DOCUMENT is a licence identifier or a case number. `--as` names the officer at the window (窗口代打印); it is logged.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.given_code import code_text
from cli.pki_home import print_rows
from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from cli.stage import Stage
    from signing_service.printing.handing_out import SealedDocument
    from signing_service.printing.ledger import PrintLedger, ReservedCopy
    from signing_service.printing.paper_code import PaperCode

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Document = Annotated[str, typer.Argument(metavar="DOCUMENT", help="Licence identifier or case number.")]
As = Annotated[str, typer.Option("--as", help="Officer in whose name it is done.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
APPROVAL = "approval"


class PrintUsage(SigningServiceError):
    """An option or file that cannot be followed."""

    code = "print_usage"


@app.command("allow")
def allow(
    ctx: typer.Context, document: Document, copies: Annotated[int, typer.Argument(min=0, help="How many.")], by: As
) -> None:
    """Open a document for printing, or change how many copies there may be."""
    with _stage(ctx) as stage:
        _ledger(stage).allow(_sealed(stage, document).subject, copies, _officer(stage, by))


@app.command("copy")
def copy(
    ctx: typer.Context,
    document: Document,
    by: As,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where to write the copy's PDF.")] = None,
    printer: Annotated[str, typer.Option("--printer", help="Print it there: ipp://host:port/path.")] = "",
    purpose: Annotated[str, typer.Option("--purpose", help="Printed on it and kept in the ledger.")] = "",
) -> None:
    """Make one copy through the ledger: to a file, or to a printer whose job the ledger follows."""
    from cli.printing_desk import PrintingDesk
    from signing_service.kernel.blobs import write_atomically
    from signing_service.printing.handing_out import rendered

    if (output is None) == (not printer):
        raise PrintUsage(Text("请指定 -o 或 --printer 之一。", "Name either -o or --printer."))
    with _stage(ctx) as stage:
        sealed, ledger, officer = _sealed(stage, document), _ledger(stage), _officer(stage, by)
        reserved = ledger.reserve(sealed.subject, officer, purpose=purpose, channel="window")
        content = rendered(ledger, sealed, PrintingDesk(stage).make, reserved, officer)
        if output is None:
            job = _print(stage, ledger, reserved, content, printer, officer)
            where = job
        else:
            ledger.rendered(reserved.serial, officer, hashlib.sha256(content).hexdigest())
            write_atomically(output, content, mode=0o644)
            ledger.confirm(reserved.serial, officer)
            where = str(output)
    made = {"serial": reserved.serial, "number": reserved.number, "quota": reserved.quota, "printed_to": where}
    typer.echo(json.dumps(made, ensure_ascii=False))


@app.command("ledger")
def ledger_(ctx: typer.Context, document: Document, as_json: Json = False) -> None:
    """All copies ever reserved of a document."""
    with _stage(ctx) as stage:
        rows = [
            {
                "serial": one.serial, "copy": f"{one.number}/{one.quota}", "state": str(one.state),
                "reserved_at": one.reserved_at.isoformat(), "channel": one.channel, "by": one.requested_by,
                "purpose": one.purpose, "void_reason": one.void_reason, "printer_job": one.printer_job,
            }
            for one in _ledger(stage).copies_of(_sealed(stage, document).subject)
        ]  # fmt: skip
    print_rows(rows, as_json)


@app.command("void")
def void(
    ctx: typer.Context,
    serial: Annotated[str, typer.Argument(help="Serial of the copy.")],
    by: As,
    reason: Annotated[str, typer.Option("--reason", help="Paper jam, no toner, page cut off, …")],
) -> None:
    """Void a copy that did not come out well: its share returns, its trace stays."""
    with _stage(ctx) as stage:
        _ledger(stage).void(serial, _officer(stage, by), reason)


@app.command("terminal")
def terminal(
    ctx: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="Such as hall-1.")],
    printer: Annotated[str, typer.Option("--printer", help="The terminal's printer: ipp://host:port/path.")],
    name: Annotated[str, typer.Option("--name", help="Where it stands.")] = "",
    card_file: Annotated[str, typer.Option("--card-file", help="File that the ID-card reader's driver writes.")] = "",
) -> None:
    """Register a self-service terminal (or anew); prints the key that its browser is given once at /kiosk."""
    from cli.opened_home import open_home
    from signing_service.printing.terminals import Terminals

    typer.echo(Terminals(open_home(ctx.obj.home).home).put(id_, name, printer, card_file))


@app.command("keys")
def keys(ctx: typer.Context) -> None:
    """The public keys of this home's paper codes: the trust file of `print read --keys`."""
    from cli.paper_codes import PaperCodes

    with _stage(ctx) as stage:
        codes = PaperCodes(stage.settings, stage.custody, stage.clock, stage.database)
        typer.echo(json.dumps(codes.published(), indent=2))


@app.command("read")
def read(
    code: Annotated[str, typer.Argument(help="The code's text, or a PNG or JPEG picture of a page.")],
    trust: Annotated[Path, typer.Option("--keys", help="Trust file, from `print keys`.")],
) -> None:
    """Verify a paper code offline. It says nothing of today's status. Needs no home."""
    from signing_service.printing.paper_code import KeyList, read_code

    content = _bytes(trust)
    known = KeyList.from_json(content)
    prefix = str(json.loads(content).get("prefix", ""))
    found = read_code(code_text(code, prefix), known, prefix, now=datetime.now(UTC))
    typer.echo(json.dumps(_claims(found), ensure_ascii=False, indent=2))


# --- what they share -------------------------------------------------------------------------------------------


@contextmanager
def _stage(ctx: typer.Context) -> Iterator[Stage]:
    from cli.opened_home import open_home
    from cli.stage import open_stage

    stage = open_stage(open_home(ctx.obj.home))
    try:
        yield stage
    finally:
        stage.close()


def _ledger(stage: Stage) -> PrintLedger:
    from signing_service.printing.ledger import PrintLedger

    return PrintLedger(stage.database, stage.clock)


def _officer(stage: Stage, officer: str) -> str:
    """The officer's id, if the people register knows it. Raises its OfficerNotFound."""
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.people.register import PeopleRegister

    people = PeopleRegister(stage.database, stage.clock, AuditLog())
    with stage.database.read() as session:
        return people.officer(session, officer).id


def _sealed(stage: Stage, document: str) -> SealedDocument:
    """A licence's sealed file, or a released case's. Raises LicenceNotFound, CaseNotFound, PrintUsage."""
    from cert_registry.licences.identifiers import LicenceIdentifier
    from cert_registry.licences.register import by_identifier
    from signing_service.approvals.casework import case_id_of
    from signing_service.approvals.course_view import view_case
    from signing_service.printing.handing_out import SealedDocument

    if document.startswith("1.2.156."):
        with stage.database.read() as session:
            row = by_identifier(session, LicenceIdentifier.parse(document))
            identifier, kind, digest = row.identifier, row.type_code, row.digest or ""
        return SealedDocument(identifier, kind, stage.blobs.get(digest))
    with stage.database.read() as session:
        case_id = case_id_of(session, document)
    view = view_case(stage.work, case_id)
    if not view.document_digest:
        raise PrintUsage(Text(f"办件 {view.number} 尚未办结。", f"Case {view.number} is not released yet."))
    return SealedDocument(case_id, APPROVAL, stage.blobs.get(view.document_digest))


def _print(
    stage: Stage, ledger: PrintLedger, reserved: ReservedCopy, content: bytes, printer: str, officer: str
) -> str:
    from cli.printing_desk import PrintingDesk
    from signing_service.printing.print_run import print_reserved

    job = print_reserved(ledger, reserved, content, PrintingDesk(stage).printer(printer), officer, wait=time.sleep)
    return job.name


def _claims(code: PaperCode) -> dict[str, str]:
    claims, expires = code.claims, code.claims.expires_at
    return {
        "kind": claims.kind.name.lower(),
        "subject": claims.subject,
        "type": claims.document_type,
        "dated": claims.dated.isoformat(),
        "issued_at": claims.issued_at.isoformat(),
        "expires_at": "" if expires is None else expires.isoformat(),
        "digest": claims.digest.hex(),
        "copy_serial": claims.copy_serial,
        "key_id": code.key_id.hex(),
        "short_code": code.short_code,
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as failure:
        raise PrintUsage(
            Text(f"无法读取 {path}。", f"{path} cannot be read."),
            why=Text(f"原因:{failure.strerror}。", f"Cause: {failure.strerror}."),
        ) from failure
