"""The hall: a self-service terminal with a real virtual printer and a card reader, and printing at the window."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from cli.stage import open_stage
from signing_service.settings import load_settings
from tests.signing_service.printing.printer import PrinterUnavailable, VirtualPrinter

from .browsing import assert_good_page, phone, press_until
from .conftest import Demo, zhengyin

NUMBER = "11010519491231002X"
HALL = {"width": 1080, "height": 1920}


@pytest.fixture(scope="module")
def printer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualPrinter]:
    virtual = VirtualPrinter(tmp_path_factory.mktemp("kiosk-printer"))
    try:
        virtual.start()
    except PrinterUnavailable as missing:
        pytest.skip(f"no virtual printer: {missing}")
    yield virtual
    virtual.stop()


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the reader's driver puts what lies on it; nothing does yet."""
    return tmp_path_factory.mktemp("reader") / "card.json"


@pytest.fixture(scope="module")
def key(demo: Demo, printer: VirtualPrinter, card: Path) -> str:
    """A terminal as the operator registers it."""
    made = zhengyin(demo.home, "print", "terminal", "hall-1", "--printer", printer.address, "--card-file", str(card))
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture
def terminal(browser: Browser, served: str, key: str) -> Iterator[Page]:
    """The terminal's browser, activated."""
    context: BrowserContext = browser.new_context(viewport=HALL, locale="zh-CN")
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{served}/kiosk")
    page.fill("#key", key)
    page.click("form[action='/kiosk/activate'] button")
    page.wait_for_selector("form[action='/kiosk']")
    yield page
    context.close()


def rows(demo: Demo, query: str, *values: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(demo.home / "zhengyin.db", timeout=30)) as database, database:
        return database.execute(query, values).fetchall()


def newest_copy(demo: Demo) -> tuple[object, ...]:
    return rows(
        demo, "SELECT state, channel, requested_by, printer_job, void_reason, serial FROM print_copy "
        "ORDER BY reserved_at DESC LIMIT 1"
    )[0]  # fmt: skip


def make_room(demo: Demo) -> None:
    """Other tests may have used the quota up."""
    rows(demo, "UPDATE print_quota SET allowed = 50")


