"""Reading codes back from a page's picture, by zxing-cpp."""

from __future__ import annotations

import io

import zxingcpp
from PIL import Image, ImageFilter, UnidentifiedImageError

from signing_service.errors import Text
from signing_service.printing.errors import PrintingError

MOST_PIXELS = 64_000_000
SMOOTHED_BY = 1.2


class PictureUnreadable(PrintingError):
    code = "picture_unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("图片无法读取。", "The picture cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请上传 PNG 或 JPEG 图片。", "Upload a PNG or JPEG picture."),
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
