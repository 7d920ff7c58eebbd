"""The verdict page in each of its states and both languages: sign, word, sentence, what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.cert_registry.web.conftest import Registry
from tests.cert_registry.web.test_verify_pages import CHROMIUM, address, assert_accessible, keep, sealed_file

__all__ = ["address"]
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def states(registry: Registry) -> dict[str, tuple[bytes, str, str, str]]:
    """State to (file, sign, a word of its Chinese sentence, one of its English sentence)."""
    good = sealed_file(registry)
    place = good.index(b"stream\n") + 20
    return {
        "passed": (good, "✔", "印章真实", "The seal is genuine"),
        "indeterminate": (b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n", "!",
                          "没有电子签名", "no electronic signature"),
        "failed": (good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :], "✖", "有变动", "was changed"),
        "modified": (good + b"\n% and more\n", "✖", "无人签署", "nobody signed"),
    }  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_state_says_what_it_means(registry: Registry, address: str, tmp_path: Path, language: str) -> None:
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 360, "height": 740}).new_page()
        for state, (content, sign, chinese, english) in states(registry).items():
            file = tmp_path / f"{state}.pdf"
            file.write_bytes(content)
            page.goto(f"{address}/v?lang={language}")
            page.set_input_files("#file", file)
            page.click("form[action='/v/file'] button")
            assert page.locator("h1 .sign").inner_text() == sign, state
            shown = page.locator("main").inner_text()
            assert (chinese if language == "zh" else english) in shown, state
            assert (english if language == "zh" else chinese) not in shown, state
            assert ("✔" in page.locator("h1").inner_text()) is (state == "passed")
            assert_accessible(page)
            keep(page, f"state-{state}-{language}")
        browser.close()
