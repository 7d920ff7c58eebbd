"""`zhengyin doctor`: what is wrong with a home, said once for each fault, with what to do."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def doctor(
    ctx: typer.Context,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing over the network.")] = False,
) -> None:
    """Look for what is wrong with a home: database, tokens, custody, certificates, CRLs, addresses, clock.

    Nothing is changed and no PIN is needed. Exit code 1 where something fails; warnings alone give 0.
    """
    from cli.home_examination import examine_home
    from cli.opened_home import open_home
    from cli.pki_home import finding_json
    from signing_service.errors import Text
    from signing_service.pki.health import Level

    settings, language = open_home(ctx.obj.home), ctx.obj.language
    found = examine_home(settings, network=not offline)
    failed = any(finding.level is Level.FAIL for finding in found)
    if json_output:
        document = {
            "home": str(settings.home),
            "ok": not failed,
            "findings": [finding_json(f, language) for f in found],
        }
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        for finding in found:
            mark = "✖" if finding.level is Level.FAIL else "!"
            typer.echo(f"{mark} {finding.text.in_(language)} [{finding.code}]\n    {finding.advice.in_(language)}")
        if not found:
            typer.echo(Text("✔ 没有发现问题。", "✔ Nothing is wrong.").in_(language))
    raise typer.Exit(1 if failed else 0)
