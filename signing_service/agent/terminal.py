"""The agent in a terminal: for a PC without a display, for tests, and for those who like it.

Pages cannot be drawn here: they are written as pictures into a private folder, from the very bytes that are signed,
and the folder is named. The PIN is read without echo.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hardware.ports import PinState, TokenInfo
from signing_service.agent.messages import FrozenList, ListedJob
from signing_service.agent.page_images import page_count, page_image
from signing_service.agent.surface import ReviewedJob
from signing_service.errors import Language, Text

PIN_WORDS = {
    PinState.NORMAL: Text("PIN 状态:正常", "PIN state: normal"),
    PinState.LOW: Text("PIN 状态:曾输错,剩余次数偏低", "PIN state: entered wrongly before, few tries left"),
    PinState.LAST: Text("PIN 状态:只剩最后一次", "PIN state: one try left"),
    PinState.LOCKED: Text("PIN 状态:已锁定", "PIN state: locked"),
}


class Terminal:
    """Questions and sentences on stderr and stdin. `read_pin` may take the PIN from elsewhere: a descriptor, a file."""

    def __init__(
        self, language: Language, pictures: Path, *, read_pin: Callable[[], str] | None = None, consent: bool = False
    ) -> None:
        self._language, self._pictures, self._consent = language, pictures, consent
        self._read_pin = read_pin or (lambda: getpass.getpass(self._in(Text("PIN:", "PIN: "))))

    def confirm_server(self, name: str, origin: str, fingerprint: str) -> bool:
        self.tell(Text(f"服务器:{name}({origin})", f"Server: {name} ({origin})"))
        self.tell(Text(f"服务器密钥指纹:{fingerprint}", f"The server's key: {fingerprint}"))
        return self._yes(Text("与登记单上的指纹一致吗?", "Is it the one on your enrolment sheet?"))

    def ask_login_code(self, origin: str) -> str | None:
        question = Text(f"请输入浏览器({origin})中的登录码:", f"Type the code that the browser ({origin}) shows: ")
        return self._ask(question).strip() or None

    def show(self, server: str, frozen: FrozenList, code: str, jobs: Sequence[ReviewedJob], certificate: str) -> bool:
        self.tell(Text(f"{server} 请您签 {len(jobs)} 份文件:", f"{server} asks you to sign {len(jobs)} documents:"))
        for number, each in enumerate(jobs, 1):
            pages = self._draw(each)
            self.tell(
                Text(
                    f"{number}. {each.job.title}({each.job.asked_by}),意见:{each.job.opinion},{pages} 页",
                    f"{number}. {each.job.title} ({each.job.asked_by}), opinion: {each.job.opinion}, {pages} pages",
                )
            )
        self.tell(Text(f"各页图片在 {self._pictures}", f"Pictures of all pages are in {self._pictures}"))
        self.tell(Text(f"签名证书指纹:{certificate}", f"Signing certificate: {certificate}"))
        self.tell(Text(f"核对码:{code}(应与浏览器中的一致)", f"Code: {code} (the browser must show the same)"))
        return self._yes(Text("全部签署吗?", "Sign all of them?"))

    def ask_pin(self, info: TokenInfo) -> str | None:
        state = PIN_WORDS[info.user_pin]
        name = f"{info.label} ({info.serial})"
        self.tell(Text(f"USB Key:{name},{state.zh}", f"USB key: {name}, {state.en}"))
        if info.user_pin is PinState.LOCKED:
            return None
        return self._read_pin() or None

    def progress(self, job: ListedJob, done: int, total: int, outcome: Text) -> None:
        self.tell(Text(f"[{done}/{total}] {job.title}:{outcome.zh}", f"[{done}/{total}] {job.title}: {outcome.en}"))

    def tell(self, text: Text) -> None:
        print(self._in(text), file=sys.stderr, flush=True)

    def wait(self) -> None:
        self.tell(Text("按回车键继续。", "Press Enter to go on."))
        sys.stdin.readline()

    def _draw(self, each: ReviewedJob) -> int:
        folder = self._pictures / each.job.job
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pages = page_count(each.document)
        for index in range(pages):
            (folder / f"{index + 1:03}.png").write_bytes(page_image(each.document, index))
        return pages

    def _yes(self, question: Text) -> bool:
        if self._consent:
            return True
        hint = Text(f"{question.zh}(是/否)", f"{question.en} (yes/no) ")
        return self._ask(hint).strip().lower() in ("是", "y", "yes")

    def _ask(self, question: Text) -> str:
        print(self._in(question), end="", file=sys.stderr, flush=True)
        return sys.stdin.readline()

    def _in(self, text: Text) -> str:
        return text.in_(self._language)
