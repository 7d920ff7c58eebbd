"""`zhengyin pki`: certificates, their approval and revocation, CRLs, ceremonies, and what a lost key touched.

`--as` names the officer in whose name a change is recorded; the roles are those of the people register. Whoever may
run this on the server's own machine is trusted to name himself (docs/guide/pki.md).
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.pki_home import (
    PkiUsage,
    actor_named,
    bind_to_officer,
    finding_json,
    home_settings,
    impact_json,
    known_cas,
    moment,
    open_enrolment,
    open_register,
    open_usb_key,
    outbound_of,
    pairs,
    print_rows,
    reason_named,
    row_json,
)
from signing_service.errors import Text

if TYPE_CHECKING:
    from signing_service.pki.crl import Reason

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Which = Annotated[str, typer.Argument(help="Reference or SHA-256 fingerprint of the certificate.")]
As = Annotated[str, typer.Option("--as", help="Officer in whose name it is done; needs the role.")]
Why_ = Annotated[str, typer.Option("--reason", help="A sentence for the record.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help="Only those in this state.")] = "",
    json_output: Json = False,
) -> None:
    """Certificates on record, newest last."""
    from sqlalchemy import select

    from signing_service.pki.certificates import CertificateRow

    query = select(CertificateRow).order_by(CertificateRow.id)
    if state:
        query = query.where(CertificateRow.state == state)
    with open_register(ctx) as register, register.database.read() as session:
        rows = [row_json(row) for row in session.scalars(query)]
    print_rows(rows, json_output)


@app.command()
def show(ctx: typer.Context, which: Which) -> None:
    """One certificate with its history, as JSON."""
    from sqlalchemy import select

    from signing_service.pki.certificates import CertificateChange

    with open_register(ctx) as register, register.database.read() as session:
        row = register.find(session, which)
        query = select(CertificateChange).where(CertificateChange.certificate_id == row.id)
        history = [
            {"move": change.move, "state": change.after, "by": change.actor, "reason": change.reason,
             "effective_from": change.effective_from.isoformat(), "recorded_at": change.recorded_at.isoformat()}
            for change in session.scalars(query.order_by(CertificateChange.id))
        ]  # fmt: skip
        typer.echo(json.dumps(row_json(row) | {"history": history}, ensure_ascii=False, indent=2))


@app.command()
def ending(ctx: typer.Context, json_output: Json = False) -> None:
    """Active certificates that end within 30, 7 or 1 days, or have ended."""
    from signing_service.pki.expiry import ending_soon

    with open_register(ctx) as register, register.database.read() as session:
        found = ending_soon(session, register.clock.now())
    rows = [
        {"reference": entry.reference, "profile": entry.profile, "owner": entry.owner, "step": entry.step,
         "not_after": entry.not_after.isoformat()}
        for entry in found
    ]  # fmt: skip
    print_rows(rows, json_output)


@app.command()
def doctor(
    ctx: typer.Context,
    json_output: Json = False,
    network: Annotated[bool, typer.Option(help="Ask the addresses in the TSA's certificate too.")] = False,
) -> None:
    """What is wrong with certificates, CRLs and their addresses; exit code 1 where something fails."""
    from signing_service.pki.health import Level, network_findings, register_findings

    settings = home_settings(ctx)
    with open_register(ctx) as register, register.database.read() as session:
        now = register.clock.now()
        found = register_findings(session, now, production=not settings.is_demo)
        if network:
            tsa = register.active(session, "tsa", "tsa")[0].der
            found += network_findings(tsa, register.chain(session, tsa)[0], outbound_of(settings), now)
    print_rows([finding_json(finding, ctx.obj.language) for finding in found], json_output)
    if any(finding.level is Level.FAIL for finding in found):
        raise typer.Exit(1)


@app.command()
def request(
    ctx: typer.Context,
    profile: Annotated[str, typer.Option(help="officer-signing, officer-authentication, …")],
    owner: Annotated[str, typer.Option(help="The holder's officer id.")],
    by: As,
    replaces: Annotated[str, typer.Option(help="Reference of the certificate that it is to succeed.")] = "",
) -> None:
    """Ask for a certificate for an officer of the register; prints the request's reference."""
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.people.register import PeopleRegister
    from signing_service.pki.names import subject_name
    from signing_service.pki.register import Holder

    with open_enrolment(ctx) as (register, enrolment):
        people = PeopleRegister(register.database, register.clock, AuditLog())
        with register.database.read() as session:
            officer = people.officer(session, owner)
            department = people.department(session, officer.department_id)
            subject = subject_name(officer.name, organization=department.name, identifier=officer.id)
            holder = Holder(officer.id, department.id)
        typer.echo(enrolment.request(profile, holder, subject, actor_named(register, by), replaces=replaces))


