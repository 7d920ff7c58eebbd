"""The public verify page in a real browser: drop, type, photograph, scan live; with and without scripts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pypdfium2
import pytest
import qrcode
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page

from .browsing import assert_good_page, phone, press_until, with_camera
from .conftest import Demo

HTML = {"accept": "text/html", "accept-language": "zh"}
DROP = """async ([name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: "application/pdf" }));
  const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.getElementById("drop").dispatchEvent(event);
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with phone(browser) as context:
        yield context.new_page()


def printed_page(demo: Demo, dpi: int = 150) -> bytes:
    """A photograph of the demo's print copy."""
    picture = io.BytesIO()
    pypdfium2.PdfDocument(demo.file("print_copy"))[0].render(scale=dpi / 72).to_pil().save(picture, "JPEG")
    return picture.getvalue()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_dropped_file_gets_its_verdict_first_with_now_beside_at_sealing(
    browser: Browser, served: str, demo: Demo, language: str
) -> None:
    with phone(browser, language) as context:
        page = context.new_page()
        page.goto(f"{served}/v")
        assert_good_page(page, f"verify-{language}")
        page.evaluate(DROP, ["批复.pdf", list(demo.file("approval"))])
        page.wait_for_url("**/v/file")
        assert page.inner_text("h1").startswith("✔")
        then, now = (box.inner_text() for box in page.locator(".pair > div").all())
        assert {"zh": "盖章(签发)时", "en": "At sealing"}[language] in then
        assert {"zh": "现在", "en": "Now"}[language] in now
        assert_good_page(page, f"verdict-{language}")


def test_by_keyboard_a_short_code_is_typed_and_a_wrong_one_is_kept(page: Page, served: str, demo: Demo) -> None:
    page.goto(f"{served}/v")
    press_until(page, "#short-code")
    page.keyboard.type("1254-C8KJ-XXXX")
    page.keyboard.press("Enter")
    page.wait_for_selector("#summary")
    assert "短码的校验位不对" in page.inner_text("#summary")
    assert page.input_value("#short-code") == "1254-C8KJ-XXXX"
    assert_good_page(page, "short-code-refused")
    page.fill("#short-code", demo.report["print_copy"]["code"].lower().replace("-", " "))
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('✔')")  # the refusal had the same address


def test_everything_works_without_scripts(browser: Browser, served: str, demo: Demo, tmp_path: Path) -> None:
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(printed_page(demo))
    with phone(browser, scripts=False) as context:
        page = context.new_page()
        page.goto(f"{served}/v")
        page.set_input_files("#file", demo.report["files"]["licence"])
        page.click("form[action='/v/file'] button")
        assert page.inner_text("h1").startswith("✔")
        page.goto(f"{served}/v")
        page.fill("#identifier", demo.report["licence"])
        page.click("form[action='/v/identifier'] button")
        assert page.inner_text("h1").startswith("✔")
        page.goto(f"{served}/v")
        page.set_input_files("#picture", picture)
        page.click("form[action='/v/picture'] button.main")
        assert page.inner_text("h1").startswith("✔")
        assert "二维码未被改动" in page.inner_text(".pair")


def test_a_print_copy_is_recognised_and_its_code_judged(page: Page, served: str, demo: Demo) -> None:
    page.goto(f"{served}/v")
    page.set_input_files("#file", demo.report["files"]["print_copy"])
    page.click("form[action='/v/file'] button")
    assert page.inner_text("h1").startswith("✔")
    assert "这是打印件的文件,本身没有电子签名" in page.inner_text("main")
    assert_good_page(page, "print-copy")


def test_another_hosts_code_is_refused_and_never_followed(served: str) -> None:
    client = httpx.Client(base_url=served, headers=HTML, timeout=60)
    symbol = io.BytesIO()
    qrcode.make("https://other-city.example/c/2KCEJIQBEYSVQ").save(symbol, "PNG")
    reply = client.post("/v/picture", files={"picture": ("code.png", symbol.getvalue())})
    assert (reply.status_code, "二维码指向的不是本系统的核验地址" in reply.text) == (400, True)
    assert "other-city.example" in reply.text
    assert 'href="https://other-city' not in reply.text
    nothing = io.BytesIO()
    Image.new("L", (300, 300), 255).save(nothing, "PNG")
    assert "这不是核验二维码" in client.post("/v/picture", files={"picture": ("n.png", nothing.getvalue())}).text
    broken = client.post("/v/picture", files={"picture": ("n.png", b"\x89PNG\r\n\x1a\nbroken")})
    assert (broken.status_code, "图片无法读取" in broken.text) == (422, True)
    client.close()


def test_the_camera_finds_the_code_and_opens_its_page(
    browser: Browser, served: str, demo: Demo, tmp_path: Path
) -> None:
    """A camera that sees the printed page: Chromium plays a file as one. It has no detector here: stills are sent."""
    film = tmp_path / "camera.mjpeg"
    whole = Image.open(io.BytesIO(printed_page(demo, 200))).convert("L")
    code = zxingcpp.read_barcodes(whole)[0].position
    left, top = max(code.top_left.x - 400, 0), max(code.top_left.y - 300, 0)
    still = io.BytesIO()
    whole.crop((left, top, left + 1280, top + 960)).save(still, "JPEG", quality=90)
    film.write_bytes(still.getvalue() * 30)
    with with_camera(browser, film) as seeing, phone(seeing) as context:
        page = context.new_page()
        page.goto(f"{served}/v")
        page.click("#camera")
        page.wait_for_url("**/c/*", timeout=60_000)
        page.wait_for_selector("html[data-done]", state="attached")
        assert page.inner_text("h1").startswith("✔")


def test_no_number_of_a_person_or_holder_is_shown(served: str, demo: Demo) -> None:
    """B54: what the public sees of a licence says nothing of its holder."""
    client = httpx.Client(base_url=served, headers=HTML, timeout=60)
    shown = client.post("/v/code", data={"code": demo.report["print_copy"]["code"]}).text
    shown += client.post("/v/identifier", data={"identifier": demo.report["licence"]}).text
    assert "✔" in shown
    assert "91990000MA990001X2" not in shown
    client.close()
