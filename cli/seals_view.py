"""`zhengyin seals`: what can be seen — lists, one seal, its status at a time, its uses, seal files, pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import home_settings, moment, print_rows
from cli.seals_parts import Json, Seal, SealUsage, open_register, print_document, read_bytes, row_json
from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from signing_service.seals.seal_signature import SealSignature
    from signing_service.seals.structures import SealData


def add_views(app: typer.Typer) -> None:
    """Register the commands of this module."""
    for name, command in (
        ("list", list_), ("show", show), ("status", status), ("uses", uses), ("ledger", ledger), ("read", read),
        ("picture", picture),
    ):  # fmt: skip
        app.command(name)(command)


def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """All seals and their state now."""
    with open_register(ctx) as register, register.database.read() as session:
        now = register.clock.now()
        rows = [row_json(row, register.status(session, row.id, now)) for row in register.all(session)]
    print_rows(rows, as_json)


def show(
    ctx: typer.Context,
    seal: Seal,
    at: Annotated[str, typer.Option(help="State at this time (ISO 8601).")] = "",
    as_json: Json = False,
) -> None:
    """One seal, its state at a time and its history."""
    with open_register(ctx) as register, register.database.read() as session:
        row = register.find(session, seal)
        when = moment(at) or register.clock.now()
        history = [
            {"move": c.move, "state": c.after, "by": c.actor, "reason": c.reason, "basis": c.legal_basis,
             "effective_from": c.effective_from.isoformat(), "recorded_at": c.recorded_at.isoformat()}
            for c in register.history(session, seal)
        ]  # fmt: skip
        document = row_json(row, register.status(session, seal, when)) | {
            "at": when.isoformat(), "holders": row.holders, "conditions": row.conditions, "design": row.design,
            "certificate": hashlib.sha256(row.certificate).hexdigest() if row.certificate else None,
            "history": history,
        }  # fmt: skip
    print_document(document, as_json)


def status(
    ctx: typer.Context,
    seal: Seal,
    at: Annotated[str, typer.Option(help="The instant asked about (ISO 8601); default: now.")] = "",
    as_json: Json = False,
) -> None:
    """A seal's state at a time, as it is known now."""
    with open_register(ctx) as register, register.database.read() as session:
        row, now = register.find(session, seal), register.clock.now()
        when = moment(at) or now
        found = register.status(session, seal, when)
    print_document(
        {
            "seal": row.id, "at": when.isoformat(), "known_at": now.isoformat(), "state": found.state,
            "usable": found.usable, "since": found.since.isoformat() if found.since else None, "name": row.name,
            "owner": row.owner_name, "owner_code": row.owner_code,
        },
        as_json,
    )  # fmt: skip


def uses(ctx: typer.Context, seal: Seal, as_json: Json = False) -> None:
    """Every use of a seal, oldest first."""
    from signing_service.seals.use_book import UseBook

    with open_register(ctx) as register:
        rows = [
            {"use": use.id, "reserved_at": use.reserved_at.isoformat(), "state": use.state, "type": use.document_type,
             "reference": use.reference, "actor": use.actor, "digest": use.digest, "approver": use.approver,
             "authorisation": use.authorisation, "reason": use.reason}
            for use in UseBook(register).uses(seal)
        ]  # fmt: skip
    print_rows(rows, as_json)


def ledger(ctx: typer.Context, seal: Seal, as_json: Json = False) -> None:
    """What custody's own ledger says of a seal: every use, by whose authorisation, emergency use included."""
    from cli.opened_home import open_custody

    found = open_custody(home_settings(ctx)).uses(seal)
    print_rows(
        [{"at": each.at.isoformat(), "completed": each.completed, **asdict(each.use)} for each in found], as_json
    )


def read(
    file: Annotated[Path, typer.Argument(help="A seal (.esl), a signed value (.dat), or an OFD file.")],
    as_json: Json = False,
) -> None:
    """What a seal or what was signed with one says: version, name, validity, picture, algorithms, signatures."""
    from signing_service.seals.seal_signature import ZIP, signed_values

    content = read_bytes(file)
    if content.startswith(ZIP):
        values = signed_values(content)
        document: dict[str, Any] = {"signatures": {name: _value_or_problem(value) for name, value in values.items()}}
    else:
        document = _seal_or_value(content)
    print_document(document, as_json)


