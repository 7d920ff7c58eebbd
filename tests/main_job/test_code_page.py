"""The page behind a paper code, in a real browser: the signature checked there, live status, offline, each refusal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, Page, Route

from signing_service.printing.claims import Claims, CodeKind
from signing_service.printing.errors import CodeRefusal
from signing_service.printing.paper_code import CodeKey, KeyList, make_code, read_code
from signing_service.settings import load_settings

from .browsing import assert_good_page, phone
from .conftest import Demo

NOW = datetime.now(UTC).replace(microsecond=0)
PREFIX = "https://zhengyin.example/c/"
CLAIMS = Claims(
    CodeKind.APPROVAL, "0" * 32, "approval", NOW.date(), NOW - timedelta(hours=1), bytes(32), "0123456789AB"
)
IN_BROWSER = """async ([text, prefix, keys, now]) => {
  const { payloadOf, readPayload } = await import("/static/registry/paper-code.js");
  try {
    return (await readPayload(payloadOf(text, prefix), keys, new Date(now))).subject;
  } catch (failure) {
    return failure.code || String(failure);
  }
}"""


class Maker:
    """A paper-code key of our own, and lists that name it."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.key = CodeKey(self.private.public_key(), NOW - timedelta(days=30))

    def text(self, **changes: object) -> str:
        claims = replace(CLAIMS, **changes)  # type: ignore[arg-type]
        sign = lambda content: self.private.sign(content, ec.ECDSA(hashes.SHA256()))  # noqa: E731
        return make_code(claims, self.key, sign, PREFIX).text

    def keys(self, *, age: timedelta = timedelta(0), until: datetime | None = None) -> KeyList:
        return KeyList((replace(self.key, until=until),), NOW - age)


