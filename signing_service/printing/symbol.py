"""The QR symbol of a paper code: two segments, at most version 18, modules of at least 0.4 mm, as SVG, PDF and PNG.

The lower-case address is one byte-mode segment (an upper-case HTTPS:// fails on some phones), the payload one
alphanumeric segment. Error correction M; four modules of quiet zone are part of every picture.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import qrcode
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M
from qrcode.exceptions import DataOverflowError
from qrcode.util import QRData

from signing_service.pdf.picture import POINTS_PER_MM, VectorPicture
from signing_service.printing.errors import CodeTooLarge
from signing_service.printing.paper_code import PaperCode

LARGEST_VERSION = 18
SMALLEST_MODULE_MM = 0.4
MODULE_MM = 0.42
QUIET_MODULES = 4
ALPHANUMERIC_MODE: Literal[2] = 2
BYTE_MODE: Literal[4] = 4
"""Mode indicators of ISO/IEC 18004, table 2."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """`rows`: dark modules, top to bottom, without the quiet zone."""

    version: int
    rows: tuple[tuple[bool, ...], ...]
    module_mm: float = MODULE_MM

    @property
    def modules(self) -> int:
        """Along one side, with the quiet zone."""
        return len(self.rows) + 2 * QUIET_MODULES

    @property
    def side_mm(self) -> float:
        return self.modules * self.module_mm

    @property
    def svg(self) -> bytes:
        """In module units, sized in mm; black on white."""
        path = "".join(f"M{x} {y}h{length}v1h-{length}z" for x, y, length in self._runs())
        side = f"{self.side_mm:.3f}mm"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" '
            f'viewBox="0 0 {self.modules} {self.modules}" shape-rendering="crispEdges">'
            f'<rect width="{self.modules}" height="{self.modules}" fill="#fff"/><path d="{path}" fill="#000"/></svg>'
        ).encode()

    @property
    def picture(self) -> VectorPicture:
        """PDF operators: a white square with black rectangles."""
        unit = self.module_mm * POINTS_PER_MM
        boxes = b"".join(b"%d %d %d 1 re\n" % (x, self.modules - 1 - y, length) for x, y, length in self._runs())
        scale = f"{unit:.5f}".encode()
        content = b"q %s 0 0 %s 0 0 cm\n1 g 0 0 %d %d re f\n0 g\n%sf\nQ" % (
            scale, scale, self.modules, self.modules, boxes,
        )  # fmt: skip
        return VectorPicture(content, self.side_mm, self.side_mm)

    def png(self, *, pixels_per_module: int = 8) -> bytes:
        """For the screen: whole pixels a module, with the resolution that prints it in its own size."""
        side = self.modules * pixels_per_module
        image = Image.new("1", (side, side), 1)
        for x, y, length in self._runs():
            box = (
                x * pixels_per_module,
                y * pixels_per_module,
                (x + length) * pixels_per_module,
                (y + 1) * pixels_per_module,
            )
            image.paste(0, box)
        target = io.BytesIO()
        dpi = pixels_per_module / self.module_mm * 25.4
        image.save(target, "PNG", dpi=(dpi, dpi), optimize=True)
        return target.getvalue()

    def _runs(self) -> Iterator[tuple[int, int, int]]:
        """Horizontal runs of dark modules: x, y from the top left with the quiet zone, length."""
        for y, row in enumerate(self.rows):
            start = None
            for x, dark in enumerate((*row, False)):
                if dark and start is None:
                    start = x
                elif not dark and start is not None:
                    yield start + QUIET_MODULES, y + QUIET_MODULES, x - start
                    start = None


def draw_symbol(code: PaperCode, *, module_mm: float = MODULE_MM) -> Symbol:
    """The smallest symbol that holds the code. Raises CodeTooLarge over version 18."""
    if module_mm < SMALLEST_MODULE_MM:
        raise ValueError(f"modules below {SMALLEST_MODULE_MM} mm do not survive home printers")
    drawing = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=0)
    drawing.add_data(QRData(code.prefix.encode(), mode=BYTE_MODE))
    drawing.add_data(QRData(code.payload.encode(), mode=ALPHANUMERIC_MODE))
    try:
        drawing.make(fit=True)
    except (DataOverflowError, ValueError):
        raise CodeTooLarge(41, LARGEST_VERSION) from None
    if drawing.version > LARGEST_VERSION:
        raise CodeTooLarge(drawing.version, LARGEST_VERSION)
    rows = tuple(tuple(bool(module) for module in row) for row in drawing.modules)
    return Symbol(drawing.version, rows, module_mm)
