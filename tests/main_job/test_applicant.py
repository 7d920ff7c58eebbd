"""The applicant's page in a real browser, over a finished case: enter, see, download, print, void, hand out codes."""

from __future__ import annotations

import io
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pikepdf
import pytest
from playwright.sync_api import Browser, Page

from signing_service.printing.ledger_rules import COUNTED

from .browsing import assert_good_page, phone, press_until
from .conftest import Demo, zhengyin

HTML = {"accept": "text/html", "accept-language": "zh"}


def enter(page: Page, served: str, demo: Demo, code: str = "") -> None:
    page.goto(f"{served}/case")
    page.fill("#number", demo.report["case_number"])
    page.fill("#code", code or demo.report["query_code"])
    page.click("form[action='/case'] button")


def client_of(served: str, demo: Demo, code: str = "") -> httpx.Client:
    """The same visit without a browser."""
    client = httpx.Client(base_url=served, headers={**HTML, "origin": served}, follow_redirects=True, timeout=60)
    sent = {"number": demo.report["case_number"], "code": code or demo.report["query_code"]}
    assert client.post("/case", data=sent).status_code == 200
    return client


def rows(demo: Demo, query: str, *values: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(demo.home / "zhengyin.db", timeout=30)) as database, database:
        return database.execute(query, values).fetchall()


def case_id(demo: Demo) -> str:
    return str(rows(demo, "SELECT id FROM approval_case WHERE number = ?", demo.report["case_number"])[0][0])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with phone(browser) as context:
        yield context.new_page()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_whole_visit_on_a_phone(browser: Browser, served: str, demo: Demo, language: str) -> None:
    with phone(browser, language) as context:
        page = context.new_page()
        page.goto(f"{served}/case")
        assert_good_page(page, f"enter-{language}")
        enter(page, served, demo, "AAAA-AAAA")
        wrong = page.inner_text("#summary")
        assert {"zh": "办件编号或查询码不对", "en": "case number or the query code is wrong"}[language] in wrong
        assert_good_page(page, f"refused-{language}")
        enter(page, served, demo)
        assert {"zh": "已办结", "en": "delivered"}[language] in page.inner_text(".big-code")
        assert_good_page(page, f"case-{language}")
        page.click("a[href='/case/download/approval']")
        assert {"zh": "看不到印章", "en": "no seal"}[language] in page.inner_text("main")
        assert_good_page(page, f"download-{language}")


def test_what_is_downloaded_is_the_sealed_file_under_its_chinese_name(page: Page, served: str, demo: Demo) -> None:
    """B51: a Chinese download name, as the browser itself reads it."""
    enter(page, served, demo)
    page.click("a[href='/case/download/approval']")
    with page.expect_download() as download:
        page.click("a[href='/case/file/approval']")
    assert re.fullmatch(r"关于.+的批复 示审批〔\d{4}〕\d+号\.pdf", download.value.suggested_filename)
    assert Path(download.value.path()).read_bytes() == demo.file("approval")
    page.goto(f"{served}/case/download/licence")
    with page.expect_download() as download:
        page.click("a[href='/case/file/licence']")
    assert Path(download.value.path()).read_bytes() == demo.file("licence")


def test_by_keyboard_alone_a_copy_is_made_and_voided(page: Page, served: str, demo: Demo) -> None:
    page.goto(f"{served}/case")
    press_until(page, "#number")
    page.keyboard.type(demo.report["case_number"])
    press_until(page, "#code")
    page.keyboard.type(demo.report["query_code"].lower().replace("-", " "))
    page.keyboard.press("Enter")
    page.wait_for_selector("h2#documents")
    press_until(page, "#purpose-licence")
    page.keyboard.type("投标")
    page.keyboard.press("Enter")
    page.wait_for_url("**/case/copy/*")
    serial = page.inner_text("dd >> nth=0")
    assert_good_page(page, "copy")
    press_until(page, "a[href*='/file?kept=']")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    with pikepdf.open(io.BytesIO(Path(download.value.path()).read_bytes())) as document:
        assert "/AcroForm" not in document.Root
    page.goto(f"{served}/case")
    shown = page.locator(f"details:has-text('{serial}')")
    press_until(page, f"details:has(input[value='{serial}']) summary")
    page.keyboard.press("Enter")
    press_until(page, f"#reason-{serial}")
    page.keyboard.type("卡纸")
    page.keyboard.press("Enter")
    page.wait_for_url("**/case#copies")
    assert "已作废" in shown.inner_text()
    state = rows(demo, "SELECT state, void_reason, purpose, live FROM print_copy WHERE serial = ?", serial)
    assert state == [("voided", "卡纸", "投标", None)]
    kinds = [row[0] for row in rows(demo, "SELECT kind FROM audit_entry WHERE subject = ?", f"print:{serial}")]
    assert kinds == ["print.reserve", "print.render", "print.confirm", "print.void"]


