"""The Song-style font of seal pictures: found on the machine, read as outlines, never embedded."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTCollection, TTFont

from signing_service.seals.errors import SealError, Text

FAMILY = "NotoSerifCJKsc"
CANDIDATES = tuple(
    Path(folder) / name
    for folder in (
        "/usr/share/fonts/opentype/noto",
        "/usr/share/fonts/noto-cjk",
        "/usr/share/fonts/google-noto-serif-cjk-fonts",
        "/usr/local/share/fonts",
        os.path.expanduser("~/.local/share/fonts"),
    )
    for name in ("NotoSerifCJK-Bold.ttc", "NotoSerifCJKsc-Bold.otf", "NotoSerifCJK-Regular.ttc")
)
EM_BOTTOM = -0.12  # of the em: where the ideographic box begins in this family


class SealFontMissing(SealError):
    code = "seal_font_missing"

    def __init__(self, searched: Sequence[Path]) -> None:
        super().__init__(
            Text("找不到绘制印章所需的宋体字库。", "The Song-style font for drawing seals was not found."),
            why=Text(f"已查找:{'、'.join(map(str, searched))}。", f"Looked for: {', '.join(map(str, searched))}."),
            advice=Text("请安装字库:apt-get install fonts-noto-cjk。", "Install it: apt-get install fonts-noto-cjk."),
        )


class SealGlyphMissing(SealError):
    code = "seal_glyph_missing"

    def __init__(self, character: str, font: Path) -> None:
        super().__init__(
            Text(f"字库中没有“{character}”字。", f"The font has no outline for “{character}”."),
            why=Text(f"字库 {font}。", f"Font {font}."),
            advice=Text(
                "请核对印章文字,或上传印章图样。", "Check the seal's text, or upload a picture of the seal instead."
            ),
        )


@dataclass(frozen=True)
class SongFont:
    """One face of the family. Outlines are given in the unit square: the em box becomes (0, 0)-(1, 1)."""

    path: Path
    _face: TTFont = field(repr=False)
    _names: dict[int, str] = field(repr=False)
    _glyphs: Any = field(repr=False)

    def advance(self, character: str) -> float:
        """Width of the character in em; 1 for an ideograph, about a half for a Latin letter or digit."""
        return float(self._glyphs[self._name(character)].width) / float(self._face["head"].unitsPerEm)

    def draw(self, character: str, pen: Any, placed: tuple[float, float, float, float, float, float]) -> None:
        """Draw the character's em box through the affine map `placed` (a b c d e f, as in PDF) into the pen.

        Raises SealGlyphMissing: a seal with a blank where a character should be must never come into being.
        """
        scale = 1 / float(self._face["head"].unitsPerEm)
        a, b, c, d, e, f = placed
        lifted = (a * scale, b * scale, c * scale, d * scale, e - c * EM_BOTTOM, f - d * EM_BOTTOM)
        self._glyphs[self._name(character)].draw(TransformPen(pen, lifted))

    def _name(self, character: str) -> str:
        name = self._names.get(ord(character))
        if name is None:
            raise SealGlyphMissing(character, self.path)
        return name


def song_font(candidates: Sequence[Path] = CANDIDATES) -> SongFont:
    """The first candidate that exists, in its simplified-Chinese face. Raises SealFontMissing."""
    for path in candidates:
        if path.is_file():
            return _opened(path)
    raise SealFontMissing(candidates)


@functools.lru_cache(maxsize=4)
def _opened(path: Path) -> SongFont:
    face = TTFont(path, fontNumber=_face_number(path), lazy=True)
    return SongFont(path, face, face.getBestCmap(), face.getGlyphSet())


def _face_number(path: Path) -> int:
    if path.suffix != ".ttc":
        return -1
    with TTCollection(path, lazy=True) as collection:
        names = [str(face["name"].getDebugName(6)) for face in collection.fonts]
    return next((number for number, name in enumerate(names) if name.startswith(FAMILY)), 0)
