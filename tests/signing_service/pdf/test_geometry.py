"""Millimetres on the displayed page and user space, for every rotation, offset and user unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing_service.pdf.geometry import DEFAULT_MEDIA_BOX, page_geometry

ROTATIONS = [0, 90, 180, 270]
A4 = [0.0, 0.0, 595.276, 841.89]
MM = 72 / 25.4


@pytest.mark.parametrize(
    ("rotate", "expected"),
    [
        (0, (10 * MM, 20 * MM)),
        (90, (595.276 - 20 * MM, 10 * MM)),
        (180, (595.276 - 10 * MM, 841.89 - 20 * MM)),
        (270, (20 * MM, 841.89 - 10 * MM)),
    ],
)
def test_the_lower_left_corner_of_the_displayed_page_is_the_origin(rotate: int, expected: tuple[float, float]) -> None:
    page = page_geometry(A4, None, rotate, 1)
    x0, y0, x1, y1 = page.user_rectangle(10, 20, 30, 5)
    corners = [(x, y) for x in (x0, x1) for y in (y0, y1)]
    assert any(corner == pytest.approx(expected) for corner in corners)


@given(
    st.sampled_from(ROTATIONS),
    st.floats(0.5, 10),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500), st.floats(20, 3000), st.floats(20, 3000)),
    st.tuples(st.floats(0, 200), st.floats(0, 200), st.floats(1, 100), st.floats(1, 100)),
)
def test_there_and_back(
    rotate: int, unit: float, media: tuple[float, ...], box: tuple[float, float, float, float]
) -> None:
    x, y, width, height = media
    page = page_geometry([x, y, x + width, y + height], None, rotate, unit)
    assert page.displayed_box(page.user_rectangle(*box)) == pytest.approx(box, abs=1e-6)


def test_a_turned_page_swaps_its_sides() -> None:
    upright, turned = page_geometry(A4, None, 0, 1), page_geometry(A4, None, 90, 1)
    assert (turned.width_mm, turned.height_mm) == (upright.height_mm, upright.width_mm)


def test_a_user_unit_makes_the_page_larger_and_the_box_smaller() -> None:
    page = page_geometry([0, 0, 100, 100], None, 0, 2)
    assert page.width_pt == 200
    x0, _, x1, _ = page.user_rectangle(0, 0, 10, 10)
    assert x1 - x0 == pytest.approx(10 * MM / 2)


def test_the_crop_box_is_what_is_shown() -> None:
    page = page_geometry(A4, [100, 200, 400, 500], 0, 1)
    assert page.box == (100, 200, 400, 500)
    assert page.user_rectangle(0, 0, 1, 1)[:2] == (100, 200)


@pytest.mark.parametrize(
    ("media", "crop", "box"),
    [
        (None, None, DEFAULT_MEDIA_BOX),
        ([0, 0, 0, 0], None, DEFAULT_MEDIA_BOX),
        ([612, 792, 0, 0], None, DEFAULT_MEDIA_BOX),
        ([0, 0, 100], None, DEFAULT_MEDIA_BOX),
        (A4, [0, 0, 0, 0], tuple(A4)),
        (A4, [5000, 5000, 6000, 6000], tuple(A4)),
        (A4, [-50, -50, 9000, 9000], tuple(A4)),
    ],
)
def test_boxes_that_make_no_sense_get_the_readers_default(
    media: list[float] | None, crop: list[float] | None, box: tuple[float, ...]
) -> None:
    assert page_geometry(media, crop, 0, 1).box == box


@pytest.mark.parametrize(("given_turn", "turn"), [(-90, 270), (450, 90), (720, 0), (45, 0)])
def test_a_rotation_is_brought_to_a_quarter_turn(given_turn: int, turn: int) -> None:
    assert page_geometry(A4, None, given_turn, 1).rotate == turn


def test_a_user_unit_of_zero_is_ignored() -> None:
    assert page_geometry(A4, None, 0, 0).user_unit == 1
