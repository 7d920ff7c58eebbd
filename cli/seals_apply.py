"""`zhengyin seals apply`: a folder of PDFs, each sealed once, however often the command is run or killed (ADR 0024)."""

from __future__ import annotations

import getpass
import json
import os
import platform
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.pki_home import home_settings
from cli.seals_parts import Json, SealUsage, actor_named, open_register
from cli.sign import DEFAULT_PLACE, parse_place
from signing_service.errors import Text

if TYPE_CHECKING:
    from cli.seal_batches import BatchRequest
    from hardware.errors import Language
    from signing_service.pades.batch_book import BatchBook
    from signing_service.pades.batch_folder import Found
    from signing_service.pades.batch_tables import SealBatch, SealBatchItem
    from signing_service.pki.rules import Actor
    from signing_service.seals.register import SealRegister
    from signing_service.settings import Settings


def apply(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; its files are left as they are.")],
    seal: Annotated[str, typer.Option(help="The seal's id, such as: default.")],
    document_type: Annotated[
        str, typer.Option("--type", help="The documents' type, for order and conditions.")
    ] = "batch",
    out: Annotated[Path | None, typer.Option(help="Sealed files go here; default: beside, as NAME.sealed.pdf.")] = None,
    place: Annotated[
        str, typer.Option(help="page=-1,right=20,bottom=20 (mm), keyword=盖章处, free, field=NAME, or edge (骑缝章).")
    ] = DEFAULT_PLACE,
    level: Annotated[str, typer.Option(help="B-B, B-T, B-LT or B-LTA.")] = "B-T",
    key: Annotated[str, typer.Option(help="The holder's USB key (pkcs11:…): it signs the list of digests.")] = "",
    by: Annotated[str, typer.Option("--as", help="Officer who asks for the seal; default: this account.")] = "",
    approver: Annotated[str, typer.Option(help="Second officer, where the seal takes two persons.")] = "",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; default: one a core.")] = os.cpu_count() or 1,
    recursive: Annotated[bool, typer.Option("--recursive", help="Subfolders too.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Have worker machines do it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; seal nothing.")] = False,
    retry_refused: Annotated[bool, typer.Option("--retry-refused", help="Try again what was refused.")] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for the report; default: that of the output.")] = None,
    as_json: Json = False,
) -> None:
    """Seal every PDF of a folder, once. Run it again to go on after Ctrl-C, a crash, or a pause."""
    from cli.seal_batches import BatchRequest

    source = _folder(folder)
    output = source if out is None else out.resolve()
    settings = home_settings(ctx)
    with open_register(ctx) as register:
        actor = _actor(register, by)
        if approver:
            actor_named(register, approver)
        name = {"machine": platform.node(), "folder": source, "output": output, "seal": seal, "type": document_type,
                "level": level, "place": place, "queue": queue}  # fmt: skip
        request = BatchRequest(
            name, seal, document_type, _level(level), parse_place(place), actor, approver,
            folder=None if queue else source, output=None if queue else output, by_list=bool(key),
        )  # fmt: skip
        run = _Run(settings, register, request, source, output, ctx.obj.language, recursive)
        if dry_run:
            run.dry(as_json)
            return
        done = run.whole(key, workers, report or output, as_json=as_json, retry=retry_refused)
    raise typer.Exit(0 if done else 1)


