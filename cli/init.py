"""`zhengyin init`: a home folder with everything that the service needs to start, or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cli import cast, schema
from cli.founding_keys import Founded, found_keys, write_custody_policy, write_trust
from cli.founding_records import found_client, found_data_key, found_licensing, found_people
from cli.founding_seal import found_seal
from cli.home import being_made, make_tokens, write_settings
from cli.progress import Progress
from hardware.ports import TokenInfo
from hardware.softhsm import SoftHsmStore
from signing_service.errors import Text
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.pki.register import CertificateRegister
from signing_service.settings import Settings, load_settings

STEPS = 5
SQLITE_URL = "sqlite:///{home}/zhengyin.db"


def init(
    ctx: typer.Context,
    database: Annotated[str, typer.Option(help="SQLAlchemy URL; {home} stands for the home folder.")] = SQLITE_URL,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Make a demo home: settings, database, SoftHSM tokens, certificates, departments and one agency seal.

    All tokens are SoftHSM tokens in the home, the people and the city are fictional. PINs are generated and kept in
    HOME/pins, readable by the owner only.
    """
    settings = make_home(ctx.obj.home, database, Progress(STEPS, ctx.obj.language))
    if json_output:
        typer.echo(json.dumps({"home": str(settings.home), "pins": str(settings.pins), "base_url": settings.base_url}))
        return
    next_command = f"zhengyin --home {settings.home} demo"
    zh = f"主目录:{settings.home}\nPIN 码只有本人可读,保存在:{settings.pins}\n下一步:{next_command}"
    en = f"Home: {settings.home}\nPINs, for the owner's eyes only: {settings.pins}\nNext: {next_command}"
    typer.echo(Text(zh, en).in_(ctx.obj.language))


def make_home(home: Path, database_url: str, progress: Progress) -> Settings:
    """The whole of it. Raises HomeOccupied, HomeNotWritable, SoftHsmMissing, and what the rooms raise."""
    with being_made(home):
        with progress.step(Text("设置与数据库", "settings and database")):
            settings = write_settings(
                home, profile="demo", token_module=SoftHsmStore(home / "tokens").module, city=cast.CITY,
                database_url=database_url,
            )  # fmt: skip
            database = Database(settings.database_url)
            schema.upgrade(database)
        with progress.step(Text("密码设备(SoftHSM)", "tokens (SoftHSM)")):
            labels = (*cast.SERVICE_TOKENS, *(officer.token for officer in cast.OFFICERS))
            tokens = make_tokens(settings, labels)
        register = CertificateRegister(database, SystemClock(), AuditLog())
        with progress.step(Text("密钥仪式与证书", "key ceremony and certificates")):
            founded = found_keys(settings, register, tokens)
        with progress.step(Text("部门、人员、客户端", "departments, officers, client")):
            _found_records(settings, database, founded, tokens)
        with progress.step(Text("电子印章", "agency seal")):
            found_seal(settings, database, SystemClock())
        database.close()
    return load_settings(home)


def _found_records(settings: Settings, database: Database, founded: Founded, tokens: dict[str, TokenInfo]) -> None:
    clock = SystemClock()
    found_people(database, clock, founded)
    found_licensing(database, clock)
    found_client(settings, database, clock)
    found_data_key(settings, clock, founded.data_public_key)
    write_custody_policy(settings, founded, tokens)
    write_trust(settings, founded.ceremony)
