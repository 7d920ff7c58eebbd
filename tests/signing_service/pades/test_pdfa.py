"""PDF/A stays PDF/A: the rules of ISO 19005-2 and -3 that a signature can break, and veraPDF where it is installed.

Rules: 6.2.11.4 fonts embedded, 6.2.11.5 widths as in the font program, 6.2.10 no transparency added, 6.3.2 and 6.3.3
annotations printed and with an appearance, 6.6 metadata unchanged, 6.4.1 no NeedAppearances.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pikepdf
import pytest
from fontTools.cffLib import CFFFontSet

from signing_service.kernel.typesetting import typeset
from signing_service.pades.appearance import SealAppearance, TextAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.sign import Level, SignatureRequest, sign
from signing_service.pdf.picture import VectorPicture

PICTURE = VectorPicture(b"q 1 0 0 RG 3 w 2 2 115 115 re S Q", 42, 42)


@pytest.fixture(scope="module")
def archived() -> bytes:
    return typeset('#set text(font: "Noto Serif CJK SC")\n示例市批复', {})


@pytest.fixture
def signed(pki, authority, archived: bytes, now: datetime) -> bytes:
    text = TextAppearance(["审批人:审批员甲", "意见:同意"])
    visible = SignatureRequest(field="审批", signed_at=now, appearance=text, placing=Placing(0, 20, 60, 60, 22))
    sealing = SignatureRequest(
        field="印章",
        signed_at=now,
        appearance=SealAppearance(PICTURE),
        placing=Placing(0, 120, 20),
        lock=True,
        level=Level.B_LTA,
    )
    once = sign(archived, visible, pki.key("审批员甲"))
    return sign(once, sealing, pki.key("示例印章"), timestamper=authority, revocation=pki)


def test_metadata_and_output_intent_are_untouched(archived: bytes, signed: bytes) -> None:
    with pikepdf.open(io.BytesIO(archived)) as before, pikepdf.open(io.BytesIO(signed)) as after:
        assert after.Root.Metadata.read_raw_bytes() == before.Root.Metadata.read_raw_bytes()
        assert b"pdfaid" in after.Root.Metadata.read_bytes()
        assert len(after.Root.OutputIntents) == len(before.Root.OutputIntents)
        assert after.docinfo == before.docinfo
        assert "/NeedAppearances" not in after.Root.AcroForm


def test_annotations_are_printed_and_have_an_appearance(signed: bytes) -> None:
    with pikepdf.open(io.BytesIO(signed)) as document:
        widgets = list(document.pages[0].Annots)
        assert len(widgets) == 2  # the document timestamp shows nothing
        for widget in widgets:
            assert int(widget.F) & 4
            assert not int(widget.F) & (1 | 2 | 32)
            assert widget.AP.keys() == {"/N"}


def test_no_transparency_is_added(signed: bytes, archived: bytes) -> None:
    added = signed[len(archived) :]
    for key in (b"/SMask", b"/Group", b"/ExtGState", b"/BM", b"/CA ", b"/ca "):
        assert key not in added


def test_the_font_is_embedded_with_its_own_widths(signed: bytes) -> None:
    with pikepdf.open(io.BytesIO(signed)) as document:
        font = document.pages[0].Annots[0].AP.N.Resources.Font.F0
        (descendant,) = font.DescendantFonts
        widths = [int(width) for width in descendant.W[1]]
        program = descendant.FontDescriptor.FontFile3.read_bytes()
    fonts = CFFFontSet()
    fonts.decompile(io.BytesIO(program), None)
    top = fonts.topDictIndex[0]
    assert top.ROS == ("Adobe", "Identity", 0)
    assert len(top.charset) == len(widths) + 1
    private = top.FDArray[0].Private
    for code, declared in enumerate(widths, start=1):
        outline = top.CharStrings[f"cid{code:05d}"]
        outline.decompile()
        outline.private = private
        first = outline.program[0]
        assert isinstance(first, int)
        assert first + getattr(private, "nominalWidthX", 0) == declared


def test_verapdf_agrees(signed: bytes, tmp_path: Path) -> None:
    program = shutil.which("verapdf")
    if program is None:
        pytest.skip("veraPDF is not installed; the rules above are checked by this file alone")
    path = tmp_path / "signed.pdf"
    path.write_bytes(signed)
    done = subprocess.run([program, "--format", "text", str(path)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("PASS")
