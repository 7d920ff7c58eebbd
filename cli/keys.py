"""`zhengyin keys`: USB keys and other tokens. Data on stdout (`--json`: one document), messages on stderr.

PINs come by prompt, `--pin-file` or `--pin-fd`, never as an argument or in the environment. What changes a token is in
`key_care`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import typer

from hardware.care import care_of
from hardware.driver import open_token
from hardware.errors import Language, Text
from hardware.pairing import may_sign_documents
from hardware.ports import TokenInfo
from hardware.public_keys import algorithm_name
from hardware.records import KeyRecord
from hardware.uri import TokenUri

from . import key_care
from .key_options import (
    FinalTry,
    JsonOption,
    ModuleOption,
    PinFd,
    PinFile,
    TokenArgument,
    given_pin,
    language_of,
    say,
    the_token,
)
from .key_watch import NO_KEY, watched

app = typer.Typer(help="USB keys and other tokens.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.command("list")
def list_keys(
    ctx: typer.Context,
    module: Annotated[list[str] | None, typer.Option("--module", help="Ask these modules only.")] = None,
    known_keys: Annotated[Path | None, typer.Option(help="Your own table of USB keys (CSV), matched first.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on: print the table again whenever it changes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Which keys are plugged in, which module serves each, and which driver is missing."""
    from hardware.discovery.survey import survey, surveyed_modules

    language, changes = language_of(ctx), None
    if watch:
        from hardware.discovery.changes import Changes

        changes = Changes(modules=surveyed_modules(modules=module or None, known=known_keys))
    seen = survey(modules=module or None, known=known_keys)
    if not seen.usb.available:
        say(language, Text(f"无法扫描 USB：{seen.usb.reason}。", f"USB scan unavailable: {seen.usb.reason}."))
    rows = _rows(seen.rows, language)
    _print_table(rows, as_json)
    if not rows:
        say(language, NO_KEY)
    look = partial(_look, module, known_keys, language)
    for fresh, said in watched(changes or (), look, rows):
        for text in said:
            say(language, text)
        _print_table(fresh, as_json)


def _look(module: list[str] | None, known_keys: Path | None, language: Language) -> list[dict[str, str]]:
    from hardware.discovery.survey import survey

    return _rows(survey(modules=module or None, known=known_keys).rows, language)


def _rows(found: Sequence[Any], language: Language) -> list[dict[str, str]]:
    return [
        {
            "name": row.name,
            "state": row.state,
            "serial": row.serial,
            "label": row.label,
            "pin": row.pin or "",
            "module": row.module,
            "reader": row.reader,
            "usb_id": row.usb_id,
            "usb_serial": row.usb_serial,
            "advice": row.advice.in_(language) if row.advice else "",
        }
        for row in found
    ]


def _print_table(rows: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"keys": rows}, ensure_ascii=False))
    for row in [] if as_json else rows:
        parts = [row["state"], row["serial"] or "-", row["label"] or "-", row["pin"] or "-", row["name"], row["module"]]
        typer.echo("\t".join(parts) + (f"\t{row['advice']}" if row["advice"] else ""))
    sys.stdout.flush()


@app.command()
def doctor(
    ctx: typer.Context,
    module: Annotated[list[str] | None, typer.Option("--module", help="Examine these modules only.")] = None,
    known_keys: Annotated[Path | None, typer.Option(help="Your own table of USB keys (CSV), matched first.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What is wrong with keys, drivers and services, without a PIN. Exit code 1 if something is wrong."""
    from hardware.doctor.examination import examine

    findings, language = examine(modules=module or None, known=known_keys), language_of(ctx)
    if as_json:
        typer.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}, ensure_ascii=False))
    for finding in [] if as_json else findings:
        advice = f" {finding.advice.in_(language)}" if finding.advice else ""
        typer.echo(f"{finding.level}\t{finding.code}\t{finding.subject}\t{finding.what.in_(language)}{advice}")
    if any(finding.level in ("error", "warning") for finding in findings):
        raise typer.Exit(1)


@app.command()
def show(
    token: TokenArgument, module: ModuleOption = None, pin_file: PinFile = None, pin_fd: PinFd = None,
    as_json: JsonOption = False, final_try: FinalTry = False,
) -> None:  # fmt: skip
    """Certificates and public keys of a token; with a PIN its private keys and their pairing."""
    info = the_token(token, module)
    pin = given_pin(pin_file, pin_fd)
    unseen = care_of(info.module, serial=info.serial).unseen_keys()
    with open_token(info.module, serial=info.serial, pin=pin, final_try=final_try) as opened:
        records = list(map(attrgetter("record"), opened.keys())) if pin is not None else []
        shown = {record.public for record in records}
        records += [record for record in unseen if record.public not in shown]
        keys = [_key(info, record) for record in records]
        certificates = [_certificate(der) for der in opened.certificates()]
        facts = {"serial": info.serial, "label": info.label, "model": info.model, "pin": opened.info.user_pin.value}
    if as_json:
        typer.echo(json.dumps({**facts, "keys": keys, "certificates": certificates}, ensure_ascii=False))
        return
    typer.echo("\t".join(facts.values()))
    for kind, each in [*(("key", key) for key in keys), *(("certificate", found) for found in certificates)]:
        typer.echo("\t".join([kind, *map(str, each.values())]))


def _key(info: TokenInfo, record: KeyRecord) -> dict[str, str]:
    return {
        "id": record.id.hex(),
        "label": record.label,
        "type": algorithm_name(record.public),
        "uri": str(TokenUri.of(info, label=record.label, id=record.id)),
    }


def _certificate(der: bytes) -> dict[str, Any]:
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "serial_number": f"{certificate.serial_number:x}",
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "signs": may_sign_documents(der),
    }


key_care.register(app)
