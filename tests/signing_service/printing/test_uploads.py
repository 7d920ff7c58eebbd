"""Pictures and files from outside: read and compared in a process with limits; what is hostile hurts nothing else."""

from __future__ import annotations

import io
import os
import threading
import time

import numpy as np
import pytest
from PIL import Image

from signing_service.kernel.typesetting import typeset
from signing_service.printing.bounded import Limits, TooMuchWork, bounded
from signing_service.printing.decode import PictureUnreadable
from signing_service.printing.errors import NotOurCode
from signing_service.printing.page_image import grey_pages
from signing_service.printing.print_copy import make_print_copy
from signing_service.printing.scan_upload import compare_upload
from signing_service.printing.scanned import codes_on, our_code

from .conftest import LABEL, PREFIX, CodeMaker


def spin() -> None:
    while True:
        time.monotonic()


def wait_longer_than_its_seconds() -> str:
    """As a process that gets no processor: the clock runs, its own time does not."""
    threading.Event().wait(2.5)
    return "done"


def hang() -> None:
    threading.Event().wait()


def fill_memory() -> int:
    return len(np.ones(1 << 30, np.float64))


def die() -> None:
    os._exit(3)


def raise_something() -> None:
    raise KeyError("a secret")


@pytest.mark.parametrize("work", [spin, fill_memory, die, raise_something])
def test_what_goes_too_far_is_stopped(work: object):
    with pytest.raises(TooMuchWork):
        bounded(work, limits=Limits(seconds=2, memory=1 << 30))


def test_the_limit_is_of_work_done_and_not_of_waiting_for_a_processor():
    """On a busy server an honest picture waits; the clock alone refuses only what hangs."""
    limits = Limits(seconds=1, memory=1 << 30)
    assert bounded(wait_longer_than_its_seconds, limits=limits) == "done"
    with pytest.raises(TooMuchWork):
        bounded(hang, limits=Limits(seconds=60, memory=1 << 30, wall=0.5))


def test_honest_work_gives_its_result():
    assert bounded(sorted, [3, 1, 2]) == [1, 2, 3]


def picture(image: Image.Image, form: str = "PNG") -> bytes:
    packed = io.BytesIO()
    image.save(packed, form)
    return packed.getvalue()


@pytest.fixture(scope="module")
def copy(maker: CodeMaker) -> tuple[str, bytes]:
    code = maker.code()
    look = '#set text(font: "Noto Serif CJK SC", size: 12pt)\n#set page(margin: 30mm)\n'
    body = "第一页:审批事项说明 #lorem(150) #pagebreak() 第二页:附图目录及附注 #lorem(260)"
    document = typeset(look + body, {})
    return code.text, make_print_copy(document, label=LABEL, code=code)


def test_codes_of_a_picture_and_of_a_pdf(copy: tuple[str, bytes]):
    text, pdf = copy
    assert codes_on(pdf).texts == (text, text)
    assert our_code(picture(Image.fromarray(grey_pages(pdf, 200)[0]), "JPEG"), PREFIX) == text


def test_no_picture_and_no_code_are_named():
    for content in (b"", b"%PDF-1.7 broken", b"\x89PNG\r\n\x1a\nbroken"):
        with pytest.raises(PictureUnreadable):
            our_code(content, PREFIX)
    with pytest.raises(NotOurCode):
        our_code(picture(Image.new("L", (200, 200), 255)), PREFIX)


def test_a_scan_finds_its_page_and_another_document_is_none(copy: tuple[str, bytes]):
    second = Image.fromarray(grey_pages(copy[1], 200)[1]).rotate(180)
    result = compare_upload(picture(second), copy[1])
    assert result is not None
    assert (result.page, result.differences) == (1, ())
    assert compare_upload(picture(Image.new("L", (1654, 2339), 255)), copy[1]) is None
    with pytest.raises(PictureUnreadable):
        compare_upload(b"GIF89a", copy[1])
