"""The main job: `zhengyin demo` end to end, on SQLite and SoftHSM, with our own server."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
import zxingcpp

from cli import cast
from cli.pdfsig import VALID, ask_pdfsig
from signing_service.agent.page_images import find_spot, text_at

from .conftest import Demo, zhengyin


def test_both_opinions_are_good(demo: Demo) -> None:
    assert (demo.report["verdict"], demo.report["usable_now"]) == ("passed", "yes")
    for name, signatures in (("form", 2), ("approval", 1), ("licence", 1)):
        opinions = ask_pdfsig(demo.file(name))
        assert [opinion.validation for opinion in opinions] == [VALID] * signatures, name


@pytest.mark.parametrize("name", ["form", "approval", "licence"])
def test_the_command_verifies_what_was_made(demo: Demo, name: str) -> None:
    judged = zhengyin(demo.home, "verify", "--json", "--offline", demo.report["files"][name])
    report = json.loads(judged.stdout)
    assert (judged.returncode, report["verdict"], report["covers_whole_file"]) == (0, "passed", True)
    assert {entry["level"] for entry in report["signatures"]} == {"B-T"}


def test_the_sealed_file_begins_with_the_unsealed_one(demo: Demo) -> None:
    assert demo.file("approval").startswith(demo.file("unsealed"))


def test_the_approval_names_the_form_that_it_is_bound_to(demo: Demo) -> None:
    text = "".join(_text(demo.file("approval")).split())
    assert hashlib.sha256(demo.file("form")).hexdigest() in text


def test_steps_show_name_department_opinion_and_time(demo: Demo) -> None:
    form = demo.file("form")
    shown = [text_at(form, spot) for opinion in ask_pdfsig(form) if (spot := find_spot(form, opinion.field))]
    assert len(shown) == 2
    for text, name, opinion in zip(shown, ("审批员甲", "审批员乙"), ("材料齐全,拟同意。", "同意。"), strict=True):
        assert f"{name}(示例市行政审批局)意见:{opinion}" in text
        assert "(UTC+8)" in text


def test_nothing_may_change_after_the_seal(demo: Demo) -> None:
    report = json.loads(zhengyin(demo.home, "verify", "--json", demo.report["files"]["approval"]).stdout)
    assert report["signatures"][0]["docmdp"] is not None


def test_the_api_verified_twice_and_refused_the_tampered_copy(demo: Demo) -> None:
    assert demo.report["api"]["by_identifier"] == "yes"
    assert demo.report["api"]["by_file"] == "passed"
    assert (demo.report["api"]["tampered"], demo.report["api"]["tampered_reason"]) == (
        "failed",
        "modified_after_sealing",
    )


def test_the_print_copy_is_unsigned_and_its_code_is_read_by_another_decoder(demo: Demo) -> None:
    content = demo.file("print_copy")
    with pikepdf.open(io.BytesIO(content)) as document:
        assert "/AcroForm" not in document.Root
    page = pypdfium2.PdfDocument(content)[0].render(scale=200 / 72).to_pil()
    texts = [found.text for found in zxingcpp.read_barcodes(page)]
    assert any("/c/" in text for text in texts)
    assert demo.report["print_copy"]["serial"] in "".join(_text(content).split())


def test_it_runs_again_on_the_same_home_and_takes_any_file(demo: Demo, tmp_path: Path) -> None:
    given = tmp_path / "given.pdf"
    given.write_bytes(demo.file("unsealed"))
    done = zhengyin(demo.home, "demo", "--json", "--pdf", str(given))
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["signatures"] == 3
    assert Path(again["files"]["approval"]).read_bytes().startswith(given.read_bytes())
    assert again["licence"] != demo.report["licence"]


def test_a_given_file_with_a_tiny_page_is_sealed_and_printed(demo: Demo, tmp_path: Path) -> None:
    given = tmp_path / "small.pdf"
    with pikepdf.new() as document:
        document.add_blank_page(page_size=(60, 60))
        document.save(given)
    done = zhengyin(demo.home, "demo", "--json", "--pdf", str(given))
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert Path(made["files"]["approval"]).read_bytes().startswith(given.read_bytes())
    assert made["print_copy"]["code_verified"] is True


def test_it_says_what_was_made_and_what_to_try_next(demo: Demo) -> None:
    done = zhengyin(demo.home, "demo", language="zh_CN.UTF-8")
    assert done.returncode == 0, done.stderr
    for words in ("盖章的文件", "电子证照", "打印件", "印章真实", "PIN 码只有本人可读", "下一步:zhengyin"):
        assert words in done.stdout
    assert done.stderr.count("✔") == 6


def test_every_step_left_its_audit_entry(demo: Demo) -> None:
    with sqlite3.connect(demo.home / "zhengyin.db") as database:
        kinds = {row[0] for row in database.execute("SELECT kind FROM audit_entry")}
    wanted = {"pki.ceremony", "role.bootstrap", "case.open", "case.step_signed", "case.seal", "case.release"}
    assert wanted <= kinds
    assert {"licence.registered", "api.verify_identifier", "print.reserve", "print.confirm"} <= kinds


CITIZEN = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[0-9Xx](?![0-9A-Za-z])")


def test_no_pin_code_or_person_reaches_a_log(demo: Demo) -> None:
    """All that the processes of the whole run logged, and what the command said."""
    logs = "".join(path.read_text() for path in (demo.home / "logs").iterdir())
    requests = [json.loads(line) for line in logs.splitlines() if line.startswith("{")]
    assert {"/tsa", "/oauth2/token", "/verify/file"} <= {line.get("route") for line in requests}
    assert all(line["request_id"] for line in requests if line["event"] == "request")
    pins = [file.read_text().strip() for file in (demo.home / "pins").iterdir()]
    for secret in (*pins, demo.report["query_code"], cast.APPLICANT_CODE, cast.APPLICANT_NAME):
        assert secret not in logs
    assert not any(pin in demo.progress for pin in pins)
    assert CITIZEN.findall(logs + demo.progress) == []


def _text(pdf: bytes) -> str:
    return "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))
