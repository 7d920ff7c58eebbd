"""Decodes the streams that a PDF's structure depends on (cross-reference and object streams, metadata), within
limits."""

from __future__ import annotations

import zlib
from typing import Any

from signing_service.verification.errors import DamagedPdf, ResourceLimit
from signing_service.verification.limits import Spending
from signing_service.verification.syntax import Dictionary


def decode(raw: bytes, dictionary: Dictionary, spending: Spending) -> bytes:
    """The stream's content. Raises DamagedPdf for a filter that structure never uses, ResourceLimit for a bomb."""
    filters = _as_list(dictionary.get("Filter"))
    parameters = _as_list(dictionary.get("DecodeParms"))
    if len(filters) > 4:
        raise ResourceLimit("filters of one stream")
    for index, name in enumerate(filters):
        settings = parameters[index] if index < len(parameters) else None
        if name in ("FlateDecode", "Fl"):
            raw = _unpredict(_inflate(raw, spending), settings if isinstance(settings, dict) else {})
        elif name in ("ASCIIHexDecode", "AHx"):
            raw = _from_hexadecimal(raw)
        elif name != "Crypt":
            raise DamagedPdf(f"filter {name} on a structural stream")
    return raw


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _inflate(raw: bytes, spending: Spending) -> bytes:
    cap = spending.limits.stream
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(raw, cap + 1)
    except zlib.error:
        content = _salvage(raw, cap + 1)
    if len(content) > cap:
        raise ResourceLimit("size of one decompressed stream")
    spending.inflate(len(content))
    return content


def _salvage(raw: bytes, cap: int) -> bytes:
    """What can be read of a stream with a damaged end."""
    unpacker, out = zlib.decompressobj(), b""
    try:
        for start in range(0, len(raw), 256):
            out += unpacker.decompress(raw[start : start + 256], cap - len(out))
            if len(out) >= cap:
                break
    except zlib.error:
        pass
    if not out:
        raise DamagedPdf("undecodable Flate stream")
    return out


def _from_hexadecimal(raw: bytes) -> bytes:
    digits = b"".join(raw.split(b">")[0].split())
    try:
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    except ValueError:
        raise DamagedPdf("undecodable hexadecimal stream") from None


def _unpredict(content: bytes, settings: dict[str, Any]) -> bytes:
    """Undo the PNG predictors (ISO 32000-2, 7.4.4.4) for one byte a component."""
    predictor = settings.get("Predictor", 1)
    if not isinstance(predictor, int) or predictor < 10:
        return content
    columns, colors = settings.get("Columns", 1), settings.get("Colors", 1)
    if not (isinstance(columns, int) and isinstance(colors, int) and 0 < columns * colors <= 65536):
        raise DamagedPdf("odd predictor settings")
    width = columns * colors
    above, out = bytearray(width), bytearray()
    for start in range(0, len(content), width + 1):
        row = bytearray(content[start + 1 : start + 1 + width].ljust(width, b"\0"))
        _png_row(content[start], row, above, colors)
        out += row
        above = row
    return bytes(out)


def _png_row(kind: int, row: bytearray, above: bytearray, step: int) -> None:
    for index in range(len(row) if kind else 0):
        left = row[index - step] if index >= step else 0
        up = above[index]
        corner = above[index - step] if index >= step else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        else:
            guess = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
        row[index] = (row[index] + guess) & 255
