"""The desk in a real browser, by keyboard, in both languages; pages checked by axe; pictures are kept.

Screenshots lie in tests/artefacts/desk (git ignores it).
"""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from signing_service.agent.login import log_in
from signing_service.agent.work import WorkTable

ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "desk"
CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def chromium():
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, office):
    """A page of a desktop browser; errors of its scripts fail the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN")
    opened, errors = context.new_page(), []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def enter(office, paired, scripted, page):
    """Log an officer in, with the agent and the browser each doing their part."""

    def make(officer):
        surface = scripted()
        surface.code = lambda: page.inner_text("#code")
        log_in(paired(officer), office.key_of(officer), surface, page.goto)
        expect(page).to_have_url(f"{office.origin}/desk", timeout=20_000)

    return make


def press(page, *keys):
    """Keys for a page whose script listens; the page may change with each."""
    for key in keys:
        expect(page.locator("body")).to_have_attribute("data-keys", "ready")
        page.keyboard.press(key)


def keep(page, name):
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


def assert_accessible(page):
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []


def agent_signs(office, officer, connection, surface):
    table = WorkTable(connection, office.key_of(officer), surface, office.servers_of(officer), "示例市政印")
    return table.sign_list(table.next_list(wait=5))


def test_a_document_is_read_to_its_end_by_key_and_its_neighbours_reached(office, page, enter):
    office.open_cases(2)
    enter("li")
    press(page, "j", "Enter")
    expect(page.locator("#read")).to_have_text("未读")
    press(page, "End")
    expect(page.locator("#read")).to_have_text("已读")
    press(page, "n")
    expect(page.locator("h1")).to_contain_text("滨河路2号楼")
    press(page, "p")
    expect(page.locator("h1")).to_contain_text("滨河路1号楼")


def test_a_reviewer_returns_one_by_key(office, page, enter):
    office.open_cases(2)
    enter("li")
    press(page, "j", "Enter")
    expect(page.locator("h1")).to_contain_text("滨河路1号楼")
    press(page, "r")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("第 2 页面积与图纸不符")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("滨河路2号楼")


def test_the_certificate_pages_pass_axe_and_a_revocation_is_confirmed_by_typing(office, page, enter):
    with office.database.write() as session:
        for row in office.certificates.active(session, "li", "officer-signing"):
            row.not_after = office.clock.now().replace(hour=23)
    enter("wang")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{office.origin}/pki")
        assert_accessible(page)
        keep(page, f"pki-{scheme}")
    page.emulate_media(color_scheme="light")
    page.click("section.notice a")
    page.click("details summary")
    assert_accessible(page)
    keep(page, "pki-certificate-zh")
    page.fill("#revoke-reason", "遗失")
    page.select_option("#code", "key_compromise")
    page.fill("#lost-on", "2026-11-20")
    page.fill("#typed", "li")
    page.keyboard.press("Enter")
    expect(page.locator("p.notice")).to_have_text("已吊销")
    page.set_viewport_size({"width": 360, "height": 740})
    for address in (page.url, f"{office.origin}/pki"):
        page.goto(f"{address}?lang=en")
        assert_accessible(page)
        keep(page, f"pki-phone-en-{address.rpartition('/')[2][:3]}")


def test_every_page_passes_axe_in_chinese_on_a_desktop_and_in_english_on_a_phone(office, page, enter):
    office.open_cases(1)
    page.goto(f"{office.origin}/desk/login")
    assert_accessible(page)
    keep(page, "login-zh")
    enter("admin-1")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{office.origin}/admin")
        assert_accessible(page)
        keep(page, f"admin-{scheme}")
    page.emulate_media(color_scheme="light")
    page.context.clear_cookies()
    enter("li")
    reference = page.locator("[data-open]").first.get_attribute("href")
    page.fill("#opinion", "同意。")
    page.check("input[name=reference]")
    page.click("#sign")
    batch = page.url
    for language in ("zh", "en"):
        for name, address in {
            "desk": "/desk", "signed": "/desk?which=signed", "document": reference, "agents": "/desk/agents",
            "batch": batch, "missing": "/desk/documents/x",
        }.items():  # fmt: skip
            address = address if address.startswith("http") else office.origin + address
            if language == "en":
                page.set_viewport_size({"width": 390, "height": 844})
            page.goto(address + ("&" if "?" in address else "?") + f"lang={language}")
            assert page.locator("html").get_attribute("lang") == ("en" if language == "en" else "zh-CN")
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name} scrolls sideways by {wide} px"
            assert_accessible(page)
            keep(page, f"{name}-{language}")


def test_the_clerks_and_administrators_pages_pass_axe_in_both_languages_and_on_a_phone(office, page, enter):
    (case,) = office.open_cases(1)
    waiting = office.receive()
    enter("chen")
    pages = {
        "cases": "/desk/cases", "no-cases": "/desk/cases?text=zzz", "course": f"/desk/cases/{case.case_id}",
        "received": f"/desk/cases/{waiting.case_id}",
    }  # fmt: skip
    check_pages(office, page, pages)
    page.context.clear_cookies()
    page.set_viewport_size({"width": 1280, "height": 900})
    enter("admin-1")
    office.fail_a_notice()
    check_pages(office, page, {"admin": "/admin", "notices": "/admin/notices"})


def check_pages(office, page, pages):
    """Each in Chinese on a desktop and in English on a phone, with every fold open."""
    for language, width in (("zh", 1280), ("en", 390)):
        page.set_viewport_size({"width": width, "height": 900})
        for name, address in pages.items():
            page.goto(f"{office.origin}{address}{'&' if '?' in address else '?'}lang={language}")
            for fold in page.locator("details").all():
                fold.evaluate("each => each.open = true")
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name} scrolls sideways by {wide} px"
            assert_accessible(page)
            keep(page, f"{name}-{language}")


def test_the_pages_work_without_scripts(office, chromium, paired, scripted):
    office.open_cases(1)
    context = chromium.new_context(java_script_enabled=False)
    page, surface = context.new_page(), scripted()
    surface.code = lambda: page.inner_text("#code")
    log_in(paired("li"), office.key_of("li"), surface, page.goto)
    page.click("main .button")
    page.click("[data-open]")
    page.click("#mark-read")
    page.fill("#opinion", "同意。")
    page.click("#approve button")
    assert agent_signs(office, "li", paired("li"), scripted()) == 1
    page.reload()
    expect(page.locator("#summary")).to_contain_text("1 / 1")
    context.close()


def test_the_browser_never_talks_to_another_host(office, page, enter):
    hosts = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    office.open_cases(1)
    enter("li")
    page.locator("[data-open]").first.click()
    expect(page.locator("img").first).to_be_visible()
    assert hosts == {office.origin.removeprefix("http://")}
