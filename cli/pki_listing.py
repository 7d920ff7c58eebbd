"""`zhengyin pki list|show|ending|doctor`: looking at the register."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.pki_home import finding_json, home_settings, open_register, print_rows, row_json
from cli.pki_options import Json, Which

app = typer.Typer()


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
    network: Annotated[bool, typer.Option(help="Ask the addresses that certificates in use name, too.")] = False,
) -> None:
    """The part of `zhengyin doctor` that looks at certificates, CRLs, their addresses and the TSA's clock."""
    from cli.home_examination import address_findings, record_findings
    from signing_service.pki.health import Level

    settings = home_settings(ctx)
    with open_register(ctx) as register:
        now = register.clock.now()
        found = record_findings(settings, register.database, now)
        if network:
            found += address_findings(settings, register.database, now, own=True)
    print_rows([finding_json(finding, ctx.obj.language) for finding in found], json_output)
    if any(finding.level is Level.FAIL for finding in found):
        raise typer.Exit(1)
