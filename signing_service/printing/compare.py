"""A scan or photo of a printed page against the page as it was handed out: aligned, differences boxed. Pure.

1. even out the light, 2. align as a whole (SIFT features, a homography), 3. align tile by tile, since paper and
scanners stretch, 4. ink that is missing and ink that was added, each beyond a tolerance of 0.25 mm, 5. grouped, and
dropped where dust or a thin spot of toner explains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

Grey = np.ndarray[Any, np.dtype[np.uint8]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.float32]]

DPI = 200
PIXELS_PER_MM = DPI / 25.4
FEATURES, RATIO, FEWEST_MATCHES = 4000, 0.8, 40
TILE_MM, SEARCH_MM = 8.0, 1.2
TOLERANCE_PX = 2
"""0.25 mm: what toner spreads and a tile may still be off."""
GROUP_MM = 0.8
LEAST_MISSING_MM2, LEAST_ADDED_MM2 = 0.10, 0.16
DUST_MM, DUST_ASPECT, SPECK_MM = 0.7, 1.8, 0.4
"""An added spot of this size is dust when it is about as wide as high; up to SPECK_MM whatever its form."""
REF_INK, REF_FAINT = 130, 215
"""Ink of the page as handed out; from REF_FAINT on it is paper or watermark."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A box on the page as displayed, mm from its upper-left corner; ink in mm² that is gone and that was added."""

    left_mm: float
    top_mm: float
    width_mm: float
    height_mm: float
    missing_mm2: float
    added_mm2: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`page`: index of the page that the scan shows; `aligned`: the scan laid over it, as a JPEG with the boxes."""

    page: int
    differences: tuple[Difference, ...]
    aligned: bytes


def compare_scan(scan: Grey, pages: Sequence[Grey]) -> Comparison | None:
    """`pages` at 200 dpi. None when the scan shows none of them."""
    even = _evened(scan)
    placed = [(index, *where) for index, page in enumerate(pages) if (where := _homography(even, page))]
    best = max(placed, key=lambda one: one[2], default=None)
    if best is None:
        return None
    index, matrix, _ = best
    page = pages[index]
    size = (page.shape[1], page.shape[0])
    laid = _grey(cv2.warpPerspective(even, matrix, size, flags=cv2.INTER_CUBIC, borderValue=255))
    seen = cv2.warpPerspective(np.full_like(even, 255), matrix, size, flags=cv2.INTER_NEAREST, borderValue=0) > 0
    laid = _settled(page, laid)
    found = differences(page, laid, seen)
    return Comparison(index, found, _drawn(laid, found))


def differences(page: Grey, laid: Grey, seen: Mask) -> tuple[Difference, ...]:
    """Steps 4 and 5, over a scan that lies on the page. `seen`: where the scan has anything to say."""
    inside = cv2.erode(seen.astype(np.uint8), _disc(6)) > 0
    missing, added = _changed(page, laid, inside)
    near = cv2.dilate((missing | added).astype(np.uint8), _disc(round(GROUP_MM * PIXELS_PER_MM)))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(near)
    found = []
    for label in range(1, count):
        left, top, width, height = (int(value) for value in boxes[label][:4])
        window = (slice(top, top + height), slice(left, left + width))
        here = labels[window] == label
        one = _judged(missing[window] & here, added[window] & here, left, top)
        if one is not None:
            found.append(one)
    return tuple(found)


def _changed(page: Grey, laid: Grey, inside: Mask) -> tuple[Mask, Mask]:
    """Ink that is missing, ink that was added; how dark ink is on this scan is learned from where it must be."""
    ink, faint = page < REF_INK, page < REF_FAINT
    dark = float(np.percentile(laid[ink & inside], 30)) if (ink & inside).any() else 0.0
    surely, perhaps = laid < dark + (255 - dark) * 0.40, laid < dark + (255 - dark) * 0.70
    reach = _disc(TOLERANCE_PX)
    covered = cv2.dilate(perhaps.astype(np.uint8), reach) > 0
    allowed = cv2.dilate(faint.astype(np.uint8), reach) > 0
    return ink & ~covered & inside, surely & ~allowed & inside


def _judged(missing: Mask, added: Mask, left: int, top: int) -> Difference | None:
    """One group as a difference, or None where dust or a thin spot of toner explains it."""
    square = PIXELS_PER_MM**2
    gone, new = float(missing.sum()) / square, float(added.sum()) / square
    dust = not missing.any() and _is_dust(added)  # dust takes no ink away; a 6 made of a 5 does, a little
    if gone < LEAST_MISSING_MM2 and (new < LEAST_ADDED_MM2 or dust):
        return None
    rows, columns = np.nonzero(missing | added)
    return Difference(
        float(left + columns.min()) / PIXELS_PER_MM, float(top + rows.min()) / PIXELS_PER_MM,
        float(np.ptp(columns) + 1) / PIXELS_PER_MM, float(np.ptp(rows) + 1) / PIXELS_PER_MM, gone, new,
    )  # fmt: skip


def _is_dust(added: Mask) -> bool:
    """Only small round spots, however many: a pen's stroke is longer than wide."""
    count, _, boxes, _ = cv2.connectedComponentsWithStats(added.astype(np.uint8))
    for label in range(1, count):
        short, long = sorted((boxes[label][cv2.CC_STAT_WIDTH], boxes[label][cv2.CC_STAT_HEIGHT]))
        if long > DUST_MM * PIXELS_PER_MM or (long > SPECK_MM * PIXELS_PER_MM and long > DUST_ASPECT * short):
            return False
    return True


