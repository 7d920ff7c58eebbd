"""`zhengyin seals`: applying for, making, filing, using, stopping electronic seals. Data on stdout, messages on stderr.

`--as` names the officer in whose name a change is recorded; the roles are those of the people register. `make` and
`thaw` work on custody's own machine alone: they write its policy and its ledger.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import home_settings, moment, print_rows
from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from signing_service.custody.policy import ServiceEntry
    from signing_service.pki.rules import Actor
    from signing_service.seals.register import SealRegister
    from signing_service.seals.rules import Status
    from signing_service.seals.seal_tables import SealRow
    from signing_service.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Seal = Annotated[str, typer.Argument(metavar="SEAL", help="The seal's id.")]
As = Annotated[str, typer.Option("--as", help="Officer in whose name it is done; needs the role.")]
Reason = Annotated[str, typer.Option("--reason", help="A sentence for the record.")]
Basis = Annotated[str, typer.Option("--basis", help="Legal basis or filing number.")]
From = Annotated[str, typer.Option("--from", help="When it takes effect (ISO 8601); default: now.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
TOKEN = "issuing"  # noqa: S105 - custody's name for the token of issuing CA and seals
MAKER = "seal-maker"


class SealUsage(SigningServiceError):
    """An option that cannot be followed."""

    code = "seal_usage"


# --- seeing ----------------------------------------------------------------------------------------------------


@app.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """All seals and their state now."""
    with _register(ctx) as register, register.database.read() as session:
        now = register.clock.now()
        rows = [_row(row, register.status(session, row.id, now)) for row in register.all(session)]
    print_rows(rows, as_json)


@app.command()
def show(
    ctx: typer.Context, seal: Seal, at: Annotated[str, typer.Option(help="State at this time (ISO 8601).")] = ""
) -> None:
    """One seal, its state at a time and its history, as JSON."""
    with _register(ctx) as register, register.database.read() as session:
        row = register.find(session, seal)
        when = moment(at) or register.clock.now()
        history = [
            {"move": c.move, "state": c.after, "by": c.actor, "reason": c.reason, "basis": c.legal_basis,
             "effective_from": c.effective_from.isoformat(), "recorded_at": c.recorded_at.isoformat()}
            for c in register.history(session, seal)
        ]  # fmt: skip
        document = _row(row, register.status(session, seal, when)) | {
            "at": when.isoformat(), "holders": row.holders, "conditions": row.conditions, "design": row.design,
            "certificate": hashlib.sha256(row.certificate).hexdigest() if row.certificate else None,
            "history": history,
        }  # fmt: skip
    _print(document)


@app.command()
def uses(ctx: typer.Context, seal: Seal, as_json: Json = False) -> None:
    """Every use of a seal, oldest first."""
    from signing_service.seals.use_book import UseBook

    with _register(ctx) as register:
        rows = [
            {"use": use.id, "reserved_at": use.reserved_at.isoformat(), "state": use.state, "type": use.document_type,
             "reference": use.reference, "actor": use.actor, "digest": use.digest, "approver": use.approver,
             "authorisation": use.authorisation, "reason": use.reason}
            for use in UseBook(register).uses(seal)
        ]  # fmt: skip
    print_rows(rows, as_json)


@app.command()
def read(file: Annotated[Path, typer.Argument(help="A seal as data (.esl): GM/T 0031 or GB/T 38540.")]) -> None:
    """What a seal file says, as JSON: version, name, validity, picture, maker's algorithm and signature."""
    from signing_service.seals.structures import read_seal

    seal = read_seal(_bytes(file))
    try:
        seal.check_maker_signature()
        maker = "intact"
    except SigningServiceError as refusal:
        maker = refusal.code
    _print(
        {
            "version": seal.version, "vendor": seal.vendor, "id": seal.es_id, "name": seal.name, "kind": seal.kind,
            "valid_from": seal.valid_from.isoformat(), "valid_until": seal.valid_until.isoformat(),
            "picture": {"type": seal.picture_type, "width_mm": seal.width_mm, "height_mm": seal.height_mm},
            "certificates": [hashlib.sha256(each).hexdigest() for each in seal.certificates],
            "maker_algorithm": seal.algorithm, "maker_signature": maker,
        }
    )  # fmt: skip


