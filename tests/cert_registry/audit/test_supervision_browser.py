"""The supervision pages in a real browser: both languages, phone width, keyboard, axe. Pictures are kept in
tests/artefacts/supervision (git ignores it)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from signing_service.kernel.database import Base, Database

from .supervised_town import AUDITOR, Served, Town, due

ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "supervision"
CHROMIUM = "/usr/bin/chromium"
NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
PAGES = ("", "/findings", "/uses", "/refusals", "/views", "/orders", "/orders/new")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, Served]]:
    folder = tmp_path_factory.mktemp("town")
    database = Database(f"sqlite:///{folder / 'town.db'}")
    Base.metadata.create_all(database.engine)
    town = Town(database, folder, NOW)
    town.case("滨河路1号楼", 40)
    town.case("滨河路2号楼", 12)
    town.troubled_case()
    for number in range(60):
        town.use(f"u{number}", NOW - timedelta(hours=number * 5 % 19, minutes=number))
    for number in range(8):
        town.log("api.read", purpose="办理施工许可", matter=f"M{number}", department_name="示例市住房和城乡建设局")
        town.log("api.file", reason="grant_missing")
    town.due = [due(12)]
    with Served(town) as server:
        yield town, server
    database.close()


def opened(browser: Browser, served: tuple[Town, Served], width: int, path: str) -> Page:
    town, server = served
    context = browser.new_context(viewport={"width": width, "height": 800}, locale="zh-CN")
    context.add_cookies([{"name": "zhengyin", "value": town.cookie(AUDITOR), "url": server.origin}])
    page = context.new_page()
    page.goto(f"{server.origin}/supervision{path}")
    return page


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_and_axe_finds_nothing(
    browser: Browser, served: tuple[Town, Served], width: int, path: str
) -> None:
    page = opened(browser, served, width, path)
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{path.strip('/').replace('/', '-') or 'cards'}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []
    page.context.close()


def test_english_by_the_switch_without_a_chinese_sentence_of_ours(
    browser: Browser, served: tuple[Town, Served]
) -> None:
    page = opened(browser, served, 1280, "/uses")
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1")).to_contain_text("Uses of seals")
    page.goto(page.url.replace("/uses", "/findings"))
    expect(page.locator("h1")).to_contain_text("Irregularities")
    page.context.close()


def test_an_order_by_keyboard(browser: Browser, served: tuple[Town, Served]) -> None:
    page = opened(browser, served, 1280, "")
    page.get_by_role("link", name="督办", exact=True).first.press("Enter")
    page.get_by_label("发给").select_option("approvals")
    page.get_by_label("要求说明什么").fill("请说明超期原因")
    page.get_by_role("button", name="发出").press("Enter")
    expect(page.locator("dl.facts")).to_contain_text("待说明")
    page.context.close()
