"""`zhengyin backup` and `zhengyin restore`: a home in one file, and a home from it, looked over before it is used."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signing_service.errors import SigningServiceError, Text

if TYPE_CHECKING:
    from cli.backup_archive import Manifest
    from signing_service.errors import Language
    from signing_service.settings import Settings


class PinsStayApart(SigningServiceError):
    code = "pins_stay_apart"

    def __init__(self) -> None:
        super().__init__(
            Text("没有备份。", "No backup was made."),
            why=Text(
                "PIN 码与密码设备不能放进同一份备份。", "PINs and the tokens they open do not belong in one backup."
            ),
            advice=Text("请去掉 --with-pins,PIN 码另行保管。", "Leave --with-pins out and keep the PINs elsewhere."),
        )


def backup(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write (.tar), readable by its owner only.")],
    with_pins: Annotated[bool, typer.Option("--with-pins", help="The PIN files too; a demo home alone may.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Write a consistent backup of a home, also while it is in use: database, documents, policy, tokens, checkpoint.

    PINs are left out, and a hardware security module's keys: that has a backup of its own. Exit code 1 where a
    document could not be read; the others are in the file.
    """
    from cli.backup_archive import writing
    from cli.backup_parts import Wanted, write_parts
    from cli.opened_home import open_home
    from signing_service.kernel.clock import SystemClock

    settings, language = open_home(ctx.obj.home), ctx.obj.language
    if with_pins and not settings.is_demo:
        raise PinsStayApart
    bring_log_up_to_date(settings, language)
    with writing(out) as archive:
        manifest = write_parts(archive, Wanted(settings, SystemClock().now(), with_pins), _told)
    if json_output:
        typer.echo(json.dumps(_as_json(out, manifest), ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(line.in_(language) for line in _in_words(out, manifest, settings)))
    if manifest.damaged:
        raise typer.Exit(1)


def restore(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(help="A backup.")],
    database: Annotated[str, typer.Option(help="Another, empty database; else the one of the settings.")] = "",
    held: Annotated[Path | None, typer.Option("--checkpoint", help="A checkpoint that somebody outside holds.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Compare digests alone; judge no signatures.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Make a home (--home, which must not exist yet) from a backup, and check it: the log, every document, witnesses.

    An older backup than a witness holds is named. Exit code 1 where the log or a document is damaged.
    """
    from cli.restoring import Wanted, restore_home

    note = held.read_text("utf-8") if held else None
    restored = restore_home(ctx.obj.home, source, Wanted(database, note, quick), _told)
    language = ctx.obj.language
    if json_output:
        typer.echo(json.dumps(restored.as_json(language), ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(line.in_(language) for line in restored.lines()))
    raise typer.Exit(0 if restored.sound else 1)


def bring_log_up_to_date(settings: Settings, language: Language) -> None:
    """A last checkpoint before the copy, so that what is restored can be compared with it. What does not work is told
    and stops nothing: a backup is wanted most when something is broken."""
    from cli.evidence_log import home_checkpoints, keep_evidence
    from cli.own_services import OwnTimestamper
    from cli.stage import open_stage
    from hardware.explained import ExplainedError

    try:
        stage = open_stage(settings)
    except ExplainedError as failure:
        typer.echo(failure.explain(language), err=True)
        return
    try:
        for told in keep_evidence(stage.database, home_checkpoints(stage, OwnTimestamper(stage.pki.tsa))):
            typer.echo(told.explain(language), err=True)
    except ExplainedError as failure:
        typer.echo(failure.explain(language), err=True)
    finally:
        stage.close()


def _told(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"{done}/{total}", end="\r", file=sys.stderr, flush=True)


def _as_json(out: Path, manifest: Manifest) -> dict[str, Any]:
    from cli.backup_archive import BLOBS

    return {
        "file": str(out),
        "made_at": manifest.made_at,
        "database": manifest.database,
        "revisions": manifest.revisions,
        "documents": sum(name.startswith(BLOBS) for name in manifest.parts),
        "damaged": manifest.damaged,
        "left_out": manifest.left_out,
        "checkpoint": manifest.checkpoint,
    }


def _in_words(out: Path, manifest: Manifest, settings: Settings) -> list[Text]:
    from cli.backup_archive import BLOBS

    documents = sum(name.startswith(BLOBS) for name in manifest.parts)
    left = ", ".join(manifest.left_out) or "-"
    lines = [
        Text(f"备份已写入 {out}(只有本人可读):{documents} 份文件。", f"{out} is written: {documents} documents."),
        Text(f"未包含:{left}。PIN 码请另行保管。", f"Not inside: {left}. Keep the PINs elsewhere."),
        Text("请把它和最新检查点分开存放。", "Keep it apart from the newest checkpoint."),
    ]
    if not (settings.tokens / "tokens").is_dir():
        own = Text("密码机的密钥请用密码机自己的备份方法。", "The HSM's keys need the HSM's own way of backup.")
        lines.insert(2, own)
    for digest in manifest.damaged:
        lines.append(Text(f"✖ 文件 {digest} 读不出或已损坏。", f"✖ The document {digest} is missing or damaged."))
    return lines