@app.command()
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
) -> None:
    """Draw a seal's picture at true size, transparent."""
    from signing_service.kernel.blobs import write_atomically
    from signing_service.seals.picture import SealDesign, seal_png, seal_svg

    design = SealDesign(name, shape, "star", bottom_line, code, diameter)  # type: ignore[arg-type]  # checked when drawn
    if seal:
        with _register(ctx) as register, register.database.read() as session:
            design = SealDesign(**register.find(session, seal).design)
    if output.suffix not in (".png", ".svg"):
        raise SealUsage(Text("图样只能存为 .png 或 .svg。", "A picture is saved as .png or .svg."))
    content = seal_png(design, dpi=dpi) if output.suffix == ".png" else seal_svg(design).encode()
    write_atomically(output, content, mode=0o644)
    typer.echo(str(output))


# --- the life of a seal ----------------------------------------------------------------------------------------


@app.command()
def request(
    ctx: typer.Context,
    seal: Seal,
    name: Annotated[str, typer.Option(help="The name on the seal.")],
    owner: Annotated[str, typer.Option(help="Department that owns it (id).")],
    holder: Annotated[list[str], typer.Option(help="Officer whose USB key authorises; may be repeated.")],
    by: As,
    kind: Annotated[str, typer.Option(help="statutory, special, personal, simulation, straddle.")] = "statutory",
    shape: Annotated[str, typer.Option(help="round, oval or square.")] = "round",
    bottom_line: Annotated[str, typer.Option(help="Line below the star.")] = "",
    code: Annotated[str, typer.Option(help="Code along the lower arc.")] = "",
    diameter: Annotated[float, typer.Option(help="Millimetres.")] = 42.0,
    years: Annotated[int, typer.Option(help="Validity.")] = 3,
    conditions: Annotated[str, typer.Option(help='JSON, such as {"per_day": 100, "document_types": ["批复"]}.')] = "{}",
    reason: Reason = "",
    basis: Basis = "",
) -> None:
    """Apply for a seal; a second administrator approves."""
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.people.register import PeopleRegister
    from signing_service.seals.picture import SealDesign
    from signing_service.seals.register import Application
    from signing_service.seals.rules import Kind, Why

    if kind not in list(Kind):
        raise SealUsage(Text(f"没有印章类型“{kind}”。", f"There is no kind “{kind}”."))
    with _register(ctx) as register:
        people = PeopleRegister(register.database, register.clock, AuditLog())
        with register.database.read() as session:
            department = people.department(session, owner)
            owner_name, owner_code = department.name, department.code
        now = register.clock.now()
        application = Application(
            seal, Kind(kind), owner_name, owner_code, owner, tuple(holder),
            SealDesign(name, shape, "star", bottom_line, code, diameter),  # type: ignore[arg-type]  # checked by apply
            now, now + timedelta(days=365 * years), _conditions(conditions),
        )  # fmt: skip
        row = register.apply(application, _actor(register, by), Why(reason, basis))
        _print(_state(row))


@app.command()
def make(ctx: typer.Context, seal: Seal, by: As) -> None:
    """Generate the key in the token, certify it, draw and sign the seal (GB/T 38540), enter it in custody's policy."""
    settings = home_settings(ctx)
    with _register(ctx) as register:
        actor = _actor(register, by)
        with register.database.read() as session:
            row = register.find(session, seal)
            session.expunge(row)
        register.require_move(row, "make", actor)
        structure = _make(settings, register, row)
        _print(_state(register.make(seal, structure, actor)))


def _move(name: str, summary: str) -> None:
    def command(
        ctx: typer.Context, seal: Seal, by: As, reason: Reason = "", basis: Basis = "", effective: From = ""
    ) -> None:
        from signing_service.seals.rules import Why

        with _register(ctx) as register:
            why = Why(reason, basis, moment(effective))
            _print(_state(register.change(seal, name, _actor(register, by), why)))

    command.__doc__ = summary
    app.command(name)(command)


