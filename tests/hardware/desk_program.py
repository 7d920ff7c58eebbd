"""A program at the desk that holds a key open while keys come and go: commands and answers as JSON lines.

It is started inside the environment of a virtual USB bus, and uses nothing but what every program here uses.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from hardware.discovery.changes import Changes
from hardware.discovery.survey import survey
from hardware.driver import open_token
from hardware.errors import TokenError
from hardware.opened_token import OpenedKey
from hardware.ports import Mechanism
from hardware.signing_plans import verifies

RSA = Mechanism.RSA_PKCS1_SHA256


class Desk:
    def __init__(self, module: str) -> None:
        self._module = module
        self._key: OpenedKey | None = None
        self._events: Iterator[frozenset[str]] = iter(())
        self._told: set[str] = set()

    def rows(self) -> list[dict[str, str]]:
        found = survey(modules=[self._module]).rows
        fields = ("name", "state", "usb_id", "usb_serial", "reader", "module", "serial", "label")
        return [{field: getattr(row, field) for field in fields} for row in found]

    def open(self, serial: str, pin: str) -> int:
        keys = open_token(self._module, serial=serial, pin=pin, keep_pin=True).keys()
        self._key = keys[0]
        return len(keys)

    def sign(self, text: str) -> bool:
        """Whether the signature over `text` is right."""
        key = self._key
        assert key is not None
        return verifies(RSA, key.public_key, key.sign(text.encode(), RSA), text.encode())

    def watch(self, slots: bool) -> None:
        """No poll within an hour: whatever is told now was an event."""
        self._events = iter(Changes(modules=[self._module] if slots else [], poll_seconds=3600))

    def next_event(self, kind: str) -> str:
        while kind not in self._told:
            self._told |= next(self._events)
        self._told.discard(kind)
        return kind


def main(module: str) -> None:
    desk = Desk(module)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        answer: dict[str, Any]
        try:
            answer = {"value": getattr(desk, name)(*arguments)}
        except TokenError as error:
            answer = {"error": error.explain("en"), "kinds": [kind.__name__ for kind in type(error).__mro__]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
