"""`zhengyin demo`: the whole main job on a home of its own, from a case to a verified print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import cast
from cli.demo_case import CaseRunner, DemoCase
from cli.demo_registry import (
    DemoAnswers,
    DemoLicence,
    DemoPrint,
    print_at_home,
    verify_as_department,
    wait_for_licence,
)
from cli.demo_tokens import DemoTokens, demo_tokens
from cli.department_client import DepartmentClient
from cli.founding_records import CLIENT_ID, client_key_file
from cli.home import is_initialised
from cli.init import SQLITE_URL, make_home
from cli.init import STEPS as INIT_STEPS
from cli.listening import PortTaken, listen
from cli.opened_home import open_home
from cli.processes import running
from cli.progress import Progress
from cli.registry_parts import COPY_ORDER, RegistryDesk
from cli.sealing import give_standing_order
from cli.stage import Stage, http_timestamper, open_stage, outbound_to
from cli.verification_reports import REPORT_ORDER
from hardware.errors import Language
from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.blobs import write_atomically
from signing_service.pdf.opening import open_pdf
from signing_service.settings import Settings

STEPS = 6


class InputUnreadable(SigningServiceError):
    code = "input_unreadable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            Text(f"无法读取 {path}。", f"{path} cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请检查文件名和权限。", "Check its name and your rights."),
        )


@dataclass(frozen=True, slots=True)
class Made:
    """All that one run of the demo made."""

    case: DemoCase
    licence: DemoLicence
    answers: DemoAnswers
    copy: DemoPrint
    url: str


def demo(
    ctx: typer.Context,
    pdf: Annotated[
        Path | None, typer.Option(help="Take this file as the one document that is signed and sealed.")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="The home folder, instead of the global --home.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Run the whole main job on SQLite and SoftHSM, and say what was made, where, and with which verdicts."""
    folder, language = (home or ctx.obj.home).resolve(), ctx.obj.language
    given = _read(pdf) if pdf is not None else None
    if not is_initialised(folder):
        make_home(folder, SQLITE_URL, Progress(INIT_STEPS, language))
    settings = open_home(folder)
    with server(settings) as url:
        made = run(settings, url, given, Progress(STEPS, language))
    files = write_output(settings, made)
    report = as_json(settings, made, files)
    typer.echo(json.dumps(report, ensure_ascii=False, indent=2) if json_output else in_words(report, language))


def run(settings: Settings, url: str, given: bytes | None, progress: Progress) -> Made:
    """The steps after the server is up. Raises what the rooms raise, by name."""
    stage = open_stage(settings)
    timestamper = http_timestamper(settings, url)
    registry, tokens = RegistryDesk(stage, timestamper), demo_tokens(stage)
    runner = CaseRunner(stage, tokens, timestamper)
    with progress.step(Text("用印授权:用印人签署证照的长期授权", "standing orders signed by the seal holder")):
        _order_once(stage, tokens, registry)
    with progress.step(Text("办件:签名、用印、核验、放行", "the case: signed, sealed, verified, released")):
        case = runner.run(given, registry.codes.of_approval, progress.note)
    with progress.step(Text("证照登记(发件箱 → 后台任务)", "licence registered (outbox -> worker)")):
        licence = wait_for_licence(stage, case.opened.case_id)
        runner.check(licence.content)
    with progress.step(Text("部门通过接口核验", "a department verifies through the API")):
        answers = verify_as_department(_client(settings, url), licence)
    with progress.step(Text("打印件:编号、边注、二维码读回并核验", "print copy: serial, margin line, code read back")):
        copy = print_at_home(stage, registry, licence.identifier, "approval-reply", case.outward)
    with progress.step(Text("收尾", "closing")):
        stage.close()
    return Made(case, licence, answers, copy, url)


@contextmanager
def server(settings: Settings) -> Iterator[str]:
    """Our own server for the time of the block: on the home's port, or on another when that one is taken."""
    try:
        listen(settings.base_url, None).close()
        port: tuple[str, ...] = ()
    except PortTaken:
        port = ("--port", "0")
    with running(settings.home, "serve", "--json", *port, log=settings.home / "logs" / "serve.log") as ready:
        yield str(ready["url"])


def write_output(settings: Settings, made: Made) -> dict[str, Path]:
    """The files for the user, in HOME/output; those of an earlier run are replaced."""
    folder = settings.home / "output"
    folder.mkdir(exist_ok=True)
    contents = {
        "approval": ("approval.pdf", made.case.outward),
        "unsealed": ("unsealed.pdf", made.case.unsealed),
        "form": ("form.pdf", made.case.form),
        "licence": ("licence.pdf", made.licence.content),
        "print_copy": ("print-copy.pdf", made.copy.content),
    }
    files = {}
    for name, (file_name, content) in contents.items():
        if content:
            files[name] = folder / file_name
            write_atomically(files[name], content, mode=0o644)
    return files