for _name, _summary in (
    ("approve", "Approve an application, as a second administrator."),
    ("refuse", "Refuse an application, with the reason."),
    ("file", "Record the filing (备案); --basis is its number."),
    ("activate", "Put a filed seal into use."),
    ("suspend", "Stop a seal for a time; its holder may do it too."),
    ("resume", "Put a suspended seal into use again."),
    ("cancel", "Cancel a seal: rename, dissolution, merger, key compromise, other."),
    ("void", "Mark a seal as wrongly made: void from the start."),
):
    _move(_name, _summary)


# --- the stop switch -------------------------------------------------------------------------------------------


@app.command()
def freeze(
    ctx: typer.Context,
    scope: Annotated[str, typer.Argument(help="all, bureau:ID or seal:ID.")],
    by: As,
    reason: Reason = "",
) -> None:
    """Stop all sealing, or one bureau's or one seal's, at once."""
    from cli.opened_home import open_custody

    if (scope != "all" and not scope.startswith(("bureau:", "seal:"))) or not reason:
        raise SealUsage(Text("范围为 all、bureau:编号 或 seal:编号,并写明 --reason。",
                             "The scope is all, bureau:ID or seal:ID, and --reason is needed."))  # fmt: skip
    open_custody(home_settings(ctx)).freeze(scope, actor=by, reason=reason)
    frozen(ctx)


@app.command()
def thaw(ctx: typer.Context, scope: str, by: As, reason: Reason = "") -> None:
    """Lift a stop; only on custody's own machine and account."""
    from signing_service.custody.core import Custody

    custody = Custody(home_settings(ctx).custody)
    custody.thaw(scope, actor=by, reason=reason)
    custody.close()
    frozen(ctx)


@app.command()
def frozen(ctx: typer.Context) -> None:
    """The stops that stand, as JSON."""
    from cli.opened_home import open_custody

    stops = open_custody(home_settings(ctx)).frozen()
    _print([asdict(stop) | {"since": stop.since.isoformat()} for stop in stops])


# --- parts -----------------------------------------------------------------------------------------------------


@contextmanager
def _register(ctx: typer.Context) -> Iterator[SealRegister]:
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.kernel.clock import SystemClock
    from signing_service.kernel.database import Database
    from signing_service.seals.register import SealRegister

    database = Database(home_settings(ctx).database_url)
    try:
        yield SealRegister(database, SystemClock(), AuditLog())
    finally:
        database.close()


def _actor(register: SealRegister, officer: str) -> Actor:
    """The officer with the roles held now."""
    from signing_service.people.register import PeopleRegister
    from signing_service.pki.rules import Actor

    people = PeopleRegister(register.database, register.clock, register.audit)
    with register.database.read() as session:
        known = people.officer(session, officer)
        roles = frozenset(role.value for role in people.roles_of(session, officer))
        return Actor(known.id, roles, department=known.department_id)


def _conditions(text: str) -> Any:
    from signing_service.seals.conditions import Conditions

    try:
        return Conditions.from_json(json.loads(text))
    except (ValueError, TypeError, AttributeError) as failure:
        raise SealUsage(
            Text("--conditions 不是可用的使用条件。", "--conditions are no conditions of use."),
            why=Text(f"原因:{failure}。", f"Cause: {failure}."),
        ) from failure