def enter(page: Page, demo: Demo) -> None:
    press_until(page, "#number")
    page.keyboard.type(demo.report["case_number"])
    press_until(page, "#code")
    page.keyboard.type(demo.report["query_code"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/kiosk/documents")


def test_by_query_code_the_copy_comes_out_and_nothing_stays(
    terminal: Page, demo: Demo, printer: VirtualPrinter, served: str
) -> None:
    printer.mend()
    make_room(demo)
    assert_good_page(terminal, "kiosk")
    enter(terminal, demo)
    assert_good_page(terminal, "kiosk-documents")
    before = {path for path in demo.home.rglob("*") if path.is_file() and path.suffix == ".pdf"}
    terminal.click("form[action='/kiosk/print'] button >> nth=0")
    terminal.wait_for_selector("h1:has-text('打印完成')")
    assert_good_page(terminal, "kiosk-printed")
    state, channel, by, job, *_ = newest_copy(demo)
    assert (state, channel, str(by).startswith("code:")) == ("confirmed", "terminal", True)
    assert str(job).startswith(printer.address)
    assert printer.printed.startswith(b"%PDF")
    assert {path for path in demo.home.rglob("*") if path.is_file() and path.suffix == ".pdf"} == before
    assert not list((demo.home / "uploads").glob("*")) or all(
        printer.printed != path.read_bytes() for path in (demo.home / "uploads").glob("*")
    )
    logged = rows(demo, "SELECT details FROM audit_entry WHERE kind = 'case.code_print' ORDER BY id DESC LIMIT 1")
    assert json.loads(str(logged[0][0]))["terminal"] == "hall-1"
    terminal.click("#leave button")
    terminal.goto(f"{served}/kiosk/documents")
    assert "查询已结束" in terminal.inner_text("#summary")


def test_a_jam_voids_the_copy_and_is_told(terminal: Page, demo: Demo, printer: VirtualPrinter) -> None:
    printer.fail()
    make_room(demo)
    enter(terminal, demo)
    terminal.click("form[action='/kiosk/print'] button >> nth=0")
    terminal.wait_for_selector("h1:has-text('没有打印成功')")
    assert_good_page(terminal, "kiosk-failed")
    state, _, _, _, reason, _ = newest_copy(demo)
    assert (state, reason) == ("voided", "打印失败:print_job_aborted")
    printer.mend()


def test_an_untouched_page_wipes_itself_and_the_visit_ends(terminal: Page, demo: Demo, served: str) -> None:
    enter(terminal, demo)
    terminal.goto(f"{served}/kiosk/documents?idle=700")
    terminal.wait_for_url("**/kiosk")
    assert terminal.input_value("#number") == ""
    terminal.goto(f"{served}/kiosk/documents")
    assert "查询已结束" in terminal.inner_text("#summary")


def test_by_id_card_its_holders_licences_are_printed_and_the_number_stays_nowhere(
    terminal: Page, demo: Demo, card: Path, served: str, printer: VirtualPrinter
) -> None:
    printer.mend()
    make_room(demo)
    stage = open_stage(load_settings(demo.home))
    hashed = stage.vault().lookups(NUMBER, "111")[0]
    stage.close()
    columns = "licence_id, position, name, code_type, code_sealed, code_hash, code_shown"
    values = "id, 9, '张示例', '111', x'00', ?, '11**2X'"
    insert = f"INSERT OR IGNORE INTO licence_holder ({columns}) SELECT {values} FROM licence WHERE identifier = ?"
    rows(demo, insert, hashed, demo.report["licence"])
    terminal.click("a[href='/kiosk/documents']")
    assert "查询已结束" in terminal.inner_text("#summary")
    card.write_text(json.dumps({"name": "张示例", "number": NUMBER}), encoding="utf-8")
    terminal.goto(f"{served}/kiosk/documents")
    assert terminal.inner_text("h1") == "张示例"
    assert_good_page(terminal, "kiosk-card")
    assert NUMBER not in terminal.content()
    terminal.click("form[action='/kiosk/print'] button")
    terminal.wait_for_selector("h1:has-text('打印完成')")
    assert newest_copy(demo)[1:3] == ("terminal", "terminal:hall-1")
    card.unlink()
    terminal.goto(f"{served}/kiosk/documents")
    assert terminal.locator("form[action='/kiosk/print']").count() == 0
    found = rows(demo, "SELECT count(*) FROM audit_entry WHERE details LIKE ? OR subject LIKE ?", *[f"%{NUMBER}%"] * 2)
    assert found == [(0,)]
    logs = "".join(path.read_text(errors="replace") for path in (demo.home / "logs").iterdir())
    assert NUMBER not in logs
    card.write_text("{", encoding="utf-8")
    terminal.goto(f"{served}/kiosk/documents")
    assert "身份证读取失败" in terminal.inner_text("#summary")
    card.unlink()


def test_only_a_registered_terminal_prints(browser: Browser, served: str, key: str) -> None:
    with phone(browser) as context:
        page = context.new_page()
        page.goto(f"{served}/kiosk")
        page.fill("#key", key[:-1])
        page.click("form[action='/kiosk/activate'] button")
        assert "不是登记的自助终端" in page.inner_text("#summary")
        assert_good_page(page, "kiosk-activate")
        assert page.goto(f"{served}/kiosk/documents").status == 403  # type: ignore[union-attr]


@pytest.fixture
def allowed(demo: Demo) -> Iterator[None]:
    """The operator's list of hosts that may be called: the printer's too."""
    path = demo.home / "settings.toml"
    kept = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(?m)^outbound_hosts = .*$", 'outbound_hosts = ["localhost"]', kept), encoding="utf-8")
    yield
    path.write_text(kept, encoding="utf-8")


@pytest.mark.usefixtures("allowed", "served")
def test_the_window_prints_for_an_applicant_and_it_is_logged(demo: Demo, printer: VirtualPrinter) -> None:
    printer.mend()
    make_room(demo)
    officer = str(rows(demo, "SELECT id FROM people_officer ORDER BY id")[0][0])
    command = ("print", "copy", demo.report["case_number"], "--as", officer, "--printer", printer.address)
    done = zhengyin(demo.home, *command, "--purpose", "窗口代打印")
    assert done.returncode == 0, done.stderr
    serial = json.loads(done.stdout)["serial"]
    state, channel, by, job, _, newest = newest_copy(demo)
    assert (newest, state, channel, by) == (serial, "confirmed", "window", officer)
    assert json.loads(done.stdout)["printed_to"] == job
    logged = rows(demo, "SELECT kind, actor FROM audit_entry WHERE subject = ? ORDER BY id", f"print:{serial}")
    assert logged == [(f"print.{act}", officer) for act in ("reserve", "render", "confirm")]
    printer.fail()
    failed = zhengyin(demo.home, *command)
    assert failed.returncode == 1
    assert newest_copy(demo)[0] == "voided"
    printer.mend()