def as_json(settings: Settings, made: Made, files: dict[str, Path]) -> dict[str, Any]:
    """One stable document of what was made."""
    report, answers = made.case.report.as_json(), made.answers
    return {
        "home": str(settings.home),
        "pins": str(settings.pins),
        "case_number": made.case.opened.number,
        "query_code": made.case.opened.query_code,
        "files": {name: str(path) for name, path in files.items()},
        "verdict": report["verdict"],
        "usable_now": report["usable_now"],
        "summary": report["summary"],
        "signatures": len(report["signatures"]),
        "pdfsig": "valid",
        "licence": made.licence.identifier,
        "api": {
            "by_identifier": answers.by_identifier["usable_now"],
            "by_file": answers.by_file["verdict"],
            "tampered": answers.tampered["verdict"],
            "tampered_reason": answers.tampered["reason"],
        },
        "print_copy": {"serial": made.copy.serial, "code": made.copy.code.short_code, "code_verified": True},
        "next": f"zhengyin --home {settings.home} verify {files['approval']}",
    }


def in_words(report: dict[str, Any], language: Language) -> str:
    """The same for people."""
    files, api = report["files"], report["api"]
    zh = [
        f"办件 {report['case_number']}(查询码 {report['query_code']})已办结。",
        *(f"  {_FILE_WORDS[name].zh}:{path}" for name, path in files.items()),
        f"核验结论:{report['summary']}",
        "  pdfsig 也认可其中的每一个签名。",
        f"电子证照:{report['licence']}",
        f"部门接口核验:按标识 {api['by_identifier']},按文件 {api['by_file']};改动一个字节后 {api['tampered']}"
        f"({api['tampered_reason']})。",
        f"打印件 {report['print_copy']['serial']}:二维码已从页面图像读回并核验(短码 {report['print_copy']['code']})。",
        f"PIN 码只有本人可读,保存在:{report['pins']}",
        f"下一步:{report['next']}",
    ]
    en = [
        f"Case {report['case_number']} (query code {report['query_code']}) is done.",
        *(f"  {_FILE_WORDS[name].en}: {path}" for name, path in files.items()),
        f"Verdict: {report['verdict']}, usable now: {report['usable_now']}.",
        "  pdfsig too calls every signature in it valid.",
        f"Licence: {report['licence']}",
        f"Department's API: by identifier {api['by_identifier']}, by file {api['by_file']}; with one byte changed "
        f"{api['tampered']} ({api['tampered_reason']}).",
        f"Print copy {report['print_copy']['serial']}: its code was read back from the page and verified "
        f"(short code {report['print_copy']['code']}).",
        f"PINs, for the owner's eyes only: {report['pins']}",
        f"Next: {report['next']}",
    ]
    return "\n".join(zh if language == "zh" else en)


_FILE_WORDS = {
    "approval": Text("盖章的文件", "sealed document"),
    "unsealed": Text("盖章前的文件", "the same before sealing"),
    "form": Text("审批表", "internal form"),
    "licence": Text("电子证照", "licence"),
    "print_copy": Text("打印件", "print copy"),
}


def _order_once(stage: Stage, tokens: DemoTokens, registry: RegistryDesk) -> None:
    """The holder's standing orders, unless an earlier run of the demo had them signed."""
    types = [kind.key for kind in registry.catalogue] + [COPY_ORDER, REPORT_ORDER]
    orders, now = stage.order_book(), stage.clock.now()
    missing = [name for name in types if not orders.standing(cast.DEFAULT_SEAL, name, now)]
    if missing:
        with tokens.opened(cast.SEAL_HOLDER) as holder:
            for name in missing:
                give_standing_order(orders, stage.custody, holder, name, now)


def _client(settings: Settings, url: str) -> DepartmentClient:
    audience = f"{settings.base_url}/oauth2/token"
    return DepartmentClient(outbound_to(settings, url), url, audience, CLIENT_ID, client_key_file(settings))


def _read(path: Path) -> bytes:
    """The given file, refused before anything is started when it cannot be signed at all."""
    try:
        content = path.read_bytes()
    except OSError as failure:
        raise InputUnreadable(path, failure.strerror or str(failure)) from failure
    open_pdf(content)
    return content
