"""One measured value beside its bound, and whether the bound is met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`value` is a ratio or a count: what may be compared between machines."""

    name: str
    value: float
    bound: str
    met: bool


def at_least(bound: float, name: str, value: float) -> Row:
    return Row(name, value, f">= {bound:g}", value >= bound)


def at_most(bound: float, name: str, value: float) -> Row:
    return Row(name, value, f"<= {bound:g}", value <= bound)


def none_of(name: str, value: float) -> Row:
    return Row(name, value, "0", value == 0)


def shown(name: str, value: float) -> Row:
    """A value without a bound, to read the others by."""
    return Row(name, value, "-", met=True)


def print_rows(rows: Iterable[Row]) -> bool:
    """Prints each row as soon as it is there; whether all bounds are met."""
    met = True
    for row in rows:
        value = f"{row.value:.0f}" if row.value >= 1000 else f"{row.value:.4g}"
        print(f"| {row.name} | {value} | {row.bound} | {'yes' if row.met else 'NO'} |", flush=True)
        met = met and row.met
    return met