@app.command()
def approve(ctx: typer.Context, which: Which, by: As, reason: Why_ = "") -> None:
    """Approve a request: a second person, not the one who asked, nor the holder."""
    _change(ctx, which, "approve", by, reason)


@app.command()
def refuse(ctx: typer.Context, which: Which, by: As, reason: Why_) -> None:
    """Refuse a request."""
    _change(ctx, which, "refuse", by, reason)


@app.command()
def issue(
    ctx: typer.Context,
    which: Which,
    by: As,
    token: Annotated[str, typer.Option(help="The USB key, as an RFC 7512 URI (pkcs11:serial=…).")],
    pin_file: Annotated[Path, typer.Option(help="Owner-only file with its PIN.", exists=True, dir_okay=False)],
    label: Annotated[str, typer.Option(help="The new key's label on the token.")] = "signing",
    key: Annotated[str, typer.Option(help="rsa2048, rsa3072, p256 or p384.")] = "rsa2048",
) -> None:
    """Generate the key on the token, certify it, write the certificate back and read it again."""
    from signing_service.pki.register import fingerprint
    from signing_service.pki.usb_enrolment import issue_onto

    with open_enrolment(ctx) as (register, enrolment), open_usb_key(ctx, token, pin_file) as usb_key:
        made = issue_onto(enrolment, which, usb_key, actor_named(register, by), label=label, key_kind=key)
    typer.echo(fingerprint(made))


@app.command()
def activate(
    ctx: typer.Context,
    which: Which,
    by: As,
    token: Annotated[str, typer.Option(help="The USB key, as an RFC 7512 URI (pkcs11:serial=…).")],
    pin_file: Annotated[Path, typer.Option(help="Owner-only file with its PIN.", exists=True, dir_okay=False)],
) -> None:
    """The holder takes the certificate over: its key signs the statement."""
    from signing_service.pki.usb_enrolment import activate_with

    with open_enrolment(ctx) as (register, enrolment), open_usb_key(ctx, token, pin_file) as usb_key:
        with register.database.read() as session:
            certificate = register.find(session, which).der
        activate_with(enrolment, which, usb_key, certificate, actor_named(register, by))
        bind_to_officer(register, which, by)


@app.command()
def unblock(
    ctx: typer.Context,
    which: Which,
    by: As,
    so_pin_file: Annotated[Path, typer.Option(help="Owner-only file with the SO PIN.", exists=True, dir_okay=False)],
    reason: Why_,
) -> None:
    """Set a new PIN on the token of a certificate, with the security officer's PIN; asked for without echo."""
    from hardware.care import unblock as set_pin
    from hardware.pin_source import read_pin_file
    from signing_service.pki.token_care import logged_care

    with (
        open_register(ctx) as register,
        logged_care(register, which, "unblock", actor_named(register, by), reason) as (serial),
    ):
        new = typer.prompt("新 PIN / new PIN", hide_input=True, confirmation_prompt=True, err=True)
        module = home_settings(ctx).token_module
        set_pin(module, serial=serial, so_pin=read_pin_file(so_pin_file), new_pin=new)


