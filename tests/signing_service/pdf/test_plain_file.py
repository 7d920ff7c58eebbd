"""Random access to plain files: the same objects as an independent reader finds, and NotPlain for anything odd."""

import io
from collections.abc import Callable
from contextlib import suppress

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing_service.pades.plain_preparation import plainly
from signing_service.pdf.plain_file import PlainPdf
from signing_service.pdf.plain_pages import find_page
from signing_service.pdf.plain_tokens import NotPlain, parse_any, parse_dictionary, reference, references

MakePdf = Callable[..., bytes]
MODES = [pikepdf.ObjectStreamMode.disable, pikepdf.ObjectStreamMode.generate]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pages", [1, 7, 300])
def test_every_page_is_found(make_pdf: MakePdf, mode: pikepdf.ObjectStreamMode, pages: int) -> None:
    def size(document: pikepdf.Pdf) -> None:
        for number, page in enumerate(document.pages):
            page.MediaBox = pikepdf.Array([0, 0, 100 + number, 200])

    pdf = make_pdf(size, pages=pages, object_stream_mode=mode)
    file = PlainPdf(pdf)
    number = reference(file.trailer.get(b"/Root"))
    assert number is not None
    catalog = file.dictionary(number)
    for index in (0, pages - 1, pages // 2, -1, -pages):
        assert find_page(file, catalog, index).geometry.box[2] == 100 + index % pages
    with pytest.raises(NotPlain):
        find_page(file, catalog, pages)


def test_new_numbers_are_free(make_pdf: MakePdf) -> None:
    pdf = make_pdf(pages=3)
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert PlainPdf(pdf).next_number > max(item.objgen[0] for item in document.objects if item is not None)


def test_encryption_is_not_plain(make_pdf: MakePdf) -> None:
    with pytest.raises(NotPlain):
        PlainPdf(make_pdf(encryption=pikepdf.Encryption(owner="secret", user="")))


@plainly
def first_page(pdf: bytes) -> None:
    file = PlainPdf(pdf)
    find_page(file, file.dictionary(reference(file.trailer.get(b"/Root")) or 0), 0)


@given(data=st.data(), mode=st.sampled_from(MODES))
def test_damaged_bytes_are_never_worse_than_not_plain(data: st.DataObject, mode: pikepdf.ObjectStreamMode) -> None:
    document = pikepdf.new()
    document.add_blank_page()
    output = io.BytesIO()
    document.save(output, object_stream_mode=mode)
    damaged = bytearray(output.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(NotPlain):
        first_page(bytes(damaged))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"<</A 1/B(x)>>", {b"/A": b"1", b"/B": b"(x)"}),
        (b"<< /A /Name /B [1 2 R] >>", {b"/A": b"/Name", b"/B": b"[1 2 R]"}),
        (b"<</A<</B>>/C>>", None),
        (b"<</A (a\\)b(c)) /B <</C [<</D 1>>]>> >>", {b"/A": b"(a\\)b(c))", b"/B": b"<</C [<</D 1>>]>>"}),
        (b"<</A 1 % >> comment\n/B <414243>>>", {b"/A": b"1", b"/B": b"<414243>"}),
        (b"<</A 3 0 R>>", {b"/A": b"3 0 R"}),
        (b"<</A>>", None),
        (b"<</A 1", None),
        (b"<</A[>>>>", None),
        (b"<</A 1>/B 2>>", None),
        (b"<</A 1 x/B 2>>", None),
        (b"<</A[1]2 /B(])>>", None),
        (b"<</A 1 2/B(])>>", None),
        (b"<</A(x)(y)>>", None),
        (b"[1]", None),
    ],
)
def test_dictionaries_are_cut_at_their_values(source: bytes, expected: dict[bytes, bytes] | None) -> None:
    if expected is None:
        with pytest.raises(NotPlain):
            parse_dictionary(source)
        return
    parsed = parse_dictionary(source)
    assert parsed == expected


VALUES = [
    b"1",
    b"-2.5",
    b"/N",
    b"3 0 R",
    b"[1 2 R]",
    b"[ 1 0 R 2 0 R]",
    b"(x)",
    b"(a\\)b)",
    b"<4142>",
    b"<<>>",
    b"true",
    b"null",
]
VALUES += [b"<</C<</D[1]>>>>", b"<</C(>>)>>", b"[<</D(])>>]", b"<</C<</D<</E 1>>>>>>"]


@given(st.lists(st.tuples(st.sampled_from([b"/A", b"/B", b"/C1", b"/D+x"]), st.sampled_from(VALUES)), max_size=5))
def test_the_quick_and_the_thorough_reading_agree(entries: list[tuple[bytes, bytes]]) -> None:
    pairs = dict(entries)
    source = b"<<" + b"\n".join(key + b" " + value for key, value in pairs.items()) + b" >>tail"
    parsed, thorough = parse_dictionary(source), parse_any(source)[0]
    assert parsed == pairs
    assert (parsed.source, parsed) == (thorough.source, thorough)


def test_an_entry_is_replaced_or_added() -> None:
    parsed = parse_dictionary(b"<</A 1/B 2>>")
    assert parse_dictionary(parsed.with_entry(b"/A", b"[3]")).get(b"/A") == b"[3]"
    assert parse_dictionary(parsed.with_entry(b"/C", b"4")).get(b"/C") == b"4"
    assert parse_dictionary(parsed.with_entry(b"/A", b"9")).get(b"/B") == b"2"


def test_references_of_generation_zero_only() -> None:
    assert references(b"[1 0 R 22 0 R]") == [1, 22]
    assert reference(b"/Name") is None
    for array in (b"[1 0 R 2 1 R]", b"[1 0 R <<>>]", b"1 0 R"):
        with pytest.raises(NotPlain):
            references(array)
