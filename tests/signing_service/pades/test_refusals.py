"""What is refused, by which name, before a key is used or a byte is written."""

from __future__ import annotations

import http.server
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from signing_service.errors import SigningServiceError, Text
from signing_service.pades import fonts
from signing_service.pades.appearance import SealAppearance, TextAppearance
from signing_service.pades.errors import (
    CertificateRefused,
    ContainerTooSmall,
    FontMissing,
    GlyphMissing,
    PictureMissing,
    PlacingRefused,
    SourceMissing,
    TimestampFailed,
    WorkflowConflict,
)
from signing_service.pades.placing import FreeSpotPlacing, Placing, SeamPlacing
from signing_service.pades.sign import Level, SignatureRequest, check_plan, sign
from signing_service.pades.sign_file import sign_file
from signing_service.pades.signer_certificate import read_certificate
from signing_service.pades.timestamping import FirstThatAnswers
from signing_service.pdf.errors import EarlierSignatureWouldBreak, PageMissing
from signing_service.pdf.picture import VectorPicture

MakePdf = Callable[..., bytes]
DAY = timedelta(days=1)


@pytest.fixture
def plain(now: datetime) -> SignatureRequest:
    return SignatureRequest(field="签名", signed_at=now)


def refused(pki, name: str, pdf: bytes, request: SignatureRequest, reason: str) -> None:
    key = pki.key(name)
    with pytest.raises(CertificateRefused, match=reason):
        sign(pdf, request, key)
    assert key.uses == 0


def test_b16_an_expired_certificate(pki, make_pdf: MakePdf, plain: SignatureRequest, now: datetime) -> None:
    private = rsa.generate_private_key(65537, 2048)
    pki.issue("过期", private, issuer="issuing", not_before=now - 3 * DAY, not_after=now - DAY)
    refused(pki, "过期", make_pdf(), plain, "expired")


def test_a_certificate_that_is_not_valid_yet(pki, make_pdf: MakePdf, plain: SignatureRequest, now: datetime) -> None:
    pki.issue("未生效", rsa.generate_private_key(65537, 2048), issuer="issuing", not_before=now + DAY)
    refused(pki, "未生效", make_pdf(), plain, "not valid before")


def test_a_certificate_for_encryption(pki, make_pdf: MakePdf, plain: SignatureRequest) -> None:
    pki.issue("加密", rsa.generate_private_key(65537, 2048), issuer="issuing", signs=False)
    refused(pki, "加密", make_pdf(), plain, "key usage")


def test_a_certificate_of_a_timestamp_authority(pki, make_pdf: MakePdf, plain: SignatureRequest) -> None:
    refused(pki, "tsa", make_pdf(), plain, "key usage")


def test_b42_a_revoked_certificate(pki, make_pdf: MakePdf, plain: SignatureRequest) -> None:
    certificate = pki.issue("吊销", rsa.generate_private_key(65537, 2048), issuer="issuing")
    pki.revoked.add(certificate.serial_number)
    key = pki.key("吊销")
    with pytest.raises(CertificateRefused, match="revoked"):
        sign(make_pdf(), plain, key, revocation=pki)
    assert key.uses == 0


@pytest.mark.parametrize("broken", [b"", b"0\x00", b"not a certificate"])
def test_b45_a_certificate_that_cannot_be_read(broken: bytes) -> None:
    with pytest.raises(CertificateRefused):
        read_certificate(broken)


@pytest.mark.parametrize("level", [Level.B_T, Level.B_LT, Level.B_LTA])
def test_a_level_without_its_sources(pki, make_pdf: MakePdf, now: datetime, level: Level) -> None:
    key = pki.key("审批员甲")
    with pytest.raises(SourceMissing):
        sign(make_pdf(), SignatureRequest(field="a", signed_at=now, level=level), key)
    assert key.uses == 0


def test_b19_nothing_follows_a_seal_that_locks(pki, make_pdf: MakePdf, now: datetime) -> None:
    sealed = sign(make_pdf(), SignatureRequest(field="印章", signed_at=now, lock=True), pki.key("示例印章"))
    key = pki.key("审批员甲")
    with pytest.raises(EarlierSignatureWouldBreak, match="印章"):
        sign(sealed, SignatureRequest(field="补签", signed_at=now), key)
    assert key.uses == 0


