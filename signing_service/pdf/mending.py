"""A cross-reference for a file whose own is broken, appended so that the input's bytes stay in front.

Two attempts, the gentler first: point to the last cross-reference that the file names (something stands after its
end), then list every object that is found by reading through the file. Files with object streams, or encrypted,
are not mended: what they contain cannot be told without the broken table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADER = re.compile(rb"%PDF-\d\.\d")
_START = re.compile(rb"startxref\s*(\d{1,10})")
_OBJECT = re.compile(rb"(?:^|[\r\n\s])(\d{1,8})[ \t\r\n]+(\d{1,5})[ \t\r\n]+obj\b")
_ROOT = re.compile(rb"/Root\s*(\d{1,8}\s+\d{1,5}\s+R)")
_CATALOG = re.compile(rb"/Type\s*/Catalog\b")
_LONGEST_LOOK = 4096


def header_stands_first(pdf: bytes) -> bool:
    return _HEADER.match(pdf) is not None


def mended(pdf: bytes) -> Iterator[bytes]:
    """Candidates, each beginning with the input's bytes. None when nothing can be done by appending."""
    starts = list(_START.finditer(pdf))
    if starts:
        yield _ended(pdf) + b"startxref\n%s\n%%%%EOF\n" % starts[-1].group(1)
    if b"/ObjStm" not in pdf and b"/Encrypt" not in pdf:
        rebuilt = _rebuilt(pdf)
        if rebuilt is not None:
            yield rebuilt


def _rebuilt(pdf: bytes) -> bytes | None:
    """None where two objects bear one number: which one is meant, only the broken table could tell."""
    objects = list(_OBJECT.finditer(pdf))
    found = {int(match.group(1)): match for match in objects}
    root = _root(pdf, found)
    if root is None or len(found) != len(objects):
        return None
    base = _ended(pdf)
    rows = (
        b"%d 1\n%010d %05d n\r\n" % (number, match.start(1), int(match.group(2)))
        for number, match in sorted(found.items())
        if number > 0
    )
    table = b"xref\n0 1\n0000000000 65535 f\r\n" + b"".join(rows)
    size = max(found) + 1
    return base + table + b"trailer\n<< /Size %d /Root %s >>\nstartxref\n%d\n%%%%EOF\n" % (size, root, len(base))


def _root(pdf: bytes, found: dict[int, re.Match[bytes]]) -> bytes | None:
    """The catalog: as the last trailer names it, else the last object of that type."""
    named = _ROOT.findall(pdf)
    if named and int(named[-1].split()[0]) in found:
        return bytes(named[-1])
    catalogs = [
        number for number, match in found.items() if _CATALOG.search(pdf, match.end(), match.end() + _LONGEST_LOOK)
    ]
    return b"%d %d R" % (catalogs[-1], int(found[catalogs[-1]].group(2))) if catalogs else None


def _ended(pdf: bytes) -> bytes:
    return pdf if pdf.endswith((b"\n", b"\r")) else pdf + b"\n"
