"""`zhengyin verify` on a home: reports, identifiers, codes, the sealed version, the archive; as a user runs it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import cast
from cli.founding_keys import open_with_pin_file
from cli.known_facts import ArchiveFacts
from cli.opened_home import open_home
from cli.paper_codes import PaperCodes
from cli.sealing import give_standing_order
from cli.stage import open_stage
from cli.verification_reports import REPORT_ORDER
from hardware.driver import list_tokens
from signing_service.kernel.typesetting import typeset
from signing_service.printing.claims import Claims, CodeKind
from signing_service.printing.symbol import draw_symbol
from signing_service.settings import Settings

PAGE = '#set page(paper: "a5")\n#set text(font: "Noto Serif CJK SC")\n请在此盖章:盖章处'


def zhengyin(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "zh_CN.UTF-8"}
    command = [sys.executable, "-m", "cli", "--home", str(home), "verify", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def sealed(home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page sealed by the home."""
    folder = tmp_path_factory.mktemp("sealed")
    source, output = folder / "page.pdf", folder / "盖章.pdf"
    source.write_bytes(typeset(PAGE, {}))
    command = [sys.executable, "-m", "cli", "--home", str(home.home), "sign", str(source), "-o", str(output)]
    subprocess.run([*command, "--seal", "default"], check=True, capture_output=True)
    return output


def test_a_report_needs_the_holders_order_then_is_sealed_and_fetched_again(
    home: Settings, sealed: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.pdf"
    asked = [str(sealed), "--report", str(report), "--for", "示例市人民法院", "--purpose", "案件核实"]
    refused = zhengyin(home.home, *asked)
    assert (refused.returncode, report.exists()) == (1, False)
    assert "用印人没有授权" in refused.stderr
    _order(home)
    done = zhengyin(home.home, *asked)
    assert done.returncode == 0, done.stderr
    number, code = done.stderr.split()
    assert number.endswith("〕2号")  # the refused one keeps its number, as void
    judged = json.loads(zhengyin(home.home, "--json", str(report)).stdout)
    assert (judged["verdict"], judged["usable_now"]) == ("passed", "yes")
    again = tmp_path / "again.pdf"
    fetch = ["--report", str(again), "--report-number", number]
    assert zhengyin(home.home, *fetch, "--report-code", "WRONG").returncode == 1
    assert zhengyin(home.home, *fetch, "--report-code", code).returncode == 0
    assert again.read_bytes() == report.read_bytes()


def _order(home: Settings) -> None:
    settings = open_home(home.home)
    stage = open_stage(settings)
    label = cast.SEAL_HOLDER.token
    info = next(token for token in list_tokens(settings.token_module) if token.label == label)
    with open_with_pin_file(settings, info, label) as holder:
        give_standing_order(stage.order_book(), stage.custody, holder, REPORT_ORDER, stage.clock.now())
    stage.close()


def test_a_report_says_for_whom(home: Settings, sealed: Path, tmp_path: Path) -> None:
    done = zhengyin(home.home, str(sealed), "--report", str(tmp_path / "x.pdf"))
    assert (done.returncode, "--purpose" in done.stderr) == (2, True)


def test_the_sealed_version_is_saved(home: Settings, sealed: Path, tmp_path: Path) -> None:
    changed, intact = tmp_path / "changed.pdf", tmp_path / "intact.pdf"
    changed.write_bytes(sealed.read_bytes() + b"\njunk\n")
    done = zhengyin(home.home, str(changed), "--save-intact", str(intact))
    assert done.returncode == 4
    assert intact.read_bytes() == sealed.read_bytes()


def test_an_etsi_report_is_written(home: Settings, sealed: Path, tmp_path: Path) -> None:
    xml = tmp_path / "report.xml"
    assert zhengyin(home.home, str(sealed), "--etsi", str(xml)).returncode == 0
    assert b"urn:etsi:019102:mainindication:total-passed" in xml.read_bytes()


def test_the_simulation_authority_is_known_apart(home: Settings) -> None:
    simulated = (home.trust / "simulated" / "simulation.pem").read_bytes()
    for purpose in ("seals", "officers", "timestamps"):
        assert (home.trust / purpose / "root.pem").read_bytes() != simulated


IDENTIFIER = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U"


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [(IDENTIFIER, "not_found_here"), (IDENTIFIER[:-1] + "V", "bad_check_character"), ("abc", "identifier_malformed")],
)
def test_an_identifier_that_is_not_ours(home: Settings, identifier: str, reason: str) -> None:
    done = zhengyin(home.home, "--json", "--identifier", identifier)
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"], told["usable_now"], told["reason"]) == (
        3, "indeterminate", "unknown", reason,
    )  # fmt: skip


def test_answers_have_the_shape_of_a_files_report(home: Settings, sealed: Path) -> None:
    file = json.loads(zhengyin(home.home, "--json", str(sealed)).stdout)
    identifier = json.loads(zhengyin(home.home, "--json", "--identifier", IDENTIFIER).stdout)
    assert list(file) == list(identifier)


