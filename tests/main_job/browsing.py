"""A real browser for the pages' tests: what every page has to pass, and the pictures that are kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARTEFACTS = Path(__file__).parents[1] / "artefacts" / "applicant"
PHONE = {"width": 360, "height": 740}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; a skip that says so where it is missing."""
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield launched
        finally:
            launched.close()


@contextmanager
def with_camera(browser: Browser, film: Path) -> Iterator[Browser]:
    """Another Chromium, whose camera sees the film (MJPEG)."""
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    launched = browser.browser_type.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", *camera, f"--use-file-for-fake-video-capture={film}"]
    )
    try:
        yield launched
    finally:
        launched.close()


@contextmanager
def phone(
    browser: Browser, language: str = "zh", *, scripts: bool = True, workers: bool = True
) -> Iterator[BrowserContext]:
    """A phone's window with a profile of its own. `workers`: service workers may run."""
    context = browser.new_context(
        viewport=PHONE,
        locale={"zh": "zh-CN", "en": "en-GB"}[language],
        java_script_enabled=scripts,
        service_workers="allow" if workers else "block",
    )
    context.set_default_timeout(60_000)
    try:
        yield context
    finally:
        context.close()


def assert_good_page(page: Page, name: str) -> None:
    """axe-core finds nothing, nothing is wider than the phone, no other site is asked; a picture is kept."""
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    origin = page.evaluate("location.origin")
    loaded = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [address for address in loaded if not address.startswith((origin, "data:", "blob:"))] == []
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


def press_until(page: Page, selector: str, most: int = 80) -> None:
    """Moves the focus by Tab alone until it is on the element: everything can be reached without a mouse."""
    for _ in range(most):
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab")