def _value_or_problem(value: bytes) -> dict[str, Any]:
    """A bare signature without a seal, which OFD allows too, is told by its problem."""
    from signing_service.seals.seal_signature import read_seal_signature

    try:
        return signature_json(read_seal_signature(value))
    except SigningServiceError as refusal:
        return {"problem": refusal.code, "text": refusal.explain("zh")}


def _seal_or_value(content: bytes) -> dict[str, Any]:
    """Raises SealUnreadable, for a seal, where it is neither."""
    from signing_service.seals.seal_signature import read_seal_signature
    from signing_service.seals.structures import SealUnreadable, read_seal

    try:
        return seal_json(read_seal(content))
    except SealUnreadable as no_seal:
        try:
            return signature_json(read_seal_signature(content))
        except SealUnreadable:
            raise no_seal from None


def seal_json(seal: SealData) -> dict[str, Any]:
    """A seal as one document."""
    return {
        "version": seal.version, "vendor": seal.vendor, "id": seal.es_id, "name": seal.name, "kind": seal.kind,
        "valid_from": seal.valid_from.isoformat(), "valid_until": seal.valid_until.isoformat(),
        "picture": {"type": seal.picture_type, "width_mm": seal.width_mm, "height_mm": seal.height_mm},
        "certificates": [hashlib.sha256(each).hexdigest() for each in seal.certificates],
        "maker_algorithm": seal.algorithm, "maker_signature": _outcome(seal.check_maker_signature),
    }  # fmt: skip


def signature_json(value: SealSignature) -> dict[str, Any]:
    """A signed value with its seal as one document."""
    return {
        "version": value.version, "signed_at": value.signed_at.isoformat() if value.signed_at else None,
        "algorithm": value.algorithm, "signature": _outcome(value.check_signature),
        "signer": hashlib.sha256(value.signer).hexdigest(), "signer_is_the_seals": value.signer_is_the_seals,
        "data_hash": value.data_hash.hex(), "signs": value.property_info, "timestamp": bool(value.timestamp),
        "seal": seal_json(value.seal),
    }  # fmt: skip


def _outcome(check: Callable[[], None]) -> str:
    """`intact`, else the refusal's code: broken, or an algorithm that cannot be checked here."""
    try:
        check()
    except SigningServiceError as refusal:
        return refusal.code
    return "intact"


def picture(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("-o", "--output", help="Ends in .png or .svg.")],
    seal: Annotated[str, typer.Option(help="A seal of this home; or give --name.")] = "",
    name: Annotated[str, typer.Option(help="Draw a design that is not registered.")] = "",
    bottom_line: Annotated[str, typer.Option(help="Line below the star, such as 审批专用章.")] = "",
    code: Annotated[str, typer.Option(help="Code along the lower arc.")] = "",
    shape: Annotated[str, typer.Option(help="round, oval or square.")] = "round",
    diameter: Annotated[float, typer.Option(help="Millimetres.")] = 42.0,
    dpi: Annotated[int, typer.Option(help="Of a PNG.")] = 600,
    as_json: Json = False,
) -> None:
    """Draw a seal's picture at true size, transparent."""
    from signing_service.kernel.blobs import write_atomically
    from signing_service.seals.picture import SealDesign, seal_png, seal_svg

    design = SealDesign(name, shape, "star", bottom_line, code, diameter)  # type: ignore[arg-type]  # checked when drawn
    if seal:
        with open_register(ctx) as register, register.database.read() as session:
            design = SealDesign(**register.find(session, seal).design)
    if output.suffix not in (".png", ".svg"):
        raise SealUsage(Text("图样只能存为 .png 或 .svg。", "A picture is saved as .png or .svg."))
    content = seal_png(design, dpi=dpi) if output.suffix == ".png" else seal_svg(design).encode()
    write_atomically(output, content, mode=0o644)
    print_document({"picture": str(output)} if as_json else [str(output)], as_json)
