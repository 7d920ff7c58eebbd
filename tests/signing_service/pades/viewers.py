"""Pages as three viewers show them: pdf.js in Chromium, PDFium and poppler, each as an array of RGB pixels."""

from __future__ import annotations

import base64
import functools
import io
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
from PIL import Image
from playwright.sync_api import Page, sync_playwright

PDFJS = Path(__file__).resolve().parents[2] / "outside" / "pdfjs"
CHROMIUM = "/usr/bin/chromium"
DPI = 127.0  # five pixels a millimetre
PIXELS_PER_MM = DPI / 25.4

_SHOW = """async ([content, number, scale]) => {
  const pdfjs = await import('/legacy/build/pdf.min.mjs');
  pdfjs.GlobalWorkerOptions.workerSrc = '/legacy/build/pdf.worker.min.mjs';
  const data = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
  const fonts = {cMapUrl: '/cmaps/', standardFontDataUrl: '/standard_fonts/'};
  const task = pdfjs.getDocument({data, ...fonts});
  const shown = await task.promise;
  const page = await shown.getPage(number + 1);
  const viewport = page.getViewport({scale});
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(viewport.width);
  canvas.height = Math.round(viewport.height);
  await page.render({canvas, viewport, annotationMode: pdfjs.AnnotationMode.ENABLE}).promise;
  await task.destroy();
  return canvas.toDataURL('image/png').split(',')[1];
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def guess_type(self, path: str | os.PathLike[str]) -> str:
        return "text/javascript" if str(path).endswith(".mjs") else super().guess_type(path)

    def log_message(self, format: str, *args: object) -> None: ...


class PdfJs:
    """pdf.js in a page that stays open."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def show(self, pdf: bytes, page: int) -> np.ndarray:
        """pdf.js takes a user unit for what it is."""
        given = [base64.b64encode(pdf).decode(), page, DPI / 72]
        picture = Image.open(io.BytesIO(base64.b64decode(self._page.evaluate(_SHOW, given))))
        return np.asarray(picture.convert("RGB")).astype(np.int16)


@contextmanager
def pdfjs_in_chromium() -> Iterator[PdfJs]:
    """Served from this machine to a browser that reaches nothing else."""
    folder = PDFJS / "node_modules" / "pdfjs-dist"
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            yield PdfJs(page)
            browser.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def by_poppler(pdf: bytes, page: int, folder: Path, unit: float) -> np.ndarray:
    """poppler 22 and PDFium both take a user unit for a point, so `unit` enlarges the picture."""
    path = folder / "shown.pdf"
    path.write_bytes(pdf)
    number = str(page + 1)
    command = ["pdftoppm", "-r", str(DPI * unit), "-cropbox", "-f", number, "-l", number, str(path)]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    _, size, _, pixels = raw.split(b"\n", 3)
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3).astype(np.int16)


def by_pdfium(pdf: bytes, page: int, unit: float) -> np.ndarray:
    document = pdfium.PdfDocument(pdf)
    document.init_forms()
    shown = document[page].render(scale=DPI / 72 * unit, rev_byteorder=True, may_draw_forms=True).to_numpy()
    return shown[:, :, :3].astype(np.int16)
