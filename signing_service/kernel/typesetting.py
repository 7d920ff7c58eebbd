"""Documents from data: a Typst layout and a JSON value become a PDF/A-2b with an embedded subset of its fonts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

from signing_service.errors import SigningServiceError, Text


class LayoutFailed(SigningServiceError):
    code = "layout_failed"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("文件排版失败。", "The document could not be typeset."),
            why=Text(f"排版程序报告:{why}。", f"The typesetter says: {why}."),
            advice=Text("请检查版式文件和填入的数据。", "Check the layout file and the data given to it."),
        )


class FontMissing(SigningServiceError):
    code = "font_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("没有可用的宋体字库,无法排版。", "No Song-style font is installed, so no document can be typeset."),
            advice=Text("请安装:apt install fonts-noto-cjk。", "Install it: apt install fonts-noto-cjk."),
        )


def typeset(layout: str, data: Mapping[str, Any], *, files: Mapping[str, bytes] | None = None) -> bytes:
    """PDF/A-2b of a layout whose `sys.inputs.data` is the JSON of `data`; `files` are its pictures by name.

    Raises LayoutFailed and FontMissing. The same input gives the same pages.
    """
    sources: dict[str, bytes] = {"main": layout.encode(), **(files or {})}
    inputs = {"data": json.dumps(data, ensure_ascii=False, default=_plain)}
    compile_sources: Callable[..., object] = typst.compile  # its stub leaves out the documented dictionary form
    try:
        document = compile_sources(
            sources,
            format="pdf",
            font_paths=_fonts(),
            sys_inputs=inputs,
            pdf_standards=["a-2b"],
        )
    except typst.TypstError as failure:
        raise LayoutFailed(str(failure)) from failure
    assert isinstance(document, bytes)  # noqa: S101  # with no output path the bytes come back
    return document


@cache
def _fonts() -> typst.Fonts:
    if not any(Path("/usr/share/fonts").rglob("NotoSerifCJK*")):
        raise FontMissing
    return typst.Fonts(include_system_fonts=True)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"not JSON: {type(value).__name__}")
