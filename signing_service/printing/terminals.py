"""Self-service terminals of a home (HOME/terminals.json): name, printer, card reader, and the hash of the key by which
a terminal's browser is known. An operator adds them; the printer named there is thereby allowed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from signing_service.errors import Text
from signing_service.kernel.blobs import write_atomically
from signing_service.printing.errors import PrintingError
from signing_service.printing.id_card import FileCardReader, IdCardReader, NoCardReader

FILE_NAME = "terminals.json"
_ID = re.compile(r"[a-z0-9-]{1,40}")


class TerminalUnfit(PrintingError):
    code = "terminal_unfit"

    def __init__(self, why: Text) -> None:
        super().__init__(Text("终端设置不对。", "The terminal's settings are wrong."), why=why)


class TerminalUnknown(PrintingError):
    code = "terminal_unknown"

    def __init__(self) -> None:
        super().__init__(
            Text("这台设备不是登记的自助终端。", "This device is no registered terminal."),
            advice=Text("请运维人员用终端密钥启用。", "An operator activates it with the terminal's key."),
        )


@dataclass(frozen=True, slots=True)
class Terminal:
    """`printer`: ipp://host:port/path; `card_file`: what the card reader's driver writes, empty without a reader."""

    id: str
    name: str
    printer: str
    card_file: str
    key_sha256: str

    @property
    def reader(self) -> IdCardReader:
        return FileCardReader(Path(self.card_file)) if self.card_file else NoCardReader()


@dataclass(frozen=True, slots=True)
class Terminals:
    """The home's file, read anew at each use."""

    home: Path

    def by_key(self, key: str) -> Terminal:
        """Raises TerminalUnknown."""
        hashed = _hashed(key)
        for terminal in self.all():
            if hmac.compare_digest(terminal.key_sha256, hashed):
                return terminal
        raise TerminalUnknown

    def all(self) -> list[Terminal]:
        path = self.home / FILE_NAME
        return [Terminal(**entry) for entry in json.loads(path.read_bytes())] if path.exists() else []

    def put(self, id: str, name: str, printer: str, card_file: str) -> str:
        """Add a terminal, or replace the one of that id; returns its key, which is shown once. Raises TerminalUnfit."""
        if not _ID.fullmatch(id):
            raise TerminalUnfit(Text("编号只用小写字母、数字和横线。", "An id has small letters, digits and dashes."))
        if not printer.startswith(("ipp://", "ipps://")):
            raise TerminalUnfit(Text("打印机地址应为 ipp:// 或 ipps://。", "A printer's address is ipp:// or ipps://."))
        key = secrets.token_urlsafe(24)
        kept = [one for one in self.all() if one.id != id]
        entries = [asdict(one) for one in [*kept, Terminal(id, name, printer, card_file, _hashed(key))]]
        write_atomically(self.home / FILE_NAME, json.dumps(entries, ensure_ascii=False, indent=1).encode())
        return key


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