@pytest.mark.parametrize(("permission", "may_follow"), [(1, False), (2, True), (3, True)])
def test_b21_what_a_certifying_signature_permits(
    pki, make_pdf: MakePdf, now: datetime, pdfsig, permission: int, may_follow: bool
) -> None:
    certify = SignatureRequest(field="认证", signed_at=now, certify=permission)
    certified = sign(make_pdf(), certify, pki.key("审批员甲"))
    following = SignatureRequest(field="其后", signed_at=now)
    if may_follow:
        assert pdfsig(sign(certified, following, pki.key("审批员乙"))) == ["Signature is Valid."] * 2
    else:
        with pytest.raises(EarlierSignatureWouldBreak):
            sign(certified, following, pki.key("审批员乙"))


def test_certification_comes_first(pki, make_pdf: MakePdf, now: datetime, plain: SignatureRequest) -> None:
    signed = sign(make_pdf(), plain, pki.key("审批员甲"))
    with pytest.raises(EarlierSignatureWouldBreak):
        sign(signed, SignatureRequest(field="认证", signed_at=now, certify=2), pki.key("审批员乙"))


def test_b21_a_plan_that_contradicts_itself(now: datetime) -> None:
    first = SignatureRequest(field="a", signed_at=now, certify=1)
    second = SignatureRequest(field="b", signed_at=now)
    locking = SignatureRequest(field="c", signed_at=now, lock=True)
    for plan in ([first, second], [locking, second], [second, SignatureRequest(field="d", signed_at=now, certify=2)]):
        with pytest.raises(WorkflowConflict):
            check_plan(plan)
    check_plan([SignatureRequest(field="e", signed_at=now, certify=2), second, locking])
    check_plan([])


def test_a_page_that_is_not_there(pki, make_pdf: MakePdf, now: datetime) -> None:
    text = TextAppearance(["同意"])
    request = SignatureRequest(field="a", signed_at=now, appearance=text, placing=Placing(7))
    with pytest.raises(PageMissing):
        sign(make_pdf(2), request, pki.key("审批员甲"))


def test_b30_no_font_is_an_error_never_garbled_text(
    pki, make_pdf: MakePdf, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_FOLDERS", (str(tmp_path),))
    fonts.font_face.cache_clear()
    fonts.font_subset.cache_clear()
    request = SignatureRequest(field="a", signed_at=now, appearance=TextAppearance(["签署人"]), placing=Placing(0))
    try:
        with pytest.raises(FontMissing, match="fonts-noto-cjk"):
            sign(make_pdf(), request, pki.key("审批员甲"))
    finally:
        fonts.font_face.cache_clear()


@pytest.mark.parametrize("placing", [Placing(0), FreeSpotPlacing(), SeamPlacing()])
@pytest.mark.parametrize("picture", [VectorPicture(b" ", 42, 42), VectorPicture(b"q Q", 0, 42)])
def test_a_seal_without_a_picture_is_not_applied_as_an_invisible_one(
    pki, make_pdf: MakePdf, now: datetime, placing, picture: VectorPicture
) -> None:
    key = pki.key("示例印章")
    request = SignatureRequest(field="印章", signed_at=now, appearance=SealAppearance(picture), placing=placing)
    with pytest.raises((PictureMissing, PlacingRefused)) as refusal:
        sign(make_pdf(3), request, key)
    assert isinstance(refusal.value, PictureMissing) or not picture.width_mm
    assert key.uses == 0


def test_a_character_without_glyph_is_named(pki, make_pdf: MakePdf, now: datetime) -> None:
    text = TextAppearance(["好\U0001f9ff"])
    request = SignatureRequest(field="a", signed_at=now, appearance=text, placing=Placing(0))
    with pytest.raises(GlyphMissing, match=r"U\+1F9FF"):
        sign(make_pdf(), request, pki.key("审批员甲"))


# --- the timestamp authority ---


class AnswersBadly(http.server.BaseHTTPRequestHandler):
    """A proxy that answers in the authority's place (B15)."""

    def do_POST(self) -> None:
        status = int(self.path.strip("/"))
        body = b"<html>log in to the network</html>"
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), AnswersBadly)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class TimestampReplyRefused(SigningServiceError):
    code = "timestamp_reply_refused"


