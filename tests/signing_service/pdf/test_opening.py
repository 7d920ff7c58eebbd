"""Intake: what can be signed opens, whatever cannot is refused by name (B17, B20 and the kinds of the corpus)."""

from collections.abc import Callable

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Encryption, Name, Permissions

from signing_service.pdf import errors
from signing_service.pdf.opening import open_pdf

MakePdf = Callable[..., bytes]
NOTHING = Permissions(
    modify_annotation=False, modify_form=False, modify_other=False, modify_assembly=False, extract=False
)


def test_an_encrypted_file_with_an_empty_user_password_opens(make_pdf: MakePdf) -> None:
    opened = open_pdf(make_pdf(encryption=Encryption(owner="secret", user="")))
    assert len(opened.pages) == 1
    assert opened.may_add_fields


@pytest.mark.parametrize("strength", [3, 4, 6])
def test_a_real_user_password_is_asked_for(make_pdf: MakePdf, strength: int) -> None:
    options = {"R": strength, "aes": strength > 3, "metadata": strength > 3}
    protected = make_pdf(encryption=Encryption(owner="secret", user="pass", **options))
    with pytest.raises(errors.PasswordNeeded, match="password"):
        open_pdf(protected)


def test_a_file_that_permits_no_signing_is_refused_and_the_permission_named(make_pdf: MakePdf) -> None:
    protected = make_pdf(encryption=Encryption(owner="secret", user="", allow=NOTHING))
    with pytest.raises(errors.PermissionMissing, match="signing"):
        open_pdf(protected)


def test_permission_to_fill_forms_alone_adds_no_fields(make_pdf: MakePdf) -> None:
    allow = Permissions(modify_annotation=False, modify_form=True, modify_other=False)
    assert not open_pdf(make_pdf(encryption=Encryption(owner="secret", user="", allow=allow))).may_add_fields


def _xfa(document: pikepdf.Pdf, *, fields: bool, rendering: bool) -> None:
    field = document.make_indirect(Dictionary(FT=Name.Tx, T="name"))
    document.Root.AcroForm = Dictionary(XFA=document.make_stream(b"<xdp/>"), Fields=Array([field] if fields else []))
    if rendering:
        document.Root.NeedsRendering = True


@pytest.mark.parametrize(("fields", "rendering"), [(False, False), (True, True), (False, True)])
def test_a_dynamic_xfa_form_is_refused(make_pdf: MakePdf, fields: bool, rendering: bool) -> None:
    with pytest.raises(errors.XfaForm):
        open_pdf(make_pdf(lambda document: _xfa(document, fields=fields, rendering=rendering)))


def test_an_xfa_copy_beside_ordinary_fields_does_no_harm(make_pdf: MakePdf) -> None:
    assert open_pdf(make_pdf(lambda document: _xfa(document, fields=True, rendering=False))).pages


def _loop(document: pikepdf.Pdf) -> None:
    document.Root.Pages.Kids.append(document.Root.Pages)


def test_a_page_tree_that_loops_is_refused(make_pdf: MakePdf) -> None:
    with pytest.raises(errors.PdfUnreadable, match="loops"):
        open_pdf(make_pdf(_loop))


@pytest.mark.parametrize("empty", [b"", b"%PDF-1.7", b"plain text", b"\0" * 4096])
def test_what_is_no_pdf_is_refused(empty: bytes) -> None:
    with pytest.raises(errors.PdfUnreadable):
        open_pdf(empty)


def test_junk_before_the_header_is_refused(make_pdf: MakePdf) -> None:
    with pytest.raises(errors.PdfUnreadable, match="begin"):
        open_pdf(b"HTTP/1.1 200 OK\r\n\r\n" + make_pdf())


def test_a_hybrid_reference_file_is_refused(make_pdf: MakePdf) -> None:
    plain = make_pdf(object_stream_mode=pikepdf.ObjectStreamMode.disable)
    streams = make_pdf(object_stream_mode=pikepdf.ObjectStreamMode.generate)
    place = int(streams.rpartition(b"startxref")[2].split()[0])
    stream = streams[place : streams.index(b"endobj", place) + 6]
    hidden = plain.rpartition(b"trailer <<")
    moved = hidden[0].rpartition(b"xref\n")
    start = len(moved[0])
    trailer = b"trailer << /XRefStm %d " % start + hidden[2]
    hybrid = moved[0] + stream + b"\nxref\n" + moved[2] + trailer
    new_start = hybrid.rindex(b"xref\n0 ")
    hybrid = hybrid.rpartition(b"startxref")[0] + b"startxref\n%d\n%%%%EOF\n" % new_start
    with pytest.raises(errors.HybridReferences):
        open_pdf(hybrid)


@pytest.mark.parametrize(
    "damage",
    [
        lambda pdf: pdf + b"\nmail footer\n" * 1000,
        lambda pdf: pdf.rpartition(b"startxref")[0] + b"startxref\n7\n%%EOF\n",
        lambda pdf: pdf.rpartition(b"startxref")[0],
        lambda pdf: pdf.replace(b"xref\n0 ", b"xerf\n0 "),
    ],
)
def test_a_broken_cross_reference_is_mended_by_appending(make_pdf: MakePdf, damage: Callable[[bytes], bytes]) -> None:
    broken = damage(make_pdf(object_stream_mode=pikepdf.ObjectStreamMode.disable))
    opened = open_pdf(broken)
    assert opened.data.startswith(broken)
    assert len(opened.data) > len(broken)
    assert len(opened.pages) == 1


def test_an_encrypted_file_is_not_mended(make_pdf: MakePdf) -> None:
    broken = make_pdf(encryption=Encryption(owner="secret", user="")).rpartition(b"startxref")[0]
    with pytest.raises(errors.PdfUnreadable):
        open_pdf(broken)


def test_pages_inherit_and_defaults_fill_in(make_pdf: MakePdf) -> None:
    def change(document: pikepdf.Pdf) -> None:
        document.Root.Pages.Rotate = 90
        document.Root.Pages.MediaBox = Array([0, 0, 300, 500])
        del document.pages[0].obj["/MediaBox"]

    geometry = open_pdf(make_pdf(change)).pages[0].geometry
    assert (geometry.box, geometry.rotate) == ((0, 0, 300, 500), 90)


def test_a_file_with_two_objects_of_one_number_is_not_mended(make_pdf: MakePdf) -> None:
    """Only its broken table could tell which of them is meant."""
    pdf = make_pdf()
    offset = pdf.index(b"xref\n")
    doubled = pdf[:offset] + b"3 0 obj\n<</Doubled true>>\nendobj\n" + pdf[offset:].replace(b"startxref", b"startxxxx")
    with pytest.raises(errors.PdfUnreadable):
        open_pdf(doubled)
