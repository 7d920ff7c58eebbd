"""`zhengyin keys list --watch`: the table again at every change, and in words what came and what went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hardware.errors import Text

Row = dict[str, str]

NO_KEY = Text("没有发现密码设备；请插入 USB Key。", "No key found: plug in a USB key.")


def watched(
    changes: Iterable[object], look: Callable[[], list[Row]], rows: list[Row]
) -> Iterator[tuple[list[Row], list[Text]]]:
    """Each time that the table differs from `rows`, then from the last: the table, and what came and went."""
    for _ in changes:
        fresh = look()
        if fresh != rows:
            yield fresh, comings_and_goings(rows, fresh)
            rows = fresh


def comings_and_goings(before: list[Row], now: list[Row]) -> list[Text]:
    """One sentence for each device that is new or gone; a device that only changed its state is neither."""
    old, new = ({_device(row): row for row in rows} for rows in (before, now))
    gone = [Text(f"已拔出：{_name(old[each])}", f"Pulled out: {_name(old[each])}") for each in old if each not in new]
    come = [Text(f"已插入：{_name(new[each])}", f"Plugged in: {_name(new[each])}") for each in new if each not in old]
    return [*gone, *come, *([] if now else [NO_KEY])]


def _device(row: Row) -> tuple[str, ...]:
    """What stays the same while a key's reader and slot come up one after the other."""
    if row["usb_id"]:
        return row["usb_id"], row["usb_serial"]
    return (row["reader"],) if row["reader"] else (row["module"], row["serial"])


def _name(row: Row) -> str:
    number = row["usb_serial"] or row["serial"]
    return f"{row['name']} ({number})" if number else row["name"]
