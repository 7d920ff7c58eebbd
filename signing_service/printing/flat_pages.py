"""Sealed pages as plain ones: seals painted in, forms and signatures gone, each page a Form XObject at true size."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pikepdf
from pikepdf import Array, Dictionary, Name

from signing_service.errors import Text
from signing_service.pdf.geometry import PageGeometry, page_geometry
from signing_service.printing.errors import CopyRefused

HIDDEN, PRINT, NO_VIEW = 2, 4, 32
"""Annotation flags (ISO 32000-2, 12.5.3)."""
DEEPEST_TREE = 64
_KEPT_IN_CATALOG = frozenset({"/Type", "/Pages", "/OCProperties", "/Lang"})
"""Everything else could act, sign, attach or claim conformance. Layers must stay hidden or shown as they were."""


@contextmanager
def flat_copy(pdf: bytes) -> Iterator[pikepdf.Pdf]:
    """The file with each page's content, seals included, in one Form XObject `/P0`. Raises CopyRefused."""
    with _opened(pdf) as document:
        if not document.pages:
            raise CopyRefused(Text("文件没有页面。", "The file has no pages."))
        try:
            for page in document.pages:
                _show_signatures(page)
            document.flatten_annotations("print")
            for page in document.pages:
                _wrap(document, page)
            for key in set(document.Root.keys()) - _KEPT_IN_CATALOG:
                del document.Root[key]
            del document.docinfo
        except (pikepdf.PdfError, TypeError, ValueError, KeyError, AttributeError) as failure:
            raise _damaged(failure) from failure
        yield document


def write_plain(document: pikepdf.Pdf) -> bytes:
    """The bytes, unencrypted and with nothing unreachable in them."""
    target = io.BytesIO()
    document.save(target, compress_streams=True, object_stream_mode=pikepdf.ObjectStreamMode.generate, encryption=False)
    return target.getvalue()


def page_size_pt(page: pikepdf.Page) -> tuple[float, float]:
    """Width and height of a wrapped page in points."""
    _, _, width, height = (float(value) for value in page.obj["/MediaBox"].as_list())
    return width, height


@contextmanager
def _opened(pdf: bytes) -> Iterator[pikepdf.Pdf]:
    try:
        document = pikepdf.open(io.BytesIO(pdf))
    except pikepdf.PasswordError:
        raise CopyRefused(Text("文件有打开密码。", "The file needs a password to be opened.")) from None
    except pikepdf.PdfError as failure:
        raise _damaged(failure) from failure
    with document:
        yield document


def _damaged(failure: Exception) -> CopyRefused:
    return CopyRefused(Text(f"文件结构损坏({failure})。", f"Its structure is damaged ({failure})."))


def _show_signatures(page: pikepdf.Page) -> None:
    """B33: a seal is on the paper even when its maker forgot the print flag; what was hidden stays hidden."""
    for annotation in page.obj.get("/Annots", Array()):
        flags = int(annotation.get("/F", 0))
        field = annotation.get("/FT", annotation.get("/Parent", Dictionary()).get("/FT"))
        if field == Name.Sig and not flags & (HIDDEN | NO_VIEW):
            annotation["/F"] = flags | PRINT


def _wrap(document: pikepdf.Pdf, page: pikepdf.Page) -> None:
    geometry = _geometry(page)
    page.contents_coalesce()
    content = page.obj.get("/Contents")
    form = document.make_stream(
        b"" if content is None else content.read_bytes(),
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array([_number(value) for value in geometry.box]),
        Matrix=Array([_number(value) for value in _to_displayed(geometry)]),
        Resources=page.resources,
    )
    if "/Group" in page.obj:
        form["/Group"] = page.obj["/Group"]
    for key in set(page.obj.keys()) - {"/Type", "/Parent"}:
        del page.obj[key]
    page.obj["/MediaBox"] = Array([0, 0, _number(geometry.width_pt), _number(geometry.height_pt)])
    page.obj["/Rotate"] = 0
    page.obj["/Resources"] = Dictionary(XObject=Dictionary(P0=form))
    page.obj["/Contents"] = document.make_stream(b"q /P0 Do Q")


def _geometry(page: pikepdf.Page) -> PageGeometry:
    return page_geometry(
        _box(_inherited(page, "/MediaBox")),
        _box(_inherited(page, "/CropBox")),
        float(_inherited(page, "/Rotate") or 0),
        float(page.obj.get("/UserUnit", 1)),
    )


def _inherited(page: pikepdf.Page, key: str) -> pikepdf.Object | None:
    """Page attributes pass down the page tree (ISO 32000-2, 7.7.3.4)."""
    node: pikepdf.Object | None = page.obj
    for _ in range(DEEPEST_TREE):
        if node is None:
            break
        if key in node:
            return node[key]
        node = node.get("/Parent")
    return None


def _box(value: pikepdf.Object | None) -> list[float] | None:
    return None if value is None else [float(entry) for entry in value.as_list()]


def _to_displayed(geometry: PageGeometry) -> tuple[float, ...]:
    """From the page's own user space to points on the page as displayed."""
    u = geometry.user_unit
    x0, y0, x1, y1 = (value * u for value in geometry.box)
    matrices = {
        0: (u, 0, 0, u, -x0, -y0),
        90: (0, -u, u, 0, -y0, x1),
        180: (-u, 0, 0, -u, x1, y1),
        270: (0, u, -u, 0, y1, -x0),
    }
    return matrices[geometry.rotate]


def _number(value: float) -> float:
    return int(value) if value == int(value) else round(value, 4)
