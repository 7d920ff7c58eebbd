"""`zhengyin upgrade`: a home of an earlier version becomes one of this version. A second run finds nothing to do."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from signing_service.errors import SigningServiceError, Text


class HomeInUse(SigningServiceError):
    code = "home_in_use"

    def __init__(self) -> None:
        super().__init__(
            Text("没有升级。", "Nothing was upgraded."),
            why=Text("这套环境的服务正在运行。", "The processes of this home are running."),
            advice=Text("请先停止 zhengyin serve,再运行本命令。", "Stop `zhengyin serve` first, then run this again."),
        )


def upgrade(
    ctx: typer.Context,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Bring the database of a home to this version's tables. Make a backup first.

    All of it happens in one transaction: after an interruption the home is as it was, and the command is run again.
    """
    from cli import schema
    from cli.opened_home import open_home
    from signing_service.custody.client import CustodyClient
    from signing_service.custody.errors import CustodyError
    from signing_service.kernel.audit_log import Act, AuditLog
    from signing_service.kernel.clock import SystemClock
    from signing_service.kernel.database import Database

    settings, language = open_home(ctx.obj.home), ctx.obj.language
    client = CustodyClient(settings.custody_socket)
    try:
        client.frozen()
    except CustodyError:
        pass
    else:
        raise HomeInUse
    finally:
        client.close()
    database = Database(settings.database_url)
    try:
        before, missing = schema.present_revisions(database), schema.missing_revisions(database)
        if missing:
            schema.upgrade(database)
        after = schema.present_revisions(database)
        if missing:
            details = {"from": before, "to": after}
            with database.write() as session:
                AuditLog().record(
                    session, Act("home.upgraded", "operator", "home", details=details), SystemClock().now()
                )
    finally:
        database.close()
    if json_output:
        typer.echo(json.dumps({"home": str(settings.home), "changed": bool(missing), "from": before, "to": after}))
        return
    words = (
        Text(
            f"已升级:{', '.join(before)} → {', '.join(after)}。",
            f"Upgraded: {', '.join(before)} -> {', '.join(after)}.",
        )
        if missing
        else Text("已是本版本,无需升级。", "It is of this version already; there is nothing to do.")
    )
    typer.echo(words.in_(language))
