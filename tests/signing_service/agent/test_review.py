import dataclasses
import hashlib

import pytest

from signing_service.agent import errors
from signing_service.agent.page_images import find_spot, page_count, page_image, place_of
from signing_service.agent.protocol import ListEntry, Spot, batch_code
from signing_service.agent.review import Expected, check_list, review
from signing_service.pades.appearance import TextAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.sign import SignatureRequest, prepare
from signing_service.pdf.cms_attributes import SignedAttributesRefused, build_signed_attributes
from signing_service.pdf.prepared import PreparedAltered

LINES = ("审批员甲", "示例市行政审批局", "同意。", "2026-11-24 15:04 +08:00")


@pytest.fixture(scope="module")
def original(usb_keys):
    return usb_keys.form()


@pytest.fixture(scope="module")
def certificate(key_ring):
    return key_ring[2]["li"].signing


def make(original, certificate, usb_keys, *, lines=LINES, x=30, page=0):
    request = SignatureRequest(
        field="step-1", signed_at=usb_keys.NOW, appearance=TextAppearance(lines),
        placing=Placing(page, x, 40, 70, 25),
    )  # fmt: skip
    return prepare(original, request, certificate, [])


@pytest.fixture(scope="module")
def prepared(original, certificate, usb_keys):
    return make(original, certificate, usb_keys)


@pytest.fixture
def expected(prepared, certificate):
    digest = hashlib.sha256(prepared.document).hexdigest()
    spot = find_spot(prepared.document, "step-1")
    return Expected(certificate, document=digest, field="step-1", spot=spot, texts=LINES)


def test_what_was_agreed_passes(prepared, original, expected):
    review(prepared, original, expected)
    review(prepared, None, dataclasses.replace(expected, document=None, field=None, texts=()))


def test_a_swapped_file_is_refused(original, certificate, usb_keys, expected):
    """B24: what was altered after it was prepared is not signed."""
    other = make(usb_keys.form("另一份文件"), certificate, usb_keys)
    with pytest.raises(errors.DocumentDiffers):
        review(other, original, expected)
    digest = hashlib.sha256(other.document).hexdigest()
    with pytest.raises(errors.DocumentDiffers):
        review(other, original, dataclasses.replace(expected, document=digest))


def test_a_swapped_hash_is_refused(prepared, original, expected, certificate):
    foreign = hashlib.sha256(b"another document").digest()
    lying = dataclasses.replace(
        prepared, digest=foreign, signed_attributes=build_signed_attributes(foreign, certificate)
    )
    with pytest.raises(errors.DigestDiffers):
        review(lying, original, expected)


def test_attributes_of_another_document_are_refused(prepared, original, expected, certificate):
    foreign = build_signed_attributes(hashlib.sha256(b"another document").digest(), certificate)
    with pytest.raises(errors.AttributesDiffer):
        review(dataclasses.replace(prepared, signed_attributes=foreign), original, expected)


def test_further_attributes_are_refused(prepared, original, expected):
    more = bytearray(prepared.signed_attributes)
    with pytest.raises(SignedAttributesRefused):
        review(dataclasses.replace(prepared, signed_attributes=bytes(more[:-1])), original, expected)


def test_another_certificate_is_refused(prepared, original, expected, key_ring):
    with pytest.raises(errors.CertificateDiffers):
        review(prepared, original, dataclasses.replace(expected, certificate=key_ring[2]["wang"].signing))


@pytest.mark.parametrize(("x", "page"), [(31, 0), (30, 1)])
def test_another_place_is_refused(original, certificate, usb_keys, expected, x, page):
    moved = make(original, certificate, usb_keys, x=x, page=page)
    digest = hashlib.sha256(moved.document).hexdigest()
    with pytest.raises(errors.PositionDiffers):
        review(moved, original, dataclasses.replace(expected, document=digest))


def test_a_visible_signature_that_was_not_agreed_is_refused(prepared, original, expected):
    with pytest.raises(errors.PositionDiffers):
        review(prepared, original, dataclasses.replace(expected, spot=None))
    with pytest.raises(errors.PositionDiffers):
        review(prepared, original, dataclasses.replace(expected, field="step-2"))


def test_another_opinion_is_refused(original, certificate, usb_keys, expected):
    other = make(original, certificate, usb_keys, lines=(LINES[0], LINES[1], "不同意。", LINES[3]))
    digest = hashlib.sha256(other.document).hexdigest()
    with pytest.raises(errors.TextDiffers):
        review(other, original, dataclasses.replace(expected, document=digest, texts=("拟同意,请领导审批。",)))


def test_a_range_that_leaves_something_out_is_refused(prepared, original, certificate):
    start, size, second, rest = prepared.byte_range
    shorter = dataclasses.replace(prepared, byte_range=(start, size, second, rest - 10))
    digest = shorter.recompute_digest()
    lying = dataclasses.replace(shorter, digest=digest, signed_attributes=build_signed_attributes(digest, certificate))
    with pytest.raises(PreparedAltered):
        review(lying, original, Expected(certificate, spot=find_spot(prepared.document, "step-1")))


def test_a_replayed_file_is_refused(prepared, original, expected):
    again = dataclasses.replace(expected, signed_before={expected.document})
    with pytest.raises(errors.JobReplayed):
        review(prepared, original, again)


def test_another_order_is_refused():
    first, second = ListEntry("a", "1" * 64), ListEntry("b", "2" * 64)
    check_list([first, second], [first, second])
    for received in ([second, first], [first], [first, second, second], [ListEntry("a", "3" * 64), second]):
        with pytest.raises(errors.OrderDiffers):
            check_list([first, second], received)


def test_the_code_depends_on_every_digest_and_their_order():
    first, second = ListEntry("a", "1" * 64), ListEntry("b", "2" * 64)
    codes = {batch_code(entries) for entries in ([first], [second], [first, second], [second, first], [])}
    assert len(codes) == 5
    assert all(len(code) == 9 and code[4] == "-" for code in codes)


def test_all_pages_can_be_seen_with_the_signature_on_them(prepared):
    assert page_count(prepared.document) == 2
    first = page_image(prepared.document, 0)
    assert first.startswith(b"\x89PNG")
    assert first != page_image(prepared.document[: prepared.document.index(b"%%EOF") + 6], 0)
    place = place_of(prepared.document, find_spot(prepared.document, "step-1"))
    assert place.page == 0
    assert place.left == pytest.approx(30 / 210, abs=0.01)
    assert place.top == pytest.approx(1 - 65 / 297, abs=0.01)
    assert place.width == pytest.approx(70 / 210, abs=0.01)


def test_an_unreadable_file_is_refused_by_name():
    with pytest.raises(errors.UnreadablePages):
        page_count(b"no pdf")
    with pytest.raises(errors.UnreadablePages):
        page_image(b"%PDF-1.7\n%%EOF", 0)


def test_spots_are_compared_in_points():
    spot = Spot(0, 10, 10, 50, 30)
    assert spot.is_near(Spot(0, 10.3, 10, 50, 30))
    assert not spot.is_near(Spot(0, 12, 10, 50, 30))
    assert not spot.is_near(Spot(1, 10, 10, 50, 30))