@app.command()
def csr(
    ctx: typer.Context,
    subject: Annotated[str, typer.Option(help="Common name.")],
    organization: Annotated[str, typer.Option(help="Organisation.")],
    token: Annotated[str, typer.Option(help="The token, as an RFC 7512 URI (pkcs11:serial=…).")],
    pin_file: Annotated[Path, typer.Option(help="Owner-only file with its PIN.", exists=True, dir_okay=False)],
    label: Annotated[str, typer.Option(help="Label of the key; made if there is none.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the request (DER) goes.")],
    key: Annotated[str, typer.Option(help="Kind of a new key.")] = "rsa2048",
) -> None:
    """A certificate request for a licensed CA, by a key on a token (an HSM's seal key, say)."""
    from signing_service.kernel.blobs import write_atomically
    from signing_service.pki.csr import build_request
    from signing_service.pki.names import subject_name

    with open_usb_key(ctx, token, pin_file) as opened:
        known = [entry for entry in opened.keys() if entry.label == label]  # noqa: SIM118  # a token is no mapping
        chosen = known[0] if len(known) == 1 else opened.generate(key, label=label, id=label.encode())
        name = subject_name(subject, organization=organization)
        write_atomically(output, build_request(chosen, chosen.public_key, name), mode=0o644)


@app.command()
def trust(
    ctx: typer.Context,
    anchor: Annotated[Path, typer.Argument(help="The outside CA's root, PEM or DER.", exists=True, dir_okay=False)],
    by: As,
    licence: Annotated[str, typer.Option(help="Number of its licence.")] = "",
    ocsp: Annotated[str, typer.Option(help="Its OCSP address, where its certificates do not say.")] = "",
    crl_url: Annotated[str, typer.Option("--crl", help="Its CRL address, where its certificates do not say.")] = "",
) -> None:
    """Put an outside (licensed) CA on record, with its own revocation sources."""
    from signing_service.pki.outside import RevocationSources, add_outside_ca

    with open_register(ctx) as register:
        actor = actor_named(register, by)
        with register.database.write() as session:
            sources = RevocationSources(ocsp, crl_url)
            row = add_outside_ca(
                session, anchor.read_bytes(), actor, register.clock.now(), licence=licence, sources=sources
            )
            typer.echo(row.fingerprint)


@app.command("import")
def import_(
    ctx: typer.Context,
    certificate: Annotated[Path, typer.Argument(help="The CA's answer, PEM or DER.", exists=True, dir_okay=False)],
    request_file: Annotated[Path, typer.Option("--csr", help="The request that was sent.", exists=True)],
    profile: Annotated[str, typer.Option(help="seal, tsa, …")],
    owner: Annotated[str, typer.Option(help="Such as seal:default.")],
    by: As,
    chain: Annotated[list[Path] | None, typer.Option(help="A certificate above it.", exists=True)] = None,
    department: Annotated[str, typer.Option(help="Department id.")] = "",
) -> None:
    """Take the certificate that an outside CA issued for a token's key."""
    from signing_service.pki.csr import read_request
    from signing_service.pki.outside import record_outside
    from signing_service.pki.register import Holder

    asked = read_request(request_file.read_bytes())
    above = [path.read_bytes() for path in chain or ()]
    with open_register(ctx) as register:
        actor, holder = actor_named(register, by), Holder(owner, department)
        row = record_outside(register, profile, certificate.read_bytes(), above, asked, holder, actor)
        typer.echo(row.reference)


@app.command()
def suspend(ctx: typer.Context, which: Which, by: As, reason: Why_) -> None:
    """Put a certificate on hold."""
    _change(ctx, which, "suspend", by, reason)


@app.command()
def release(ctx: typer.Context, which: Which, by: As, reason: Why_) -> None:
    """Lift a hold."""
    _change(ctx, which, "release", by, reason)


@app.command()
def revoke(
    ctx: typer.Context,
    which: Which,
    by: As,
    reason: Why_,
    code: Annotated[str, typer.Option(help="key_compromise, affiliation_changed, superseded, …")] = "unspecified",
    lost_at: Annotated[str, typer.Option(help="When the key is thought to have been lost, ISO 8601.")] = "",
    basis: Annotated[str, typer.Option(help="Legal basis.")] = "",
) -> None:
    """Revoke a certificate for good; OCSP and CRL say so at once."""
    _change(ctx, which, "revoke", by, reason, code=reason_named(code), lost_at=moment(lost_at), basis=basis)