def _evened(scan: Grey) -> Grey:
    """Paper white everywhere: divided by its own background, which is what is left without anything thin."""
    small = cv2.resize(scan, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    side = max(3, round(max(small.shape) * 0.04)) | 1
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    paper = cv2.GaussianBlur(paper, (0, 0), side / 3)
    light = cv2.resize(paper, (scan.shape[1], scan.shape[0]), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return np.clip(scan.astype(np.float32) * 250 / np.maximum(light, 30), 0, 255).astype(np.uint8)


def _homography(scan: Grey, page: Grey) -> tuple[np.ndarray[Any, Any], int] | None:
    """From scan to page, and how many features agree."""
    half_page, page_scale = _shrunk(page, max(page.shape) // 2)
    half_scan, scan_scale = _shrunk(scan, max(page.shape) * 11 // 20)
    sift = cv2.SIFT.create(nfeatures=FEATURES)
    of_scan, scan_marks = sift.detectAndCompute(half_scan, None)
    of_page, page_marks = sift.detectAndCompute(half_page, None)
    if scan_marks is None or page_marks is None or min(len(of_scan), len(of_page)) < FEWEST_MATCHES:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(scan_marks, page_marks, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    if len(good) < FEWEST_MATCHES:
        return None
    source = np.array([of_scan[match.queryIdx].pt for match in good], np.float32)
    target = np.array([of_page[match.trainIdx].pt for match in good], np.float32)
    matrix, agreed = cv2.findHomography(source, target, cv2.USAC_MAGSAC, 2.0, maxIters=5000, confidence=0.999)
    if matrix is None or int(agreed.sum()) < FEWEST_MATCHES:
        return None
    enlarge = np.diag([1 / page_scale, 1 / page_scale, 1.0])
    return enlarge @ matrix @ np.diag([scan_scale, scan_scale, 1.0]), int(agreed.sum())


def _settled(page: Grey, laid: Grey) -> Grey:
    """The scan moved tile by tile onto the page, by a smooth field of small shifts."""
    soft_page, soft_laid = (_grey(cv2.GaussianBlur(one, (0, 0), 1.2)) for one in (page, laid))
    tile, reach = round(TILE_MM * PIXELS_PER_MM), round(SEARCH_MM * PIXELS_PER_MM)
    rows, columns = max(1, page.shape[0] // tile), max(1, page.shape[1] // tile)
    shifts, weights = np.zeros((rows, columns, 2), np.float32), np.zeros((rows, columns), np.float32)
    for row in range(rows):
        for column in range(columns):
            found = _shift(soft_page, soft_laid, row * tile, column * tile, tile, reach)
            if found is not None:
                shifts[row, column], weights[row, column] = found[:2], found[2]
    field = _smooth(shifts, weights)
    whole = cv2.resize(field, (page.shape[1], page.shape[0]), interpolation=cv2.INTER_CUBIC)
    grid_y, grid_x = np.mgrid[0 : page.shape[0], 0 : page.shape[1]].astype(np.float32)
    moved = cv2.remap(laid, grid_x + whole[..., 0], grid_y + whole[..., 1], cv2.INTER_CUBIC, borderValue=255)
    return np.asarray(moved, dtype=np.uint8)


def _shift(page: Grey, laid: Grey, top: int, left: int, tile: int, reach: int) -> tuple[float, float, float] | None:
    """Where a tile's content lies on the scan, relative to where it should, and how surely; None for an empty tile."""
    wanted = page[top : top + tile, left : left + tile]
    if top < reach or left < reach or wanted.shape != (tile, tile) or float(wanted.std()) < 12:
        return None
    window = laid[top - reach : top + tile + reach, left - reach : left + tile + reach]
    if min(window.shape) < tile + 2 * reach:
        return None
    score = cv2.matchTemplate(window, wanted, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(score)
    if best < 0.5:
        return None
    return x - reach + _peak(score[y], x), y - reach + _peak(score[:, x], y), float(best)


def _peak(line: np.ndarray[Any, Any], at: int) -> float:
    """The top of a parabola through the best value and its neighbours."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(line[at + step]) for step in (-1, 0, 1))
    bend = before - 2 * here + after
    return 0.0 if bend == 0 else float(np.clip(0.5 * (before - after) / bend, -1, 1))


def _smooth(shifts: Floats, weights: Floats) -> Floats:
    """Each tile's shift as the weighted median of its neighbours': one edited tile moves nothing."""
    result = np.zeros_like(shifts)
    rows, columns = weights.shape
    for row in range(rows):
        for column in range(columns):
            for size in (1, 2, 4, max(rows, columns)):
                window = (slice(max(0, row - size), row + size + 1), slice(max(0, column - size), column + size + 1))
                known = weights[window] > 0
                if known.sum() >= 4 or size == max(rows, columns):
                    break
            if known.any():
                result[row, column] = np.median(shifts[window][known], axis=0)
    return np.asarray(cv2.GaussianBlur(result, (0, 0), 0.7), dtype=np.float32)


def _shrunk(grey: Grey, longest: int) -> tuple[Grey, float]:
    scale = longest / max(grey.shape)
    if scale >= 1:
        return grey, 1.0
    return _grey(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)), scale


def _drawn(laid: Grey, found: Sequence[Difference]) -> bytes:
    picture = cv2.cvtColor(laid, cv2.COLOR_GRAY2BGR)
    pad = round(0.8 * PIXELS_PER_MM)
    for one in found:
        left, top = round(one.left_mm * PIXELS_PER_MM) - pad, round(one.top_mm * PIXELS_PER_MM) - pad
        right = round((one.left_mm + one.width_mm) * PIXELS_PER_MM) + pad
        bottom = round((one.top_mm + one.height_mm) * PIXELS_PER_MM) + pad
        cv2.rectangle(picture, (left, top), (right, bottom), (30, 38, 179), 4)
    done, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return packed.tobytes() if done else b""


def _grey(picture: Any) -> Grey:
    """OpenCV's results have no known type."""
    return np.asarray(picture, dtype=np.uint8)


def _disc(radius: int) -> Grey:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), dtype=np.uint8)