MAKER, STRANGER = Maker(), Maker()
TEXT = MAKER.text()
FORGED = STRANGER.text()
# One character of the signature changed: the last but eight, so that the Base32 stays whole.
ALTERED = TEXT[:-9] + ("A" if TEXT[-9] != "A" else "B") + TEXT[-8:]
CASES: dict[str, tuple[str, KeyList]] = {
    "good": (TEXT, MAKER.keys()),
    "good, read in capitals by a scanner": (TEXT.upper(), MAKER.keys()),
    "rolled key, made before it ended": (TEXT, MAKER.keys(until=NOW)),
    "code_key_not_in_force": (TEXT, MAKER.keys(until=NOW - timedelta(days=2))),
    "code_unknown_key": (FORGED, MAKER.keys()),
    "code_stale_keys": (TEXT, MAKER.keys(age=timedelta(days=8))),
    "code_bad_signature": (ALTERED, MAKER.keys()),
    "code_expired": (MAKER.text(expires_at=NOW - timedelta(minutes=5)), MAKER.keys()),
    "code_wrong_prefix": (TEXT.replace("zhengyin.example", "other-city.example"), MAKER.keys()),
    "code_truncated": (TEXT[:-40], MAKER.keys()),
    "code_not_ours": ("https://zhengyin.example/shop", MAKER.keys()),
    "code_malformed": (TEXT + "1", MAKER.keys()),
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Without a service worker, so that a test can answer for the network."""
    with phone(browser, workers=False) as context:
        yield context.new_page()


def payloads(demo: Demo) -> dict[str, str]:
    """Payloads of the codes that the demo made, by copy serial ("" for codes that stand on originals)."""
    with closing(sqlite3.connect(demo.home / "zhengyin.db")) as database:
        return dict(database.execute("SELECT copy_serial, payload FROM paper_code ORDER BY issued_at DESC"))


def verdict(page: Page, address: str) -> str:
    page.goto(address)
    page.wait_for_selector("html[data-done]", state="attached")
    return page.inner_text("#reason")


def test_browser_and_server_judge_alike(page: Page, served: str) -> None:
    """Every message of its own, and the same for the same code on both sides."""
    page.goto(f"{served}/c/")
    for name, (text, keys) in CASES.items():
        try:
            here = read_code(text, keys, PREFIX, now=NOW).claims.subject
        except CodeRefusal as refusal:
            here = refusal.code
        there = page.evaluate(IN_BROWSER, [text, PREFIX, keys.as_json(), NOW.isoformat()])
        assert (there, here) == ((name, name) if name.startswith("code_") else (CLAIMS.subject, CLAIMS.subject)), name


@pytest.mark.parametrize("language", ["zh", "en"])
def test_live_status_stands_first_and_the_fields_below(
    browser: Browser, served: str, demo: Demo, language: str
) -> None:
    with phone(browser, language, workers=False) as context:
        page = context.new_page()
        serial = demo.report["print_copy"]["serial"]
        assert verdict(page, f"{served}/c/{payloads(demo)[serial]}") == "passed"
        assert {"zh": "✔ 真实有效", "en": "✔ Genuine and valid"}[language] == page.inner_text("h1")
        assert demo.report["licence"] not in page.inner_text("#live")
        page.click("#proved summary")
        fields = page.inner_text("#fields")
        assert demo.report["licence"] in fields
        assert serial in fields
        assert_good_page(page, f"code-{language}")
        assert verdict(page, f"{served}/c/{payloads(demo)[serial]}") == "passed"
        assert {"zh": "此前核验过", "en": "was verified"}[language] in page.inner_text("#hint")


@pytest.mark.parametrize(
    ("name", "colour"),
    [("code_unknown_key", "unsure"), ("code_stale_keys", "unsure"), ("code_bad_signature", "failed"),
     ("code_expired", "failed"), ("code_key_not_in_force", "failed"), ("code_truncated", "unsure")],
)  # fmt: skip
def test_each_refusal_has_its_own_message(page: Page, served: str, name: str, colour: str) -> None:
    text, keys = CASES[name]
    answer = json.dumps(keys.as_json())
    page.route("**/c/keys.json", lambda route: route.fulfill(body=answer, content_type="application/json"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert verdict(page, f"{served}/c/{text[len(PREFIX) :]}") == name
    assert page.get_attribute("html", "data-verdict") == colour
    told = {refusal.code: refusal.WHAT.zh for refusal in CodeRefusal.__subclasses__()}
    assert told[name] in page.inner_text("#sentence")
    assert not any(address.endswith("/c/status") for address in asked)
    assert_good_page(page, name)


def test_a_good_code_works_without_a_network_once_the_page_was_visited(
    browser: Browser, served: str, demo: Demo
) -> None:
    with phone(browser) as context:
        page = context.new_page()
        page.goto(f"{served}/c/")
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.wait_for_function(
            "caches.open('zhengyin-code-1').then((kept) => kept.match('/c/keys.json')).then(Boolean)"
        )
        context.set_offline(True)
        assert verdict(page, f"{served}/c/{payloads(demo)['']}") == "code_valid_offline"
        assert page.inner_text("h1").startswith("! ")
        assert "现在没有联网" in page.inner_text("#sentence")
        assert page.is_visible("#fields")
        assert verdict(page, f"{served}/c/{FORGED[len(PREFIX) :]}") == "code_unknown_key"
        kept = page.evaluate(
            "caches.open('zhengyin-code-1').then((kept) => kept.keys()).then((all) => all.map((one) => one.url))"
        )
        assert all(payloads(demo)[""] not in address for address in kept)
        assert_good_page(page, "offline")
        context.set_offline(False)
        assert verdict(page, f"{served}/c/{payloads(demo)['']}") == "passed"


def test_a_phone_that_was_never_here_and_has_no_keys_says_so(page: Page, served: str) -> None:
    page.route("**/c/keys.json", lambda route: route.abort())
    assert verdict(page, f"{served}/c/{TEXT[len(PREFIX) :]}") == "no_keys"


def test_without_scripts_the_server_checks(browser: Browser, served: str, demo: Demo) -> None:
    with phone(browser, scripts=False) as context:
        page = context.new_page()
        page.goto(f"{served}/c/{payloads(demo)['']}")
        page.wait_for_url("**/c/plain/*")
        assert "真实有效" in page.inner_text("h1")


def fulfilled(state: str) -> Callable[[Route], None]:
    body = {
        "colour": "failed", "word": "w", "sentence": state, "advice": "", "reason": state, "hint": "", "facts": [],
        "pair": [],
    }  # fmt: skip
    return lambda route: route.fulfill(body=json.dumps(body), content_type="application/json")


def test_the_server_has_the_last_word(page: Page, served: str, demo: Demo) -> None:
    """A code whose signature is good is not green when the register says no."""
    page.route("**/c/status", fulfilled("licence_suspended"))
    assert verdict(page, f"{served}/c/{payloads(demo)['']}") == "licence_suspended"
    assert page.inner_text("h1").startswith("✖")


def test_nothing_of_the_holder_is_told(page: Page, served: str, demo: Demo) -> None:
    verdict(page, f"{served}/c/{payloads(demo)['']}")
    assert "示例建设有限公司" not in page.inner_text("#live")
    assert "91990000MA990001X2" not in page.content()
    assert load_settings(demo.home).base_url in page.evaluate("fetch('/c/keys.json').then((reply) => reply.text())")