class _Run:
    """One run of the command."""

    def __init__(
        self, settings: Settings, register: SealRegister, request: BatchRequest, source: Path, output: Path,
        language: Language, recursive: bool,
    ) -> None:  # fmt: skip
        from cli.batch_progress import BatchProgress
        from cli.seal_processes import batch_book

        self._settings, self._request, self._source, self._output = settings, request, source, output
        self._language, self._recursive, self._queue = language, recursive, request.folder is None
        self._register, self._progress = register, BatchProgress(language)
        self._book: BatchBook = batch_book(register.database)
        self._placed: set[str] = set()

    def dry(self, as_json: bool) -> None:
        """Print what would become of every entry."""
        from cli.seal_batches import new_batch, would_refuse
        from signing_service.pades.batch_folder import as_items
        from signing_service.pades.batch_report import row
        from signing_service.pades.batch_tables import ItemState

        batch = new_batch(self._settings, self._register, self._request)
        batch.folder, batch.output = str(self._source), str(self._output)
        known = self._book.of_key(batch.key)
        if known is not None:
            batch.id = known.id
        done = self._book.items(batch.id, states=[ItemState.SEALED])
        sealed = {item.id for item in done}
        items = [item for item in as_items(batch.id, self._found(done), beside=self._beside) if item.id not in sealed]
        pending = [item for item in items if item.state == ItemState.PENDING]
        for item_id, reason in would_refuse(self._settings, self._book, batch, pending, self._preparing).items():
            item = next(each for each in pending if each.id == item_id)
            item.state, item.reason, item.reason_text = ItemState.REFUSED, reason.code, [reason.text.zh, reason.text.en]
        rows = [row(item, self._language) | {"output": item.output} for item in items]
        if as_json:
            typer.echo(json.dumps({"dry_run": True, "sealed": len(sealed), "documents": rows}, ensure_ascii=False))
            return
        for each in rows:
            typer.echo("  ".join(filter(None, (each["state"], each["file"], each["output"], each["reason"]))))

    def whole(self, key: str, workers: int, report: Path, *, as_json: bool, retry: bool) -> bool:
        """List, authorise, seal, report; whether nothing was refused and nothing is left."""
        from cli.seal_batches import new_batch

        batch = self._book.open(new_batch(self._settings, self._register, self._request))
        self._enter(batch)
        if retry:
            self._book.retry_refused(batch.id)
        if key:
            self._authorise(batch, key)
        self._tidy(batch)
        with _stop_signals() as stopped:
            self._book.start(batch.id)
            if self._queue:
                self._watch(batch, stopped)
            else:
                self._seal(batch, workers, stopped)
        self._tidy(batch)
        self._progress.sealing(self._book.counts(batch.id), final=True)
        return self._tell(batch, report, as_json)

    def _seal(self, batch: SealBatch, workers: int, stopped: list[int]) -> None:
        from cli.seal_processes import Work, run_processes

        counts = self._book.counts(batch.id)
        count = max(1, min(workers, (counts["pending"] + counts["leased"] + 31) // 32))

        def looked() -> bool:
            self._progress.sealing(self._book.counts(batch.id))
            return bool(stopped)

        if counts["pending"] + counts["leased"]:
            run_processes(Work(self._settings.home, batch.id), count, looked)

    def _watch(self, batch: SealBatch, stopped: list[int]) -> None:
        """Worker machines seal; their results are fetched as they come. Ctrl-C ends the watching alone."""
        import time

        from cli.seal_batches import wake_workers

        counts = self._book.counts(batch.id)
        if counts["pending"]:
            wake_workers(self._settings, batch.id, counts["pending"])
        while not stopped:
            self._fetch(batch)
            counts = self._book.counts(batch.id)
            self._progress.sealing(counts)
            left = counts["pending"] + counts["leased"]
            if not left or (not counts["leased"] and self._book.find(batch.id).state == "paused"):
                break
            time.sleep(0.5)
        self._fetch(batch)

    def _fetch(self, batch: SealBatch) -> None:
        from cli.home_blobs import home_blobs
        from signing_service.pades.batch_documents import place
        from signing_service.pades.batch_tables import ItemState

        blobs = home_blobs(self._settings)
        for item in self._book.items(batch.id, states=[ItemState.SEALED]):
            if item.id not in self._placed:
                place(blobs.get(item.result), self._output / item.output, item.id)
                self._placed.add(item.id)

    def _enter(self, batch: SealBatch) -> None:
        from cli.home_blobs import home_blobs
        from signing_service.pades.batch_folder import as_items
        from signing_service.pades.batch_tables import ItemState

        known = self._book.items(batch.id)
        items = as_items(batch.id, self._found(known), beside=self._beside, known=len(known))
        if self._queue:
            blobs, entered = home_blobs(self._settings), {item.id for item in known}
            for item in items:
                if item.state == ItemState.PENDING and item.id not in entered:
                    blobs.put((self._source / item.name).read_bytes())
        self._book.add(items)

    def _found(self, known: Sequence[SealBatchItem]) -> list[Found]:
        """The folder's entries but for this batch's own results."""
        from signing_service.pades.batch_folder import list_folder

        def seen(count: int) -> None:
            self._progress.looking(Text(f"正在清点文件:{count}", f"listing files: {count}"))

        ours = {item.output for item in known if item.result} if self._beside else set()
        found = list_folder(self._source, recursive=self._recursive, seen=seen)
        return [entry for entry in found if entry.name not in ours]

    def _authorise(self, batch: SealBatch, key: str) -> None:
        """The holder's USB key at this computer signs the list of digests; the PIN is asked for once."""
        from cli.seal_batches import authorise_list
        from cli.sign import token_key
        from signing_service.pades.signer_certificate import read_certificate

        holder = token_key(self._settings.token_module, key)
        mechanism = read_certificate(holder.certificate).mechanism
        authorise_list(self._settings, self._book, batch, holder, mechanism, self._preparing)

    def _preparing(self, count: int) -> None:
        self._progress.looking(Text(f"正在准备文件:{count}", f"preparing files: {count}"))

    def _tidy(self, batch: SealBatch) -> None:
        """Take back what dead processes held, and put their finished files in place."""
        from cli.seal_processes import is_alive
        from signing_service.pades.batch_documents import FolderDocuments

        self._book.free(batch.id, lambda worker: is_alive(self._settings.home, worker))
        if not self._queue and self._output.is_dir() and not self._book.counts(batch.id)["leased"]:
            FolderDocuments(self._source, self._output).tidy(self._book.items(batch.id))

    def _tell(self, batch: SealBatch, folder: Path, as_json: bool) -> bool:
        from signing_service.kernel.blobs import write_atomically
        from signing_service.pades import batch_report
        from signing_service.pades.batch_folder import REPORTS

        batch, items, counts = self._book.find(batch.id), self._book.items(batch.id), self._book.counts(batch.id)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in zip(
            REPORTS,
            (
                batch_report.as_csv(items, self._language),
                batch_report.as_json(batch, counts, items, self._language),
            ),
            strict=True,
        ):
            write_atomically(folder / name, text.encode(), mode=0o644)
        summary: dict[str, Any] = batch_report.summary(batch, counts, self._language)
        summary |= {"report": [str(folder / name) for name in REPORTS]}
        if as_json:
            typer.echo(json.dumps(summary, ensure_ascii=False, indent=2))
        else:
            typer.echo("\n".join(_in_words(summary, self._language)))
        return summary["state"] == "done" and not counts["refused"]

    @property
    def _beside(self) -> bool:
        return self._output == self._source


def _in_words(summary: dict[str, Any], language: Language) -> Iterator[str]:
    counts = summary["counts"]
    left = counts["pending"] + counts["leased"]
    yield Text(
        f"已盖章 {counts['sealed']} 份,未盖 {counts['refused']} 份,略过 {counts['skipped']} 项,剩余 {left} 份。",
        f"Sealed {counts['sealed']}, refused {counts['refused']}, skipped {counts['skipped']}, left {left}.",
    ).in_(language)
    if summary["pause_reason"]:
        yield Text(f"已暂停:{summary['pause_reason']}", f"Paused: {summary['pause_reason']}").in_(language)
    if left:
        yield Text("再次运行同一命令即可继续。", "Run the same command again to go on.").in_(language)
    yield from summary["report"]


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM ask for a stop: documents in hand are finished. A second Ctrl-C ends at once, and is safe."""
    got: list[int] = []

    def stop(number: int, _frame: object) -> None:
        if got:
            raise KeyboardInterrupt
        got.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise SealUsage(Text(f"{path} 不是文件夹。", f"{path} is no folder."))
    return path.resolve()


def _level(text: str) -> Any:
    from signing_service.pades.request import Level

    if text not in list(Level):
        raise SealUsage(Text(f"没有级别“{text}”。", f'There is no level "{text}".'),
                        advice=Text("可用:B-B、B-T、B-LT、B-LTA。", "Use B-B, B-T, B-LT or B-LTA."))  # fmt: skip
    return Level(text)


def _actor(register: SealRegister, officer: str) -> Actor:
    """The officer named, or the account that runs the command."""
    from signing_service.pki.rules import Actor

    return actor_named(register, officer) if officer else Actor(f"account:{getpass.getuser()}")