@app.command()
def crl(
    ctx: typer.Context,
    issuer: Annotated[str, typer.Argument(help="issuing or simulation.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the CRL goes.")],
) -> None:
    """Publish a new CRL now, and write it to a file too."""
    from cli.own_services import own_pki
    from signing_service.kernel.blobs import write_atomically

    made = own_pki(home_settings(ctx)).crls.publish(issuer)
    if made is None:
        raise PkiUsage(
            Text(f"“{issuer}”不能在此签发 CRL。", f'"{issuer}" cannot sign a CRL here.'),
            advice=Text("根 CA 的 CRL 在密钥仪式中签发。", "The root's CRL is signed at a ceremony."),
        )
    write_atomically(output, made, mode=0o644)


@app.command()
def impact(
    ctx: typer.Context,
    certificate: Annotated[str, typer.Option(help="Reference or fingerprint of the compromised certificate.")],
    since: Annotated[str, typer.Option(help="Since when, ISO 8601.")],
    revoke_all: Annotated[bool, typer.Option("--revoke", help="Ask, then revoke what is drafted.")] = False,
    by: Annotated[str, typer.Option("--as", help="Officer in whose name it is revoked.")] = "",
) -> None:
    """What depended on a key since then, and the revocations that follow; nothing is revoked unasked."""
    from signing_service.pki.impact import carry_out
    from signing_service.pki.impact import impact as look

    start = moment(since)
    if start is None:
        raise PkiUsage(Text("请给出时间。", "Give a time."))
    with open_register(ctx) as register:
        with register.database.read() as session:
            found = look(session, register, certificate, start, {})
        typer.echo(json.dumps(impact_json(found), ensure_ascii=False, indent=2))
        if revoke_all and typer.confirm(f"吊销 {len(found.drafts)} 张证书 / Revoke these?", err=True):
            chosen = [draft.reference for draft in found.drafts]
            carry_out(register, found, chosen, actor_named(register, by), "密钥泄露")


@app.command()
def ceremony(
    ctx: typer.Context,
    plan: Annotated[Path, typer.Argument(help="The ceremony's YAML.", exists=True, dir_okay=False)],
    by: As = "",
    token: Annotated[list[str] | None, typer.Option(help="NAME=pkcs11:serial=… for each token of the plan.")] = None,
    pin_file: Annotated[list[str] | None, typer.Option(help="NAME=FILE with its PIN, owner-only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the plan and tell what would happen.")] = False,
) -> None:
    """Hold a key ceremony by its plan; the record goes to stdout and into the audit log."""
    from signing_service.kernel.audit_log import AuditLog
    from signing_service.pki.ceremony import dry_run as tell
    from signing_service.pki.ceremony import hold_ceremony, next_crl_numbers, record_ceremony
    from signing_service.pki.ceremony_plan import read_plan

    checked = read_plan(plan.read_text(encoding="utf-8"))
    if dry_run:
        for step in tell(checked):
            typer.echo(step.in_(ctx.obj.language))
        return
    uris, pins = pairs(token), pairs(pin_file)
    with open_register(ctx) as register, ExitStack() as stack:
        opened = {
            name: stack.enter_context(open_usb_key(ctx, uris[name], Path(pins[name])))
            for name in sorted(checked.tokens & uris.keys() & pins.keys())
        }
        actor = actor_named(register, by)
        with register.database.read() as session:
            known = {row.owner: row.der for row in known_cas(session)}
            numbers = next_crl_numbers(session, known)
        record = hold_ceremony(checked, opened, register.clock, crl_numbers=numbers)
        with register.database.write() as session:
            record_ceremony(register, AuditLog(), session, record, actor)
    typer.echo(json.dumps(record.as_json(), ensure_ascii=False, indent=2))


def _change(
    ctx: typer.Context, which: str, move: str, by: str, text: str, *, code: Reason | None = None,
    lost_at: datetime | None = None, basis: str = "",
) -> None:  # fmt: skip
    from signing_service.pki.crl import Reason
    from signing_service.pki.register import Why

    why = Why(text, code or Reason.UNSPECIFIED, legal_basis=basis, invalid_from=lost_at)
    with open_register(ctx) as register:
        row = register.change(which, move, actor_named(register, by), why)
    typer.echo(f"{row.reference} {row.state}")
