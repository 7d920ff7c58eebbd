"""Edited and honest scans of printed pages told apart: `python -m bench.scan_compare [CASES]` (200 unless told).

Half of the cases change one character of 3 mm height: a digit, a sign of a name, a date; half change nothing. All are
printed and scanned at 200 dpi with what comes with it: turned, stretched, seen in perspective, unevenly lit, blurred,
noised, packed, with dust and slight misprint. Prints shares found and falsely reported, and fails above target.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.paper_code import IDENTIFIER, PREFIX
from bench.rows import at_least, at_most, print_rows, shown
from signing_service.kernel.typesetting import typeset
from signing_service.printing.claims import Claims, CodeKind
from signing_service.printing.compare import DPI, PIXELS_PER_MM, Comparison, compare_scan
from signing_service.printing.page_image import GreyPage, grey_pages
from signing_service.printing.paper_code import CodeKey, PaperCode, make_code
from signing_service.printing.print_copy import CopyLabel, make_print_copy

LAYOUT = """#set page(paper: "a4", margin: (x: 26mm, top: 28mm, bottom: 34mm))
#set text(font: "Noto Serif CJK SC", size: 12pt, lang: "zh")
#set par(leading: 1.1em, justify: false)
#align(center)[#text(size: 20pt)[关于{name}示例产业园方案的批复]]
#v(8mm)
编号:示审批〔2026〕{number}号 #linebreak() 申请人:{name} #linebreak() 统一社会信用代码:91990000MA{code} #linebreak()
建设地点:示例市示例区示例路{street}号 #linebreak() 总建筑面积:{area}平方米 #linebreak() 总投资:{money}万元
#v(4mm)
你单位报来的方案收悉。经审查,原则同意该方案,并提出以下意见: #linebreak()
一、请按批准的内容组织实施,不得擅自变更建设内容、规模和地点。 #linebreak()
二、请在{date}前完成各项准备工作,逾期须重新申请。 #linebreak()
三、施工期间应做好安全防护和环境保护,接受有关部门监督检查。 #linebreak()
#v(30mm)
#align(right)[示例市行政审批局 #linebreak() {date}]
"""
SURNAMES, GIVEN = "张王李赵钱孙周吴郑冯陈褚卫蒋沈韩杨朱秦许", "甲乙丙丁戊己庚辛建国华平安东南西北明光"


@dataclass(frozen=True, slots=True)
class Case:
    """`kind`: "clean", or what was edited."""

    kind: str
    page: GreyPage
    scan: GreyPage


def content(chance: random.Random) -> dict[str, str]:
    number = lambda digits: "".join(chance.choice("0123456789") for _ in range(digits))  # noqa: E731
    return {
        "name": chance.choice(SURNAMES) + chance.choice(GIVEN) + chance.choice(GIVEN), "number": number(3),
        "code": number(8), "street": number(3), "area": number(5), "money": number(4),
        "date": f"20{number(2)}年{chance.randint(1, 9)}月{chance.randint(10, 28)}日",
    }  # fmt: skip


def edited(content: dict[str, str], chance: random.Random) -> tuple[str, dict[str, str]]:
    """One character of one field changed to another of its kind."""
    field = chance.choice(["number", "code", "street", "area", "money", "date", "name"])
    text = content[field]
    places = [at for at, sign in enumerate(text) if field == "name" or sign.isdigit()]
    place = chance.choice(places)
    pool = (SURNAMES + GIVEN) if field == "name" else "0123456789"
    other = chance.choice([sign for sign in pool if sign != text[place]])
    kind = {"name": "name", "date": "date"}.get(field, "digit")
    return kind, {**content, field: text[:place] + other + text[place + 1 :]}


def printed(content: dict[str, str], code: PaperCode, serial: str) -> GreyPage:
    label = CopyLabel(serial, 1, 5, "2026年11月24日", "zhengyin.example")
    text = LAYOUT
    for name, value in content.items():
        text = text.replace("{" + name + "}", value)
    return grey_pages(make_print_copy(typeset(text, {}), label=label, code=code), DPI)[0]


def paper_code(number: int) -> PaperCode:
    from datetime import UTC, date, datetime, timedelta

    private = ec.generate_private_key(ec.SECP256R1())
    now = datetime(2026, 11, 24, 7, tzinfo=UTC)
    claims = Claims(CodeKind.LICENCE, IDENTIFIER, "approval", date(2026, 11, 24), now, bytes(32), f"{number:012d}")
    key = CodeKey(private.public_key(), now - timedelta(days=1))
    return make_code(claims, key, lambda signed: private.sign(signed, ec.ECDSA(hashes.SHA256())), PREFIX)


def print_and_scan(page: GreyPage, chance: random.Random) -> GreyPage:
    """What paper, printer and scanner (or phone) do."""
    source = np.random.default_rng(chance.randrange(2**32))
    inked = _misprinted(page, chance, source)
    laid = _laid(inked, chance)
    soft = cv2.GaussianBlur(laid, (0, 0), chance.uniform(0.4, 0.9)).astype(np.float32)
    lit = soft * _light(soft.shape, chance)
    noised = lit + source.normal(0, chance.uniform(2, 6), soft.shape)
    packed = cv2.imencode(".jpg", np.clip(noised, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def _misprinted(page: GreyPage, chance: random.Random, source: Any) -> GreyPage:
    """More or less toner, dust of 0.4 to 0.6 mm, white spots of 0.4 mm, a stretch along the feed."""
    inked = page.copy()
    if chance.random() < 0.3:
        inked = cv2.erode(inked, np.ones((2, 2), np.uint8))  # strokes half a pixel fatter on each side
    black = chance.uniform(0, 70)
    inked = (black + inked.astype(np.float32) * (255 - black) / 255).astype(np.uint8)
    for spots, shade, largest in ((chance.randint(5, 30), 40, 0.4), (chance.randint(5, 30), 250, 0.25)):
        for _ in range(spots):
            at = (int(source.integers(0, page.shape[1])), int(source.integers(0, page.shape[0])))
            radius = max(1, round(chance.uniform(0.1, largest) / 2 * PIXELS_PER_MM))
            cv2.circle(inked, at, radius, shade, -1, cv2.LINE_AA)
    stretch = chance.uniform(0.996, 1.004)
    return np.asarray(cv2.resize(inked, None, fx=1.0, fy=stretch, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _laid(page: GreyPage, chance: random.Random) -> GreyPage:
    """Turned by up to 3 degrees; every other one seen in perspective, as by a phone."""
    high, wide = page.shape
    pull = 0.02 if chance.random() < 0.5 else 0.0
    angle, size = chance.uniform(-3, 3), chance.uniform(0.99, 1.03)
    turn = np.vstack([cv2.getRotationMatrix2D((wide / 2, high / 2), angle, size), [0, 0, 1]])
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    moved = corners + np.array(
        [[chance.uniform(-pull, pull) * wide, chance.uniform(-pull, pull) * high] for _ in corners]
    )
    seen = cv2.getPerspectiveTransform(corners, moved.astype(np.float32)) @ turn
    seen = np.array([[1, 0, 60], [0, 1, 80], [0, 0, 1]]) @ seen
    return np.asarray(cv2.warpPerspective(page, seen, (wide + 120, high + 160), borderValue=235), dtype=np.uint8)


def _light(shape: tuple[int, ...], chance: random.Random) -> Any:
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    slope = chance.uniform(-0.2, 0.2) * rows / shape[0] + chance.uniform(-0.2, 0.2) * columns / shape[1]
    return np.clip(0.9 + slope, 0.55, 1.0)


def cases(count: int, seed: int = 1) -> Any:
    """Edited and clean ones in turn."""
    for number in range(count):
        chance = random.Random(seed * 100_000 + number)  # noqa: S311 - the same cases in every run
        true, code, serial = content(chance), paper_code(number), f"{number:012d}"
        page = printed(true, code, serial)
        if number % 2:
            yield Case("clean", page, print_and_scan(page, chance))
        else:
            kind, false = edited(true, chance)
            yield Case(kind, page, print_and_scan(printed(false, code, serial), chance))


def found_edit(case: Case, result: Comparison | None) -> bool:
    return result is not None and bool(result.differences)


def main(count: int) -> bool:
    right, wrong, all_of, unaligned = Counter[str](), 0, Counter[str](), 0
    for number, case in enumerate(cases(count)):
        result = compare_scan(case.scan, [case.page])
        unaligned += result is None
        all_of[case.kind] += 1
        if case.kind != "clean":
            right[case.kind] += found_edit(case, result)
            if not found_edit(case, result):
                print(f"missed: case {number} ({case.kind})", file=sys.stderr)
        elif result is not None and result.differences:
            wrong += 1
            print(f"false: case {number} {result.differences}", file=sys.stderr)
    made = sum(count for kind, count in all_of.items() if kind != "clean")
    rows = [shown(f"edited {kind}s found", right[kind] / all_of[kind]) for kind in sorted(right)]
    rows += [
        at_least(0.98, f"edits found of {made}", sum(right.values()) / made),
        at_most(0.02, f"clean scans with a report, of {all_of['clean']}", wrong / all_of["clean"]),
        at_most(0.0, "scans that were not aligned", unaligned / count),
    ]
    return print_rows(rows)


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 200) else 1)
