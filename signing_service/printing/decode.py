"""Reading codes back from a page's picture or a PDF of it, by zxing-cpp."""

from __future__ import annotations

import io
from typing import Any

import zxingcpp
from PIL import Image, ImageFilter, UnidentifiedImageError

from signing_service.errors import Text
from signing_service.pdf.pdfium import PdfiumError, opened_in_pdfium
from signing_service.printing.errors import PrintingError

MOST_PIXELS = 64_000_000
MOST_PAGES, MOST_PAGE_PIXELS, DPI = 20, 36_000_000, 250
SMOOTHED_BY = 1.2


class PictureUnreadable(PrintingError):
    code = "picture_unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("图片无法读取。", "The picture cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请使用 PDF 文件,或 PNG、JPEG 图片。", "Use a PDF, or a PNG or JPEG picture."),
        )


def decode_page(picture: bytes | Image.Image) -> list[str]:
    """Texts of all QR codes on the picture (PNG, JPEG or an image). Raises PictureUnreadable.

    Where none is found the picture is tried smoothed, then enlarged: the first helps against noise, the second against
    coarse scans.
    """
    grey = (_opened(picture) if isinstance(picture, bytes) else picture).convert("L")
    for look in (grey, grey.filter(ImageFilter.GaussianBlur(SMOOTHED_BY)), _enlarged(grey)):
        found = zxingcpp.read_barcodes(look, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
        if texts := [code.text for code in found if code.valid]:
            return texts
    return []


def decode_document(content: bytes) -> list[str]:
    """As `decode_page`, also for a PDF: the codes of its first twenty pages in order. Raises PictureUnreadable."""
    if b"%PDF-" not in content[:1024]:
        return decode_page(content)
    try:
        with opened_in_pdfium(content) as document:
            pages = (_drawn(document[index]) for index in range(min(len(document), MOST_PAGES)))
            return [text for page in pages for text in decode_page(page)]
    except PdfiumError as failure:
        raise PictureUnreadable(str(failure)) from failure


def _drawn(page: Any) -> Image.Image:
    """At 250 dpi, or as large as is bearable."""
    width, height = (max(side, 1.0) for side in page.get_size())
    scale = min(DPI / 72, (MOST_PAGE_PIXELS / (width * height)) ** 0.5)
    drawn: Image.Image = page.render(scale=scale, grayscale=True).to_pil()
    return drawn


def _enlarged(grey: Image.Image) -> Image.Image:
    size = (grey.width * 3 // 2, grey.height * 3 // 2)
    return grey if size[0] * size[1] > MOST_PIXELS else grey.resize(size, Image.Resampling.BICUBIC)


def _opened(content: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
        if image.width * image.height > MOST_PIXELS:
            raise PictureUnreadable(f"{image.width} x {image.height}")
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as failure:
        raise PictureUnreadable(str(failure)) from failure
    return image