def test_without_a_register_an_identifier_is_unknown(tmp_path: Path) -> None:
    told = json.loads(zhengyin(tmp_path, "--json", "--identifier", IDENTIFIER).stdout)
    assert (told["verdict"], told["reason"], told["identifiers"]) == (
        "indeterminate",
        "register_unavailable",
        [IDENTIFIER],
    )


def test_a_paper_code_offline_by_its_key_list(home: Settings, tmp_path: Path) -> None:
    stage = open_stage(open_home(home.home))
    codes = PaperCodes(stage.settings, stage.custody, stage.clock, stage.database)
    now = stage.clock.now().replace(microsecond=0)
    code = codes.make(Claims(CodeKind.LICENCE, IDENTIFIER, "示例", now.date(), now)).text
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({**codes.key_list().as_json(), "prefix": codes.prefix}))
    stage.close()
    nowhere = tmp_path / "nowhere"
    told = json.loads(zhengyin(nowhere, "--json", "--code", code, "--trust", str(keys)).stdout)
    assert (told["verdict"], told["usable_now"], told["reason"]) == ("passed", "unknown", "code_valid_offline")
    online = json.loads(zhengyin(home.home, "--json", "--code", code).stdout)
    assert online["reason"] == "not_found_here"
    place = len(code) - 40
    forged = code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :]
    done = zhengyin(nowhere, "--json", "--code", forged, "--trust", str(keys))
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (4, "code_bad_signature")


PRINTED = """#set page(paper: "a4")
#set text(font: "Noto Serif CJK SC")
示例证照 #pagebreak() #place(bottom + right, image("code.svg", width: 36mm))"""


def test_a_paper_code_on_a_printed_page(home: Settings, tmp_path: Path) -> None:
    """As a PDF, as a scan of its second page; a page without a code and what is no page are refused by name."""
    stage = open_stage(open_home(home.home))
    codes = PaperCodes(stage.settings, stage.custody, stage.clock, stage.database)
    now = stage.clock.now().replace(microsecond=0)
    symbol = draw_symbol(codes.make(Claims(CodeKind.LICENCE, IDENTIFIER, "示例", now.date(), now)))
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({**codes.key_list().as_json(), "prefix": codes.prefix}))
    stage.close()
    printed, bare, broken = tmp_path / "打印件.pdf", tmp_path / "bare.pdf", tmp_path / "broken.pdf"
    printed.write_bytes(typeset(PRINTED, {}, files={"code.svg": symbol.svg}))
    bare.write_bytes(typeset(PAGE, {}))
    broken.write_bytes(b"%PDF-1.7\nno more")
    subprocess.run(["pdftoppm", "-png", "-r", "150", "-f", "2", str(printed), str(tmp_path / "scan")], check=True)
    (scan,) = tmp_path.glob("scan*.png")
    for given, reason in (
        (printed, "code_valid_offline"), (scan, "code_valid_offline"), (bare, "code_not_ours"),
        (broken, "picture_unreadable"),
    ):  # fmt: skip
        done = zhengyin(tmp_path / "nowhere", "--json", "--offline", "--code", str(given), "--trust", str(keys))
        assert (json.loads(done.stdout)["reason"], done.stderr) == (reason, ""), given
    online = zhengyin(home.home, "--json", "--code", str(printed))
    assert json.loads(online.stdout)["reason"] == "not_found_here"


def test_a_payload_longer_than_a_files_name_is_no_error(home: Settings) -> None:
    told = json.loads(zhengyin(home.home, "--json", "--code", "A" * 400).stdout)
    assert (told["verdict"], told["reason"]) == ("indeterminate", "code_not_ours")


@pytest.mark.parametrize("arguments", [(), ("--identifier", "x", "--code", "y")])
def test_one_thing_is_asked_at_a_time(home: Settings, arguments: tuple[str, ...]) -> None:
    assert zhengyin(home.home, *arguments).returncode == 2


def test_a_kept_file_lends_its_timestamp_to_the_older_copy(home: Settings, sealed: Path, tmp_path: Path) -> None:
    done = zhengyin(home.home, str(sealed), "--archive")
    assert done.returncode == 0, done.stderr
    stage = open_stage(open_home(home.home))
    content = sealed.read_bytes()
    facts = ArchiveFacts(stage.database, stage.blobs).facts((), hashlib.sha256(content).digest(), stage.clock.now())
    stage.close()
    assert facts.archived is not None
    assert facts.archived.startswith(content)
    kept = tmp_path / "kept.pdf"
    kept.write_bytes(facts.archived)
    kinds = [one["kind"] for one in json.loads(zhengyin(home.home, "--json", str(kept)).stdout)["signatures"]]
    assert kinds == ["seal", "timestamp"]
    junk = tmp_path / "junk.pdf"
    junk.write_bytes(content + b"junk")
    refused = zhengyin(home.home, str(junk), "--archive")
    assert (refused.returncode, "没有归档" in refused.stderr) == (1, True)