def _make(settings: Settings, register: SealRegister, row: SealRow) -> bytes:
    """Key, certificate, picture, signed structure; custody knows the seal before it is recorded as made."""
    from cli.opened_home import open_custody, save_picture
    from signing_service.custody.keys import ServiceKey
    from signing_service.custody.policy import SealEntry, change_policy
    from signing_service.kernel.clock import SystemClock
    from signing_service.people.officers import SIGNING
    from signing_service.people.register import PeopleRegister
    from signing_service.seals.picture import SealDesign, draw_seal, seal_png
    from signing_service.seals.rules import KIND_NUMBERS, Kind
    from signing_service.seals.structures import SealContent, make_seal

    simulation = row.kind == Kind.SIMULATION
    certificate, chain = _certify(
        settings, f"seal-{row.id}", f"{row.name}电子印章", row, "simulation-seal" if simulation else "seal"
    )
    maker = _maker(settings, row)
    design = SealDesign(**row.design)
    content = SealContent(
        row.id, KIND_NUMBERS[Kind(row.kind)], row.name, (certificate,), SystemClock().now(), row.valid_from,
        row.valid_until, seal_png(design), round(design.diameter_mm), round(design.height_mm),
    )  # fmt: skip
    people = PeopleRegister(register.database, register.clock, register.audit)
    with register.database.read() as session:
        holders = tuple(each.der for officer in row.holders for each in people.certificates(session, officer, SIGNING))
    entry = SealEntry(TOKEN, certificate, row.department, holders, chain)
    change_policy(settings.custody, lambda policy: policy.with_seal(row.id, entry))
    save_picture(settings, row.id, draw_seal(design))
    key = ServiceKey.of(open_custody(settings), "seal_maker")
    return make_seal(content, maker=maker.certificate, algorithm_oid="1.2.840.10045.4.3.2", sign=key.sign)


def _maker(settings: Settings, row: SealRow) -> ServiceEntry:
    """The key that signs seals (制章), made the first time that one is needed."""
    from signing_service.custody.policy import ServiceEntry, change_policy, load_policy

    known = load_policy(settings.custody).services.get("seal_maker")
    if known is not None:
        return known
    certificate, chain = _certify(settings, MAKER, f"{settings.city}电子印章制章", row, "seal")
    entry = ServiceEntry(TOKEN, MAKER.encode(), certificate, chain)
    change_policy(settings.custody, lambda policy: policy.with_service("seal_maker", entry))
    return entry


def _certify(
    settings: Settings, label: str, subject: str, row: SealRow, profile: str
) -> tuple[bytes, tuple[bytes, ...]]:
    """A new P-256 key in custody's token with its certificate by our own CA; (certificate, chain)."""
    from cli.own_services import own_pki
    from hardware.driver import open_token
    from hardware.pin_source import read_pin_file
    from signing_service.custody.policy import load_policy
    from signing_service.pki.names import subject_name
    from signing_service.pki.register import Holder
    from signing_service.pki.rules import SYSTEM, Actor

    place = load_policy(settings.custody).tokens[TOKEN]
    pin = settings.custody / place.pin_file
    services = own_pki(settings)
    authority = services.authorities["simulation" if profile == "simulation-seal" else "issuing"]
    name = subject_name(subject, organization=row.owner_name, identifier=row.owner_code)
    with open_token(place.module, serial=place.serial, pin=lambda: read_pin_file(pin), write=True) as token:
        keys = token.keys()
        left_over = [key for key in keys if key.id == label.encode()]  # by a run that was cut off
        key = left_over[0] if left_over else token.generate("p256", label=label, id=label.encode())
        holder = Holder(label, row.department, place.serial)
        made = authority.issue(profile, name, key.public_key, holder, Actor("zhengyin seals make", frozenset({SYSTEM})))  # type: ignore[arg-type]
        token.store_certificate(made, label=label, id=key.id)
    authority.register.database.close()
    return made, (authority.key.certificate, *authority.key.chain)


def _row(row: SealRow, status: Status) -> dict[str, Any]:
    return {
        "id": row.id, "state": status.state, "name": row.name, "kind": row.kind, "owner": row.owner_name,
        "valid_until": row.valid_until.isoformat(), "owner_code": row.owner_code, "department": row.department,
        "since": status.since.isoformat() if status.since else None, "reason": status.reason,
    }  # fmt: skip


def _state(row: SealRow) -> dict[str, str]:
    return {"id": row.id, "state": row.state}


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as failure:
        raise SealUsage(
            Text(f"无法读取 {file}:{failure.strerror}。", f"{file} cannot be read: {failure.strerror}.")
        ) from failure


def _print(document: Any) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
