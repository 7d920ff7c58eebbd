"""The verdict page: details folded, the sealed version to download, numbered reports; without scripts, on a phone."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from pyhanko.pdf_utils.generic import StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from cert_registry.app import create_app
from cert_registry.web.shelf import MOST_BYTES, NoLongerKept, Shelf
from signing_service.kernel.audit_log import entries_about
from tests.cert_registry.web.conftest import Registry
from tests.cert_registry.world import business

HTML = {"Accept": "text/html"}
CHROMIUM = "/usr/bin/chromium"
ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "verify"
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def upload(registry: Registry, content: bytes, language: str = "zh") -> str:
    done = registry.client.post(f"/v/file?lang={language}", files={"file": ("执照.pdf", content)}, headers=HTML)
    assert done.status_code == 200
    return str(done.text)


def sealed_file(registry: Registry) -> bytes:
    return bytes(registry.parts.blobs.get(registry.issue(business()).digest))


def kept_name(page: str) -> str:
    found = re.search(r'name="kept" value="([^"]+)"', page)
    assert found
    return found[1]


def changed(content: bytes) -> bytes:
    """Another title page by an incremental update: what was sealed is still there."""
    return content + b"\n% and more\n"


def test_the_sealed_version_can_be_downloaded(registry: Registry) -> None:
    content = sealed_file(registry)
    page = upload(registry, changed(content))
    assert "✔" not in page.split("<details")[0]
    assert "盖章时的版本" in page
    reply = registry.client.get(f"/v/intact/{kept_name(page)}")
    assert reply.content == content.rstrip(b"\r\n") or reply.content == content
    assert "filename*=UTF-8''" in reply.headers["content-disposition"]
    assert "真实有效" in upload(registry, reply.content)


def test_a_change_after_sealing_is_the_headline_not_a_detail(registry: Registry) -> None:
    """B35: an incremental update that a viewer would hide among the details."""
    content = sealed_file(registry)
    writer = IncrementalPdfFileWriter(io.BytesIO(content), strict=False)
    overlay = writer.add_object(StreamObject(stream_data=b"0 0 200 200 re f"))
    writer.add_stream_to_page(0, overlay)
    target = io.BytesIO()
    writer.write(target)
    assert target.getvalue().startswith(content)
    page = upload(registry, target.getvalue())
    headline = page.partition("<details")[0]
    assert "✖" in headline.partition("</h1>")[0]
    assert "盖章后内容有变动" in headline
    assert "不能作为凭证" in headline


def test_an_encrypted_upload_gets_a_verdict_page(registry: Registry) -> None:
    """B20: a file that needs a password is named as such, never an error of the server."""
    with pikepdf.new() as document:
        document.add_blank_page()
        target = io.BytesIO()
        document.save(target, encryption=pikepdf.Encryption(user="secret", owner="secret"))
    page = upload(registry, target.getvalue())
    assert "✔" not in page.partition("<details")[0]
    assert "password_needed" in page


def test_an_intact_file_offers_no_older_version(registry: Registry) -> None:
    page = upload(registry, sealed_file(registry))
    assert "下载盖章时的版本" not in page
    assert page.index("✔") < page.index("<details")
    assert "格式与覆盖范围" in page


def test_every_sentence_is_in_the_readers_language(registry: Registry) -> None:
    page = upload(registry, sealed_file(registry), "en")
    assert "The seal is genuine" in page
    assert "印章真实" not in page


def test_the_upload_is_forgotten_after_a_quarter_of_an_hour(registry: Registry) -> None:
    kept = kept_name(upload(registry, changed(sealed_file(registry))))
    registry.clock.instant += timedelta(minutes=16)
    gone = registry.client.get(f"/v/intact/{kept}", headers=HTML)
    assert (gone.status_code, "请重新上传" in gone.text) == (410, True)
    for name in ("../../settings.toml", "x" * 32):
        assert registry.client.get(f"/v/intact/{name}", headers=HTML).status_code in (404, 410)


def test_a_full_shelf_drops_the_oldest(tmp_path: Path, registry: Registry) -> None:
    shelf, now = Shelf(tmp_path / "shelf"), registry.clock.now()
    first = shelf.put(b"x" * 1000, now)
    for path in (tmp_path / "shelf").iterdir():
        with path.open("r+b") as file:
            file.truncate(MOST_BYTES)  # sparse: nothing is written
    second = shelf.put(b"y", now + timedelta(seconds=1))
    assert shelf.get(second, now) == b"y"
    with pytest.raises(NoLongerKept):
        shelf.get(first, now)


def test_a_report_is_issued_sealed_verified_and_fetched_again(registry: Registry) -> None:
    content = sealed_file(registry)
    kept = kept_name(upload(registry, content))
    asked = {"kept": kept, "name": "执照.pdf", "requested_by": "示例市人民法院", "purpose": ""}
    missing = registry.client.post("/v/report", data=asked, headers=HTML)
    assert (missing.status_code, 'value="示例市人民法院"' in missing.text) == (400, True)
    page = registry.client.post("/v/report", data={**asked, "purpose": "案件核实"}, headers=HTML).text
    number = re.search(r"示核验〔\d+〕1号", page)
    code = re.search(r'name="code" value="([A-Z0-9]+)"', page)
    assert number
    assert code
    fetched = registry.client.post("/v/report/fetch", data={"number": number[0], "code": code[1]}, headers=HTML)
    assert fetched.headers["content-type"] == "application/pdf"
    assert "真实有效" in upload(registry, fetched.content)
    wrong = registry.client.post("/v/report/fetch", data={"number": number[0], "code": "AAAA"}, headers=HTML)
    assert (wrong.status_code, "没有这份核验报告" in wrong.text) == (404, True)
    with registry.parts.database.read() as session:
        entries = entries_about(session, f"report:{number[0]}")
    assert [(entry.kind, entry.result) for entry in entries] == [
        ("verification_report.issued", "allowed"),
        ("verification_report.fetched", "allowed"),
        ("verification_report.fetched", "refused"),
    ]


@pytest.fixture
def address(registry: Registry) -> Iterator[str]:
    """The same application on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(create_app(registry.parts), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def assert_accessible(page: Any) -> None:
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def keep(page: Any, name: str) -> None:
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_in_a_browser_on_a_phone_without_scripts(
    registry: Registry, address: str, tmp_path: Path, language: str
) -> None:
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    good, bad = tmp_path / "good.pdf", tmp_path / "bad.pdf"
    good.write_bytes(sealed_file(registry))
    bad.write_bytes(changed(good.read_bytes()))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scripts in (True, False):  # axe is a script: the same page is checked with, then used without
            context = browser.new_context(viewport={"width": 360, "height": 740}, java_script_enabled=scripts)
            page = context.new_page()
            for name, file in (("good", good), ("bad", bad)):
                page.goto(f"{address}/v?lang={language}")
                if scripts and name == "good":
                    assert_accessible(page)
                page.set_input_files("#file", file)
                page.click("form[action='/v/file'] button")
                assert page.locator("h1 .sign").inner_text() == {"good": "✔", "bad": "✖"}[name]
                for summary in page.locator("summary").all():
                    summary.click()
                if scripts:
                    assert_accessible(page)
                    keep(page, f"{name}-{language}")
            with page.expect_download() as download:
                page.click("a[href^='/v/intact/']")
            assert good.read_bytes().startswith(Path(download.value.path()).read_bytes())
            page.fill("#requested_by", "示例市人民法院")
            page.fill("#purpose", "案件核实")
            page.click("form[action='/v/report'] button")
            if scripts:
                assert_accessible(page)
                keep(page, f"report-{language}")
            with page.expect_download() as download:
                page.click("form[action='/v/report/fetch'] button")
            assert Path(download.value.path()).read_bytes().startswith(b"%PDF")
            context.close()
        browser.close()
