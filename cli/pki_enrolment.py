"""`zhengyin pki request|approve|refuse|issue|activate`: a certificate for an officer's USB key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.pki_home import actor_named, bind_to_officer, change_state, open_enrolment, open_usb_key
from cli.pki_options import As, Which, WhyText

app = typer.Typer()


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
def approve(ctx: typer.Context, which: Which, by: As, reason: WhyText = "") -> None:
    """Approve a request: a second person, not the one who asked, nor the holder."""
    change_state(ctx, which, "approve", by, reason)


@app.command()
def refuse(ctx: typer.Context, which: Which, by: As, reason: WhyText) -> None:
    """Refuse a request."""
    change_state(ctx, which, "refuse", by, reason)


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
