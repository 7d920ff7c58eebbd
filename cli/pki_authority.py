"""`zhengyin pki crl|ceremony`: what the CAs sign."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cli.pki_home import PkiUsage, actor_named, home_settings, known_cas, open_register, open_usb_key, pairs
from cli.pki_options import As
from signing_service.errors import Text

app = typer.Typer()


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
    from signing_service.pki.ceremony import hold_ceremony, next_crl_numbers, record_ceremony, require_officiant
    from signing_service.pki.ceremony_plan import read_plan

    checked = read_plan(plan.read_text(encoding="utf-8"))
    if dry_run:
        for step in tell(checked):
            typer.echo(step.in_(ctx.obj.language))
        return
    uris, pins = pairs(token), pairs(pin_file)
    with open_register(ctx) as register, ExitStack() as stack:
        actor = actor_named(register, by)
        require_officiant(register, AuditLog(), checked, actor)
        opened = {
            name: stack.enter_context(open_usb_key(ctx, uris[name], Path(pins[name])))
            for name in sorted(checked.tokens & uris.keys() & pins.keys())
        }
        with register.database.read() as session:
            known = {row.owner: row.der for row in known_cas(session)}
            numbers = next_crl_numbers(session, known)
        record = hold_ceremony(checked, opened, register.clock, crl_numbers=numbers)
        with register.database.write() as session:
            record_ceremony(register, AuditLog(), session, record, actor)
    typer.echo(json.dumps(record.as_json(), ensure_ascii=False, indent=2))
