"""Uploads to the page and the API: any name, any form, any bytes; an answer, never a crash."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cert_registry.web.conftest import PURPOSE, Registry
from tests.cert_registry.world import business

HTML = {"Accept": "text/html"}
SOME = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
NAMES = [
    "", ".", "..", "../../etc/passwd", "a" * 5000, "<script>alert(1)</script>.pdf", "许可\u202efdp.exe", "a\x00b.pdf",
    "a\r\nSet-Cookie: x=1.pdf", '"; filename="b.pdf', "C:\\temp\\许可.pdf", "%2e%2e%2f", "💥.pdf",
]  # fmt: skip


def fine(reply) -> None:
    assert reply.status_code < 500, reply.text[:500]
    assert "Traceback" not in reply.text
    assert "<script>alert" not in reply.text
    assert "set-cookie" not in reply.headers or "x=1" not in reply.headers["set-cookie"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name(name: str, registry: Registry) -> None:
    content = bytes(registry.parts.blobs.get(registry.issue(business()).digest))
    fine(registry.client.post("/v/file", files={"file": (name, content)}, headers=HTML))
    reply = registry.call("POST", "/verify/file", files={"file": (name, content)}, data=PURPOSE)
    fine(reply)
    assert reply.status_code in (200, 400, 422)


def test_any_bytes_and_any_part(registry: Registry) -> None:
    content = bytes(registry.parts.blobs.get(registry.issue(business()).digest))

    @SOME
    @given(
        st.one_of(
            st.binary(max_size=300),
            st.builds(lambda n, b: content[:n] + b, st.integers(0, len(content)), st.binary(max_size=20)),
        )
    )
    def judge(changed: bytes) -> None:
        reply = registry.call("POST", "/verify/file", files={"file": ("a.pdf", changed)}, data=PURPOSE)
        fine(reply)
        assert changed == content or reply.json().get("verdict") != "passed"

    @SOME
    @given(st.binary(max_size=200), st.sampled_from([b"", b"--x", b"--x\r\n", b"--x--"]))
    def raw(body: bytes, start: bytes) -> None:
        headers = {**HTML, "Content-Type": "multipart/form-data; boundary=x", "X-Forwarded-For": "192.0.2.1"}
        fine(registry.client.post("/v/file", content=start + body, headers=headers))

    judge()
    raw()


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "text/plain", "application/json", ""]
)
def test_any_content_type(kind: str, registry: Registry) -> None:
    reply = registry.client.post("/v/file", content=b"--x\r\n\r\nabc", headers={**HTML, "Content-Type": kind})
    fine(reply)
    assert reply.status_code in (400, 415, 422)


def test_the_field_is_a_text_or_comes_twice(registry: Registry) -> None:
    fine(registry.client.post("/v/file", data={"file": "no file"}, headers=HTML))
    twice = [("file", ("a.pdf", b"%PDF-1.7")), ("file", ("b.pdf", b"%PDF-1.7"))]
    fine(registry.client.post("/v/file", files=twice, headers=HTML))
    fine(registry.client.post("/v/file", files=[(f"x{n}", ("a", b"a")) for n in range(1500)], headers=HTML))


def test_a_file_too_large_is_refused_by_name(registry: Registry) -> None:
    most = registry.parts.settings.most_upload_bytes
    reply = registry.call("POST", "/verify/file", files={"file": ("a.pdf", bytes(most + 1))}, data=PURPOSE)
    assert (reply.status_code, reply.json()["code"]) == (413, "file_too_large")
