"""The seals' pages in a real browser: by keyboard, in both languages, on a phone, checked by axe; pictures are kept.

Screenshots lie in tests/artefacts/seals (git ignores it).
"""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from signing_service.pki.rules import Actor
from signing_service.seals.authorisation import standing_order

ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "seals"
CHROMIUM = "/usr/bin/chromium"
PHONE = ("list", "seal", "new", "mine")  # on a phone the others are made of the same parts


@pytest.fixture(scope="module")
def chromium():
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def pages(chromium, seals):
    """A page of a browser of its own for each officer; errors of scripts fail the test."""
    contexts, errors = [], []

    def make(officer):
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN")
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        seals.enter(officer, page)
        expect(page).to_have_url(f"{seals.origin}/desk", timeout=20_000)
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []


def keep(page, name):
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


def assert_accessible(page, name):
    found = Axe().run(page).response["violations"]
    assert [(name, each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []


def assert_fits(page, name):
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} scrolls sideways by {wide} px"


def tab_to(page, selector):
    """Move the focus there with the Tab key alone."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"the Tab key never came to {selector}")


def test_a_seal_is_applied_for_and_approved_by_keyboard_alone(seals, pages):
    first = pages("seal-admin-1")
    first.goto(f"{seals.origin}/seals/-/preview")
    tab_to(first, "#f-name")
    first.keyboard.type("示例市行政审批局")
    tab_to(first, "#f-bottom_line")
    first.keyboard.type("档案专用章")
    first.keyboard.press("Enter")
    first.wait_for_url("**/seals/-/preview?*")
    expect(first.locator("img.seal-picture")).to_be_visible()
    keep(first, "preview-zh")
    tab_to(first, "button[formaction]")
    first.keyboard.press("Enter")
    first.wait_for_url("**/seals/-/new?*")
    expect(first.locator("#f-name")).to_have_value("示例市行政审批局")
    tab_to(first, "#f-id")
    first.keyboard.type("archive")
    tab_to(first, "input[name=holder]")
    first.keyboard.press("Space")
    tab_to(first, "#f-reason")
    first.keyboard.type("档案电子化")
    first.keyboard.press("Enter")
    expect(first).to_have_url(f"{seals.origin}/seals/archive")
    expect(first.locator("h1")).to_contain_text("档案专用章")
    second = pages("seal-admin-2")
    second.goto(f"{seals.origin}/seals/archive")
    tab_to(second, "a[href$='acts/approve']")
    second.keyboard.press("Enter")
    second.wait_for_url("**/acts/approve")
    tab_to(second, "main button.main")
    second.keyboard.press("Enter")
    expect(second.locator("main")).to_contain_text("已批准")
    keep(second, "approved-zh")


def test_a_refusal_is_said_at_the_top_and_nothing_typed_is_lost(seals, pages):
    page = pages("seal-admin-1")
    page.goto(f"{seals.origin}/seals/default/acts/cancel")
    page.fill("#f-reason", "机构撤销")
    page.fill("#f-basis", "示例政发〔2026〕9号")
    page.fill("#f-typed", "defalt")
    page.click("main button.main")
    expect(page.locator("[role=alert]")).to_contain_text("请输入印章编号确认")
    expect(page.locator("#f-reason")).to_have_value("机构撤销")
    keep(page, "refused-zh")
    assert_accessible(page, "refused")


def test_every_page_passes_axe_in_chinese_on_a_desktop_and_in_english_on_a_phone(seals, pages):
    order = _an_order(seals)
    views = {
        "seal-admin-1": {
            "list": "/seals", "seal": "/seals/default", "new": "/seals/-/new",
            "preview": "/seals/-/preview?name=示例市行政审批局&bottom_line=审批专用章",
            "void": "/seals/default/acts/void", "replace": "/seals/default/replace", "uses": "/seals/default/uses",
            "conditions": "/seals/default/conditions", "emergency": "/seals/default/emergency",
            "stops": "/seals/-/stops", "successions": "/seals/-/successions",
            "succession-new": "/seals/-/successions/new?old=housing&new=approvals&day=2099-01-01&basis=示例政发",
        },
        "seal-holder": {"mine": "/seals/-/mine", "order": f"/seals/-/orders/{order}", "missing": "/seals/nothing"},
    }  # fmt: skip
    for officer, addresses in views.items():
        page = pages(officer)
        for language, width in (("zh", 1280), ("en", 390)):
            page.set_viewport_size({"width": width, "height": 900})
            for name, address in addresses.items():
                page.goto(seals.origin + address + ("&" if "?" in address else "?") + f"lang={language}")
                assert page.locator("html").get_attribute("lang") == ("en" if language == "en" else "zh-CN")
                keep(page, f"{name}-{language}")
                assert_fits(page, name)
                if language == "zh" or name in PHONE:
                    assert_accessible(page, f"{name}-{language}")
        page.emulate_media(color_scheme="dark")
        page.goto(seals.origin + next(iter(addresses.values())))
        keep(page, f"{officer}-dark")
        assert_accessible(page, f"{officer}-dark")


def _an_order(seals):
    """A standing order that waits for the holder's signature."""
    now = seals.stage.clock.now().replace(microsecond=0)
    what = standing_order("default", "函", 20, not_before=now, until=now.replace(year=now.year + 1, day=1))
    return seals.stage.order_book().draft(what, Actor("seal-holder")).id
