"""Reading codes back from a page's picture, by zxing-cpp."""

from __future__ import annotations

import io

import zxingcpp
from PIL import Image, UnidentifiedImageError

from signing_service.errors import Text
from signing_service.printing.errors import PrintingError

MOST_PIXELS = 64_000_000


class PictureUnreadable(PrintingError):
    code = "picture_unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("图片无法读取。", "The picture cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请上传 PNG 或 JPEG 图片。", "Upload a PNG or JPEG picture."),
        )


def decode_page(picture: bytes | Image.Image) -> list[str]:
    """Texts of all QR codes on the picture (PNG, JPEG or an image). Raises PictureUnreadable."""
    image = _opened(picture) if isinstance(picture, bytes) else picture
    found = zxingcpp.read_barcodes(image.convert("L"), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    return [code.text for code in found if code.valid]


def _opened(content: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
        if image.width * image.height > MOST_PIXELS:
            raise PictureUnreadable(f"{image.width} x {image.height}")
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as failure:
        raise PictureUnreadable(str(failure)) from failure
    return image
