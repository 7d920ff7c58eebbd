"""Chinese fonts for visible text: found on the machine, read once, cut down to the characters used.

Glyph outlines are kept after their first use, so that a subset costs next to nothing after that.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from signing_service.pades.cff import cid_font
from signing_service.pades.drawing import Source, stream
from signing_service.pades.errors import FontMissing, GlyphMissing

Face = Literal["song", "hei"]

_FOLDERS = ("~/.local/share/fonts", "~/.fonts", "/usr/local/share/fonts", "/usr/share/fonts")
_FILES: dict[Face, tuple[str, str]] = {
    "song": ("NotoSerifCJK-Regular.ttc", "Noto Serif CJK SC"),
    "hei": ("NotoSansCJK-Regular.ttc", "Noto Sans CJK SC"),
}


@dataclass(frozen=True, slots=True)
class Glyph:
    """A Type 2 charstring without subroutines and the advance width, in 1/1000 em."""

    outline: bytes
    width: int


class FontFace:
    """One face. Glyphs are read under a lock: the font file has one position to read from."""

    def __init__(self, path: Path, family: str) -> None:
        from fontTools.ttLib import TTCollection  # only a visible text needs it, and it is slow to load

        names = [font["name"].getDebugName(1) for font in TTCollection(path, lazy=True).fonts]
        self._font = TTCollection(path, lazy=True).fonts[names.index(family) if family in names else 0]
        self._characters: dict[int, str] = self._font.getBestCmap()
        self._shapes: Any = self._font.getGlyphSet()
        self._scale = 1000 / self._font["head"].unitsPerEm
        self._lock = threading.Lock()
        self._glyphs: dict[str, Glyph] = {}
        self.name = family.replace(" ", "")

    def glyph(self, character: str) -> Glyph:
        """Raises GlyphMissing."""
        found = self._glyphs.get(character)
        if found is None:
            name = self._characters.get(ord(character))
            if name is None:
                raise GlyphMissing(character)
            with self._lock:
                found = self._glyphs[character] = self._read(name)
        return found

    def notdef(self) -> Glyph:
        return Glyph(b"\x0e", 1000)

    def _read(self, name: str) -> Glyph:
        from fontTools.pens.t2CharStringPen import T2CharStringPen
        from fontTools.pens.transformPen import TransformPen

        width = round(self._shapes[name].width * self._scale)
        pen = T2CharStringPen(width, self._shapes)
        self._shapes[name].draw(TransformPen(pen, (self._scale, 0, 0, self._scale, 0, 0)))
        outline = pen.getCharString()
        outline.compile()
        return Glyph(bytes(outline.bytecode), width)


@cache
def font_face(face: Face) -> FontFace:
    """The installed face. Raises FontMissing, naming what to install."""
    file, family = _FILES[face]
    found = [path for folder in _FOLDERS for path in sorted(Path(folder).expanduser().rglob(file))]
    if not found:
        raise FontMissing(family)
    return FontFace(found[0], family)


@dataclass(frozen=True, slots=True)
class FontSubset:
    """A font of exactly the characters used. `sources` are PDF objects, the last of them the Type 0 font."""

    codes: dict[str, int]
    widths: dict[str, int]
    sources: tuple[Source, ...]

    def encode(self, text: str) -> bytes:
        """The text as a PDF hexadecimal string of two-byte codes."""
        return b"<%s>" % b"".join(b"%04X" % self.codes[character] for character in text)

    def width(self, text: str) -> float:
        """Advance width in em."""
        return sum(self.widths[character] for character in text) / 1000


@lru_cache(maxsize=128)
def font_subset(face: Face, characters: str) -> FontSubset:
    """`characters` sorted and without repeats. Raises FontMissing or GlyphMissing."""
    font = font_face(face)
    missing = "".join(character for character in characters if ord(character) not in font._characters)
    if missing:
        raise GlyphMissing(missing)
    glyphs = {character: font.glyph(character) for character in characters}
    codes = {character: code for code, character in enumerate(characters, start=1)}
    widths = {character: glyph.width for character, glyph in glyphs.items()}
    tag = _tag(characters)
    name = f"{tag}+{font.name}"
    program = cid_font(name, [font.notdef().outline, *(glyph.outline for glyph in glyphs.values())])
    return FontSubset(codes, widths, _sources(name.encode("ascii"), program, characters, list(widths.values())))


def _sources(name: bytes, program: bytes, characters: str, widths: list[int]) -> tuple[Source, ...]:
    """Font file, descriptor, CIDFont, ToUnicode map and Type 0 font (ISO 32000-2, 9.7 and 9.9); ints are references."""
    descriptor = (
        b"<</Type/FontDescriptor/FontName/%s/Flags 4/FontBBox[-1000 -1000 2000 2000]/ItalicAngle 0"
        b"/Ascent 880/Descent -120/CapHeight 733/StemV 80/FontFile3 " % name
    )
    descendant = (
        b"<</Type/Font/Subtype/CIDFontType0/BaseFont/%s/CIDSystemInfo"
        b"<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/DW 1000/W[1[%s]]/FontDescriptor "
        % (name, b" ".join(b"%d" % width for width in widths))
    )
    font = b"<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[" % name
    return (
        (stream(b"/Subtype/CIDFontType0C/Filter/FlateDecode", zlib.compress(program)),),
        (descriptor, 0, b">>"),
        (descendant, 1, b">>"),
        (stream(b"/Filter/FlateDecode", zlib.compress(_to_unicode(characters))),),
        (font, 2, b"]/ToUnicode ", 3, b">>"),
    )


def _to_unicode(characters: str) -> bytes:
    """The CMap that lets text be extracted and searched."""
    rows = [
        b"<%04X> <%s>" % (code, character.encode("utf-16-be").hex().upper().encode("ascii"))
        for code, character in enumerate(characters, start=1)
    ]
    blocks = [rows[start : start + 100] for start in range(0, len(rows), 100)]
    body = b"".join(b"%d beginbfchar\n%s\nendbfchar\n" % (len(block), b"\n".join(block)) for block in blocks)
    return (
        b"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        b"/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        b"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        b"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n" + body + b"endcmap\n"
        b"CMapName currentdict /CMap defineresource pop\nend\nend"
    )


def _tag(characters: str) -> str:
    """The six capitals that mark a subset, the same for the same characters."""
    digest = hashlib.sha256(characters.encode()).digest()
    return "".join(chr(ord("A") + octet % 26) for octet in digest[:6])