class HttpAuthority:
    """The smallest client: whatever body comes with status 200 is given back."""

    def __init__(self, url: str) -> None:
        self.url, self.asked = url, 0

    def timestamp(self, digest: bytes) -> bytes:
        self.asked += 1
        try:
            with urllib.request.urlopen(self.url, data=digest, timeout=5) as reply:
                return reply.read()
        except urllib.error.HTTPError as failure:
            what = f"{self.url}: {failure.code}"
            raise TimestampReplyRefused(Text(what, what)) from failure


def test_b15_a_proxys_answer_is_no_timestamp(pki, make_pdf: MakePdf, now: datetime, proxy: str) -> None:
    request = SignatureRequest(field="a", signed_at=now, level=Level.B_T)
    with pytest.raises(TimestampFailed, match="not a timestamp token"):
        sign(make_pdf(), request, pki.key("审批员甲"), timestamper=HttpAuthority(f"{proxy}/200"))
    with pytest.raises(TimestampFailed, match=f"{proxy}/502: 502"):
        sign(make_pdf(), request, pki.key("审批员甲"), timestamper=HttpAuthority(f"{proxy}/502"))
    with pytest.raises(TimestampFailed, match="refused"):
        sign(make_pdf(), request, pki.key("审批员甲"), timestamper=HttpAuthority("http://127.0.0.1:9/"))


def test_two_authorities_are_asked_in_order(
    pki, make_pdf: MakePdf, now: datetime, proxy: str, authority, pdfsig
) -> None:
    request = SignatureRequest(field="a", signed_at=now, level=Level.B_T)
    first = HttpAuthority(f"{proxy}/503")
    signed = sign(make_pdf(), request, pki.key("审批员甲"), timestamper=FirstThatAnswers([first, authority]))
    assert first.asked == 1
    assert pdfsig(signed) == ["Signature is Valid."]
    both = FirstThatAnswers([HttpAuthority(f"{proxy}/503"), HttpAuthority(f"{proxy}/504")])
    with pytest.raises(TimestampFailed, match=r"503.*504"):
        sign(make_pdf(), request, pki.key("审批员甲"), timestamper=both)


def test_b14_the_container_grows_by_one_retry(pki, authority, make_pdf: MakePdf, now: datetime, pdfsig) -> None:
    authority.extra = [pki.key(name).certificate for name in pki.certificates] * 12
    key = pki.key("审批员甲")
    request = SignatureRequest(field="a", signed_at=now, level=Level.B_T)
    assert pdfsig(sign(make_pdf(), request, key, timestamper=authority)) == ["Signature is Valid."]
    assert key.uses == 2


def test_b14_a_token_that_grows_again_fails(pki, authority, make_pdf: MakePdf, now: datetime) -> None:
    class Growing:
        def timestamp(self, digest: bytes) -> bytes:
            authority.extra = [*authority.extra, *(pki.key("审批员甲").certificate for _ in range(60))] * 2
            return authority.timestamp(digest)

    request = SignatureRequest(field="a", signed_at=now, level=Level.B_T)
    with pytest.raises(ContainerTooSmall):
        sign(make_pdf(), request, pki.key("审批员甲"), timestamper=Growing())


def test_b27_a_failure_leaves_no_file(pki, make_pdf: MakePdf, now: datetime, tmp_path: Path, proxy: str) -> None:
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    original = make_pdf()
    source.write_bytes(original)
    request = SignatureRequest(field="a", signed_at=now, level=Level.B_T)
    with pytest.raises(TimestampFailed):
        sign_file(source, target, request, pki.key("审批员甲"), timestamper=HttpAuthority(f"{proxy}/502"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.pdf"]
    target.write_bytes(b"earlier")
    with pytest.raises(TimestampFailed):
        sign_file(source, target, request, pki.key("审批员甲"), timestamper=HttpAuthority(f"{proxy}/502"))
    assert target.read_bytes() == b"earlier"
    assert source.read_bytes() == original
