"""Existing fields, their demands, and pages that share what they should not."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from signing_service.pades.appearance import SealAppearance, TextAppearance
from signing_service.pades.errors import FieldRefused
from signing_service.pades.placing import FieldPlacing, Placing
from signing_service.pades.sign import SignatureRequest, sign
from signing_service.pdf.errors import EarlierSignatureWouldBreak, PermissionMissing
from signing_service.pdf.picture import VectorPicture

Change = Callable[[pikepdf.Pdf], None]
PICTURE = VectorPicture(b"q 1 0 0 rg 0 0 85 85 re f Q", 30, 30)


def built(change: Change, pages: int = 1, **options: object) -> bytes:
    document = pikepdf.new()
    for _ in range(pages):
        document.add_blank_page(page_size=(595.276, 841.89))
    change(document)
    output = io.BytesIO()
    document.save(output, **options)  # type: ignore[arg-type]
    return output.getvalue()


def with_field(
    document: pikepdf.Pdf, name: str = "盖章处", rect: tuple[int, ...] = (100, 100, 220, 160), **more
) -> None:
    page = document.pages[0].obj
    entries = Dictionary(
        Type=Name.Annot, Subtype=Name.Widget, FT=Name.Sig, T=name, F=2 | 32, Rect=Array(rect), P=page, **more
    )
    field = document.make_indirect(entries)
    page.Annots = Array([field])
    document.Root.AcroForm = Dictionary(Fields=Array([field]))


def opened(pdf: bytes) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(pdf))


def test_an_empty_field_is_filled_where_it_is(pki, now: datetime, pdfsig) -> None:
    pdf = built(with_field)
    text = TextAppearance(["同意"])
    request = SignatureRequest(field="盖章处", signed_at=now, appearance=text, placing=Placing(0, 5, 5))
    signed = sign(pdf, request, pki.key("审批员甲"))
    assert signed.startswith(pdf)
    assert pdfsig(signed) == ["Signature is Valid."]
    with opened(signed) as document:
        (field,) = document.Root.AcroForm.Fields
        assert [int(value) for value in field.Rect] == [100, 100, 220, 160]
        assert int(field.F) & 4
        assert not int(field.F) & (2 | 32)
        assert [float(v) for v in field.AP.N.BBox] == pytest.approx([0, 0, 120, 60], abs=1e-3)


def test_a_placing_that_names_a_field_takes_that_field_and_no_other(pki, now: datetime, pdfsig) -> None:
    def sealed(pdf: bytes, name: str, key) -> bytes:
        return sign(pdf, SignatureRequest(field="Seal-1", signed_at=now, appearance=SealAppearance(PICTURE),
                                          placing=FieldPlacing(name)), key)  # fmt: skip

    signed = sealed(built(with_field), "盖章处", pki.key("示例印章"))
    assert pdfsig(signed) == ["Signature is Valid."]
    with opened(signed) as document:
        (field,) = document.Root.AcroForm.Fields
        assert [int(value) for value in field.Rect] == [100, 100, 220, 160]
        assert "/AP" in field
    unseen = built(lambda document: with_field(document, rect=(0, 0, 0, 0)))
    key = pki.key("示例印章")
    for pdf, name in ((built(with_field), "没有"), (built(lambda _: None), "盖章处"), (unseen, "盖章处")):
        with pytest.raises(FieldRefused):
            sealed(pdf, name, key)
    with pytest.raises(FieldRefused):  # without a picture neither
        sign(built(lambda _: None), SignatureRequest(field="x", signed_at=now, placing=FieldPlacing("没有")), key)
    assert key.uses == 0


def test_a_field_with_a_separate_widget_is_filled(pki, now: datetime, pdfsig) -> None:
    def change(document: pikepdf.Pdf) -> None:
        page = document.pages[0].obj
        field = document.make_indirect(Dictionary(FT=Name.Sig, T="签名"))
        widget = document.make_indirect(
            Dictionary(Type=Name.Annot, Subtype=Name.Widget, Rect=Array([10, 10, 90, 50]), Parent=field, P=page)
        )
        field.Kids = Array([widget])
        page.Annots = Array([widget])
        document.Root.AcroForm = document.make_indirect(Dictionary(Fields=Array([field])))

    request = SignatureRequest(field="签名", signed_at=now, appearance=SealAppearance(PICTURE))
    signed = sign(built(change), request, pki.key("示例印章"))
    assert pdfsig(signed) == ["Signature is Valid."]
    with opened(signed) as document:
        field = document.Root.AcroForm.Fields[0]
        assert field.V.SubFilter == "/ETSI.CAdES.detached"
        assert "/AP" in field.Kids[0]


def test_a_hierarchical_field_is_found_by_its_full_name(pki, now: datetime, pdfsig) -> None:
    def change(document: pikepdf.Pdf) -> None:
        parent = document.make_indirect(Dictionary(T="审批"))
        child = document.make_indirect(Dictionary(T="局长", FT=Name.Sig, Parent=parent, Rect=Array([0, 0, 0, 0])))
        parent.Kids = Array([child])
        document.Root.AcroForm = Dictionary(Fields=Array([parent]))

    pdf = built(change)
    signed = sign(pdf, SignatureRequest(field="审批.局长", signed_at=now), pki.key("审批员甲"))
    assert pdfsig(signed) == ["Signature is Valid."]
    for name in ("审批", "审批.处长"):
        with pytest.raises(FieldRefused):
            sign(pdf, SignatureRequest(field=name, signed_at=now), pki.key("审批员甲"))


def test_a_signed_field_is_not_signed_again(pki, now: datetime) -> None:
    request = SignatureRequest(field="签名", signed_at=now)
    signed = sign(built(lambda _: None), request, pki.key("审批员甲"))
    with pytest.raises(FieldRefused, match="signed already"):
        sign(signed, request, pki.key("审批员甲"))


def test_a_text_field_takes_no_signature(pki, now: datetime) -> None:
    def change(document: pikepdf.Pdf) -> None:
        field = document.make_indirect(Dictionary(FT=Name.Tx, T="备注"))
        document.Root.AcroForm = Dictionary(Fields=Array([field]))

    with pytest.raises(FieldRefused, match="not a signature field"):
        sign(built(change), SignatureRequest(field="备注", signed_at=now), pki.key("审批员甲"))


SEEDS = [
    (Dictionary(Ff=2, SubFilter=Array([Name("/adbe.pkcs7.detached")])), False),
    (Dictionary(Ff=2, SubFilter=Array([Name("/adbe.pkcs7.detached"), Name("/ETSI.CAdES.detached")])), True),
    (Dictionary(Ff=64, DigestMethod=Array([pikepdf.String("SHA512")])), False),
    (Dictionary(Ff=64, DigestMethod=Array([pikepdf.String("SHA256")])), True),
    (Dictionary(Ff=8, Reasons=Array([pikepdf.String("因故")])), False),
    (Dictionary(Ff=1, Filter=Name("/Other.Handler")), False),
    (Dictionary(SubFilter=Array([Name("/adbe.pkcs7.detached")])), True),
    (Dictionary(Cert=Dictionary(Ff=1)), False),
]


@pytest.mark.parametrize(("seed", "is_met"), SEEDS)
def test_seed_values_are_met_or_refused(pki, now: datetime, seed: Dictionary, is_met: bool) -> None:
    pdf = built(lambda document: with_field(document, SV=seed))
    request = SignatureRequest(field="盖章处", signed_at=now)
    if is_met:
        assert sign(pdf, request, pki.key("审批员甲")).startswith(pdf)
    else:
        with pytest.raises(FieldRefused, match="demands"):
            sign(pdf, request, pki.key("审批员甲"))


def test_a_fields_own_lock_is_stated_and_kept(pki, now: datetime, pdfsig) -> None:
    lock = Dictionary(Type=Name.SigFieldLock, Action=Name.Include, Fields=Array([pikepdf.String("补签")]))
    pdf = built(lambda document: with_field(document, Lock=lock))
    signed = sign(pdf, SignatureRequest(field="盖章处", signed_at=now), pki.key("示例印章"))
    with pytest.raises(EarlierSignatureWouldBreak):
        sign(signed, SignatureRequest(field="补签", signed_at=now), pki.key("审批员甲"))
    other = sign(signed, SignatureRequest(field="另签", signed_at=now), pki.key("审批员甲"))
    assert pdfsig(other) == ["Signature is Valid."] * 2


@pytest.mark.parametrize("by_reference", [True, False])
def test_pages_that_share_an_annotation_array_do_not_share_the_signature(
    pki, now: datetime, by_reference: bool, pdfsig
) -> None:
    def change(document: pikepdf.Pdf) -> None:
        note = document.make_indirect(Dictionary(Type=Name.Annot, Subtype=Name.Text, Rect=Array([0, 0, 9, 9])))
        shared = Array([note])
        if by_reference:
            shared = document.make_indirect(shared)
        for page in document.pages:
            page.obj.Annots = shared

    appearance = SealAppearance(PICTURE)
    request = SignatureRequest(field="印章", signed_at=now, appearance=appearance, placing=Placing(1, 20, 20))
    signed = sign(built(change, 3), request, pki.key("示例印章"))
    assert pdfsig(signed) == ["Signature is Valid."]
    with opened(signed) as document:
        assert [len(page.obj.Annots) for page in document.pages] == [1, 2, 1]
        kinds = [str(annotation.Subtype) for annotation in document.pages[1].obj.Annots]
        assert kinds == ["/Text", "/Widget"]


def _no_form(document: pikepdf.Pdf) -> None:
    document.Root.AcroForm = document.make_indirect(Dictionary())


def _null_fields(document: pikepdf.Pdf) -> None:
    document.Root.AcroForm = Dictionary(
        Fields=document.make_indirect(Array()), SigFlags=0, DA=pikepdf.String("/F 0 Tf")
    )


def _broken_metadata(document: pikepdf.Pdf) -> None:
    document.Root.Metadata = document.make_stream(b"<x:xmpmeta <<< this is no XML")


def _annotations_of_a_wrong_type(document: pikepdf.Pdf) -> None:
    document.pages[0].obj.Annots = Dictionary()


@pytest.mark.parametrize("change", [_no_form, _null_fields, _broken_metadata, _annotations_of_a_wrong_type])
@pytest.mark.parametrize("streams", list(pikepdf.ObjectStreamMode)[:3])
def test_odd_but_readable_files_are_signed(
    pki, now: datetime, change: Change, streams: pikepdf.ObjectStreamMode, pdfsig
) -> None:
    pdf = built(change, object_stream_mode=streams)
    text = TextAppearance(["同意"])
    request = SignatureRequest(field="签名", signed_at=now, appearance=text, placing=Placing(0))
    signed = sign(pdf, request, pki.key("审批员甲"))
    assert signed.startswith(pdf)
    assert pdfsig(signed) == ["Signature is Valid."]
    with opened(signed) as document:
        assert document.Root.AcroForm.SigFlags == 3
        assert len(document.pages[0].obj.Annots) == 1


ENCRYPTED = [
    pikepdf.Encryption(owner="secret", user="", R=3, aes=False, metadata=False),
    pikepdf.Encryption(owner="secret", user="", R=4),
    pikepdf.Encryption(owner="secret", user="", R=6),
]


@pytest.mark.parametrize("encryption", ENCRYPTED)
def test_b20_encrypted_files_are_signed_inside_their_encryption(
    pki, now: datetime, encryption: pikepdf.Encryption, pdfsig
) -> None:
    pdf = built(lambda _: None, encryption=encryption)
    request = SignatureRequest(
        field="签名", signed_at=now, reason="同意", appearance=TextAppearance(["同意"]), placing=Placing(0)
    )
    signed = sign(pdf, request, pki.key("审批员甲"))
    assert signed.startswith(pdf)
    assert pdfsig(signed) == ["Signature is Valid."]
    with opened(signed) as document:
        assert document.is_encrypted
        assert str(document.Root.AcroForm.Fields[0].V.Reason) == "同意"
        assert document.Root.AcroForm.Fields[0].AP.N.read_bytes().startswith(b"q 0.45 G")


def test_b20_only_existing_fields_may_be_signed_where_forms_may_be_filled_alone(pki, now: datetime, pdfsig) -> None:
    allow = pikepdf.Permissions(modify_annotation=False, modify_form=True, modify_other=False)
    pdf = built(with_field, encryption=pikepdf.Encryption(owner="secret", user="", allow=allow))
    assert pdfsig(sign(pdf, SignatureRequest(field="盖章处", signed_at=now), pki.key("审批员甲"))) == [
        "Signature is Valid."
    ]
    with pytest.raises(PermissionMissing):
        sign(pdf, SignatureRequest(field="新域", signed_at=now), pki.key("审批员甲"))
