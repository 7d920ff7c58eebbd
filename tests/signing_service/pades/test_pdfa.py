"""PDF/A stays PDF/A: the rules of ISO 19005-2 and -3 that a signature can break, and veraPDF, where Maven can bring it.

Rules: 6.2.11.4 fonts embedded, 6.2.11.5 widths as in the font program, 6.2.10 no transparency added, 6.3.2 and 6.3.3
annotations printed and with an appearance, 6.6 metadata unchanged, 6.4.1 no NeedAppearances.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from unittest import mock

import pikepdf
import pytest
from fontTools.cffLib import CFFFontSet

from signing_service.kernel.typesetting import typeset
from signing_service.pades import revisions
from signing_service.pades.appearance import SealAppearance, TextAppearance
from signing_service.pades.placing import Placing
from signing_service.pades.sign import Level, SignatureRequest, sign
from signing_service.pdf.picture import VectorPicture
from signing_service.pdf.plain_tokens import NotPlain

VERAPDF = Path(__file__).resolve().parents[2] / "outside" / "verapdf"
PICTURE = VectorPicture(b"q 1 0 0 RG 3 w 2 2 115 115 re S Q", 42, 42)


@pytest.fixture(scope="module")
def archived() -> bytes:
    return typeset('#set text(font: "Noto Serif CJK SC")\n示例市批复', {})


@pytest.fixture(scope="module")
def archived_3b(archived: bytes) -> bytes:
    """With an attachment of any kind, which part 3 alone allows."""
    with pikepdf.open(io.BytesIO(archived)) as document:
        attached = pikepdf.AttachedFileSpec(document, b"a,b\n1,2\n", filename="data.csv", mime_type="text/csv",
                                            description="data", relationship=pikepdf.Name.Data)  # fmt: skip
        document.attachments["data.csv"] = attached
        document.Root.AF = pikepdf.Array([attached.obj])
        metadata = document.Root.Metadata.read_bytes()
        assert b"<pdfaid:part>2</pdfaid:part>" in metadata
        document.Root.Metadata.write(metadata.replace(b"<pdfaid:part>2<", b"<pdfaid:part>3<"))
        output = io.BytesIO()
        document.save(output)
    return output.getvalue()


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


@pytest.fixture(scope="module")
def verapdf() -> Callable[[Path], list[str]]:
    """veraPDF's lines for all PDFs of a folder: the verdict, the file, the flavour that was checked."""
    jars = VERAPDF / "jars"
    if not jars.is_dir():
        why = VERAPDF / "why-missing.txt"
        pytest.skip(f"Maven could not bring veraPDF: {why.read_text() if why.exists() else 'run scripts/setup test'}")

    def check(folder: Path) -> list[str]:
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", "org.verapdf.apps.GreenfieldCliWrapper",
                   "--format", "text", *map(str, sorted(folder.glob("*.pdf")))]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return [line for line in done.stdout.splitlines() if line.startswith(("PASS", "FAIL"))]

    return check


def test_verapdf_finds_2b_and_3b_unharmed_by_both_paths_and_every_level(
    pki, authority, archived: bytes, archived_3b: bytes, signed: bytes, now: datetime, tmp_path: Path, verapdf
) -> None:
    def sealed(pdf: bytes, level: Level) -> bytes:
        request = SignatureRequest(field="印章", signed_at=now, appearance=SealAppearance(PICTURE),
                                   placing=Placing(0, 120, 20), level=level)  # fmt: skip
        return sign(pdf, request, pki.key("示例印章"), timestamper=authority, revocation=pki)

    (tmp_path / "a-2b.pdf").write_bytes(signed)
    for level in Level:
        (tmp_path / f"{level}-2b.pdf").write_bytes(sealed(archived, level))
        (tmp_path / f"{level}-3b.pdf").write_bytes(sealed(archived_3b, level))
    with mock.patch.object(revisions, "prepare_plainly", side_effect=NotPlain("on purpose")):
        (tmp_path / "slow-2b.pdf").write_bytes(sealed(archived, Level.B_T))
        (tmp_path / "slow-3b.pdf").write_bytes(sealed(archived_3b, Level.B_T))
    broken = sealed(archived, Level.B_B).replace(b"/F 132", b"/F 128")
    (tmp_path / "z-broken-2b.pdf").write_bytes(broken)

    lines = verapdf(tmp_path)
    found = {Path(name).name: (verdict, flavour) for verdict, name, flavour in (line.split() for line in lines)}
    assert found.pop("z-broken-2b.pdf") == ("FAIL", "2b")  # not printed: 6.3.2
    assert found == {path.name: ("PASS", path.stem[-2:]) for path in tmp_path.glob("[!z]*.pdf")}
    assert len(found) == 11
