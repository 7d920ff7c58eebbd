"""`zhengyin pki impact`: what a lost key touched."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.pki_home import PkiUsage, actor_named, home_settings, impact_json, moment, open_register
from signing_service.errors import Text

app = typer.Typer()


@app.command()
def impact(
    ctx: typer.Context,
    certificate: Annotated[str, typer.Option(help="Reference or fingerprint of the compromised certificate.")],
    since: Annotated[str, typer.Option(help="Since when, ISO 8601.")],
    revoke_all: Annotated[bool, typer.Option("--revoke", help="Ask, then revoke what is drafted.")] = False,
    by: Annotated[str, typer.Option("--as", help="Officer in whose name it is revoked.")] = "",
) -> None:
    """What depended on a key since then, and the revocations that follow; nothing is revoked unasked."""
    from cli.impact_sources import impact_sources
    from signing_service.pki.impact import carry_out
    from signing_service.pki.impact import impact as look

    start = moment(since)
    if start is None:
        raise PkiUsage(Text("请给出时间。", "Give a time."))
    with open_register(ctx) as register:
        with register.database.read() as session:
            found = look(session, register, certificate, start, impact_sources(home_settings(ctx), register.database))
        typer.echo(json.dumps(impact_json(found), ensure_ascii=False, indent=2))
        if revoke_all and typer.confirm(f"吊销 {len(found.drafts)} 张证书 / Revoke these?", err=True):
            chosen = [draft.reference for draft in found.drafts]
            carry_out(register, found, chosen, actor_named(register, by), "密钥泄露")