def test_an_agents_code_allows_what_was_given_and_names_the_person(page: Page, served: str, demo: Demo) -> None:
    enter(page, served, demo)
    page.fill("#person", "代办人乙")
    page.check("input[value='download']")
    page.fill("#until", "2099-12-31")
    page.click("form[action='/case/codes'] button")
    code = page.inner_text(".notice.passed .big-code")
    assert_good_page(page, "agents-code")
    agent = client_of(served, demo, code)
    seen = agent.get("/case").text
    assert "代办人乙" in seen
    assert "/case/print" not in seen
    assert "/case/codes" not in seen
    assert agent.get("/case/file/approval").content == demo.file("approval")
    refused = agent.post("/case/print", data={"which": "approval"})
    assert (refused.status_code, "没有这项权限" in refused.text) == (403, True)
    logged = "SELECT kind FROM audit_entry WHERE subject = ? AND json_extract(details, '$.person') = ? ORDER BY id"
    kinds = [row[0] for row in rows(demo, logged, f"case:{case_id(demo)}", "代办人乙")]
    assert kinds == ["case.sub_code_given", "case.opened_with_code", "case.code_download", "case.code_print"]
    page.click("form[action='/case/codes/withdraw'] button")
    page.wait_for_url("**/case#codes")
    over = agent.get("/case/file/approval")
    assert (over.status_code, "查询已结束" in over.text) == (401, True)
    agent.close()


def test_who_verified_it_is_shown(page: Page, served: str, demo: Demo) -> None:
    enter(page, served, demo)
    assert "示例市住房和城乡建设局" in page.inner_text("section[aria-labelledby='seen']")


def test_the_quota_holds_for_fifty_people_at_once(served: str, demo: Demo) -> None:
    """Fifty requests at the same time; what was counted before and after never exceeds the quota."""
    client = client_of(served, demo)
    before = _counted(demo)

    def ask(_number: int) -> int:
        return client.post("/case/print", data={"which": "approval"}, follow_redirects=False).status_code

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    assert sorted(set(answers)) == [303, 409]
    assert answers.count(303) == 5 - before
    assert _counted(demo) == 5
    numbers = "SELECT live FROM print_copy WHERE document = ? AND live IS NOT NULL ORDER BY live"
    assert [row[0] for row in rows(demo, numbers, case_id(demo))] == [1, 2, 3, 4, 5]
    assert "可打印的 5 份已用完" in client.post("/case/print", data={"which": "approval"}).text
    client.close()


def _counted(demo: Demo) -> int:
    found = rows(demo, "SELECT state FROM print_copy WHERE document = ?", case_id(demo))
    return sum(row[0] in COUNTED for row in found)


def test_nobody_prints_from_another_site_and_nobody_reads_without_the_code(served: str, demo: Demo) -> None:
    client = client_of(served, demo)
    foreign = client.post("/case/print", data={"which": "approval"}, headers={"origin": "https://elsewhere.example"})
    assert (foreign.status_code, "不是从本站页面发出" in foreign.text) == (403, True)
    client.post("/case/leave")
    assert client.get("/case/file/approval").status_code == 401
    client.close()
    stranger = httpx.Client(base_url=served, headers=HTML)
    assert stranger.get("/case/file/approval").status_code == 401
    assert stranger.get("/case/copy/000000000000/file?kept=x").status_code == 401
    stranger.close()


def test_a_wrong_number_and_a_wrong_code_get_the_same_answer_and_then_a_pause(served: str, demo: Demo) -> None:
    """B54: numbers cannot be tried through."""
    client = httpx.Client(base_url=served, headers={**HTML, "origin": served})

    def answer(number: str, code: str) -> tuple[int, str]:
        reply = client.post("/case", data={"number": number, "code": code})
        return reply.status_code, reply.text.replace(f'value="{number}"', 'value=""')

    known = demo.report["case_number"]
    assert answer(known, "AAAA-AAAA") == answer("示办209900009999", "AAAA-AAAA")
    for _ in range(5):
        last = answer(known, "AAAA-AAAA")
    assert (last[0], "暂停查询" in last[1]) == (429, True)
    refused = rows(
        demo, "SELECT subject, reason FROM audit_entry WHERE kind = 'case.opened_with_code' AND result = 'refused'"
    )
    assert {row[1] for row in refused} >= {"code_refused", "too_many_tries"}
    assert all(known not in str(row[0]) for row in refused)
    rows(demo, "DELETE FROM approval_failed_try")  # other tests need not wait for a quarter of an hour
    client.close()


def test_a_lost_code_is_issued_again_at_the_window(demo: Demo, served: str) -> None:
    made = zhengyin(
        demo.home, "approvals", "query-code", demo.report["case_number"], "--as", "window-clerk", "--identity", "x"
    )
    assert made.returncode == 1
    officer = str(rows(demo, "SELECT id FROM people_officer ORDER BY id")[0][0])
    made = zhengyin(
        demo.home, "approvals", "query-code", demo.report["case_number"], "--as", officer, "--identity", "营业执照原件"
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (entry,) = rows(demo, "SELECT actor, details FROM audit_entry WHERE kind = 'case.code_replaced'")
    assert (entry[0], "identity_check" in str(entry[1])) == (officer, True)
    assert made.stdout.strip() not in str(entry[1])
    demo.report["query_code"] = made.stdout.strip()
