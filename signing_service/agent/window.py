"""The agent's window (Tk): which server asks, every page of every document, the code, the PIN.

The work runs in a thread of its own and asks through `Window`, a `Surface`: each question is handed to the window's
thread and waited for. Pages are drawn from the very bytes that the review passed. The window offers nothing to click
while nothing is asked; closing it cancels.
"""

from __future__ import annotations

import base64
import queue
import threading
import tkinter
from collections.abc import Callable, Sequence
from functools import partial
from tkinter import ttk
from typing import Any

from hardware.errors import ExplainedError
from hardware.ports import PinState, TokenInfo
from signing_service.agent.messages import FrozenList, ListedJob
from signing_service.agent.page_images import page_count, page_image
from signing_service.agent.surface import ReviewedJob
from signing_service.agent.terminal import PIN_WORDS
from signing_service.errors import Language, Text

PAGE_DPI = 84
TICK_MILLISECONDS = 50
Question = tuple[Callable[[], object], threading.Event]
Work = Callable[["Window"], object]


class Window:
    """One window; a `Surface` for the thread that works. Only the window's own thread touches Tk."""

    def __init__(self, language: Language, on_login: Work | None = None) -> None:
        self._language, self._on_login = language, on_login
        self._one_question = threading.Lock()
        self.root = tkinter.Tk()
        self._name = self._in(Text("政印签名助手", "Zhengyin signing agent"))
        self.root.title(self._name)
        self.root.geometry("1000x760")
        self._questions: queue.Queue[Question] = queue.Queue()
        self._answer: Any = None
        self._answered = threading.Event()
        self._closed = False
        self._pages: list[tuple[ReviewedJob, int]] = []
        self._at = 0
        self._picture: tkinter.PhotoImage | None = None
        self._build()
        self.root.protocol("WM_DELETE_WINDOW", self._close)
        self.root.after(TICK_MILLISECONDS, self._tick)

    # --- Surface: called by the working thread ---------------------------------------------------------------

    def confirm_server(self, name: str, origin: str, fingerprint: str) -> bool:
        sentence = Text(
            f"服务器:{name}({origin})\n密钥指纹:{fingerprint}\n与登记单上的一致吗?",
            f"Server: {name} ({origin})\nKey: {fingerprint}\nIs it the one on your enrolment sheet?",
        )
        return bool(self._ask(lambda: self._offer(sentence, yes=Text("一致", "It is"))))

    def ask_login_code(self, origin: str) -> str | None:
        sentence = Text(f"请输入浏览器({origin})中的登录码", f"Type the code that the browser ({origin}) shows")
        return self._ask(lambda: self._offer_entry(sentence, hidden=False)) or None

    def show(self, server: str, frozen: FrozenList, code: str, jobs: Sequence[ReviewedJob], certificate: str) -> bool:
        counts = [page_count(each.document) for each in jobs]
        pages = [(each, index) for each, count in zip(jobs, counts, strict=True) for index in range(count)]
        sentence = Text(
            f"{server} 请您签 {len(jobs)} 份文件。核对码 {code}(应与浏览器中的一致)。证书 {certificate[:16]}…",
            f"{server} asks you to sign {len(jobs)} documents. Code {code} (the browser must show the same). "
            f"Certificate {certificate[:16]}…",
        )

        def offer() -> None:
            self._pages, self._at = pages, 0
            self._draw_page()
            self._offer(sentence, yes=Text("全部签署", "Sign all of them"), about=code)

        return bool(self._ask(offer))

    def ask_pin(self, info: TokenInfo) -> str | None:
        if info.user_pin is PinState.LOCKED:
            return None
        state = PIN_WORDS[info.user_pin]
        sentence = Text(f"请输入 USB Key {info.label} 的 PIN。{state.zh}", f"PIN of USB key {info.label}. {state.en}")
        return self._ask(lambda: self._offer_entry(sentence, hidden=True)) or None

    def progress(self, job: ListedJob, done: int, total: int, outcome: Text) -> None:
        line = Text(f"[{done}/{total}] {job.title}:{outcome.zh}", f"[{done}/{total}] {job.title}: {outcome.en}")
        self.tell(line)

    def tell(self, text: Text) -> None:
        self._do(lambda: self.sentence.configure(text=self._in(text)))

    def wait(self) -> None:
        go_on = Text("处理后点“继续”。", "When that is done, choose “Go on”.")
        self._ask(lambda: self._offer(go_on, yes=Text("继续", "Go on"), keep=True))

    # --- the window's own thread -----------------------------------------------------------------------------

    def _build(self) -> None:
        self.sentence = ttk.Label(self.root, wraplength=960, padding=10, font=("", 12))
        self.sentence.pack(fill="x")
        self.title = ttk.Label(self.root, padding=(10, 0))
        self.title.pack(fill="x")
        middle = ttk.Frame(self.root)
        middle.pack(fill="both", expand=True, padx=10, pady=6)
        self.canvas = tkinter.Canvas(middle, background="#888", highlightthickness=0)
        scroll = ttk.Scrollbar(middle, orient="vertical", command=self.canvas.yview)
        self.canvas.configure(yscrollcommand=scroll.set)
        scroll.pack(side="right", fill="y")
        self.canvas.pack(side="left", fill="both", expand=True)
        bar = ttk.Frame(self.root, padding=10)
        bar.pack(fill="x")
        self.before = ttk.Button(bar, text="←", command=lambda: self._turn(-1))
        self.after = ttk.Button(bar, text="→", command=lambda: self._turn(1))
        self.entry = ttk.Entry(bar, width=24)
        self.yes = ttk.Button(bar, command=self._say_yes)
        self.no = ttk.Button(bar, text=self._in(Text("取消", "Cancel")), command=lambda: self._give(None))
        self.login = ttk.Button(bar, text=self._in(Text("登录", "Log in")), command=self._start_login)
        if self._on_login is not None:
            self.login.pack(side="right", padx=4)
        for widget in (self.before, self.after, self.entry, self.yes, self.no):
            widget.pack(side="left", padx=4)
        self.root.bind("<Return>", lambda _event: self.yes.invoke())
        self.root.bind("<Left>", lambda _event: self._turn(-1))
        self.root.bind("<Right>", lambda _event: self._turn(1))
        for key, pages in (("<Up>", -0.2), ("<Down>", 0.2), ("<Prior>", -0.9), ("<Next>", 0.9)):
            self.root.bind(key, partial(self._scroll, pages))
        self.root.bind("<MouseWheel>", lambda event: self._scroll(-0.2 if event.delta > 0 else 0.2))
        self.root.bind("<Button-4>", lambda _event: self._scroll(-0.2))
        self.root.bind("<Button-5>", lambda _event: self._scroll(0.2))
        self._rest()

    def _offer(self, sentence: Text, *, yes: Text, keep: bool = False, about: str = "") -> None:
        """The title tells what is asked, for the task bar and for screen readers: the list's code, PIN, or the button's
        words."""
        words = f"{self.sentence.cget('text')} {self._in(sentence)}" if keep else self._in(sentence)
        self.sentence.configure(text=words)
        self.root.title(f"{self._name} · {about or self._in(yes)}")
        self.yes.configure(text=self._in(yes), state="normal")
        self.no.configure(state="normal")

    def _offer_entry(self, sentence: Text, *, hidden: bool) -> None:
        self._offer(sentence, yes=Text("确定", "OK"), about="PIN" if hidden else "")
        self.entry.configure(state="normal", show="●" if hidden else "")
        self.entry.delete(0, "end")
        self.entry.focus_set()

    def _say_yes(self) -> None:
        typed = self.entry.get() if str(self.entry.cget("state")) == "normal" else None
        self._give(True if typed is None else typed)

    def _give(self, answer: Any) -> None:
        """Answer the question that is open, once; the entry is emptied at once."""
        if str(self.yes.cget("state")) == "disabled":
            return
        self.entry.delete(0, "end")
        self._rest()
        self._answer = answer
        self._answered.set()

    def _rest(self) -> None:
        self.root.title(self._name)
        self.yes.configure(state="disabled")
        self.no.configure(state="disabled")
        self.entry.configure(state="disabled", show="")

    def _turn(self, by: int) -> None:
        if self._pages:
            self._at = max(0, min(len(self._pages) - 1, self._at + by))
            self._draw_page()

    def _scroll(self, share: float, _event: object = None) -> None:
        """By a share of the visible height."""
        top, bottom = self.canvas.yview()
        self.canvas.yview_moveto(top + share * (bottom - top))

    def _start_login(self) -> None:
        """Beside the waiting for work; questions of both are put one after the other."""
        if self._on_login is not None:
            threading.Thread(target=_guarded, args=(self, self._on_login), daemon=True).start()

    def _draw_page(self) -> None:
        each, index = self._pages[self._at]
        png = page_image(each.document, index, dpi=PAGE_DPI)
        self._picture = tkinter.PhotoImage(data=base64.b64encode(png), format="png")
        self.canvas.delete("all")
        self.canvas.create_image(480, 8, image=self._picture, anchor="n")
        self.canvas.configure(scrollregion=(0, 0, 960, self._picture.height() + 16))
        self.canvas.yview_moveto(0)
        job = each.job
        self.title.configure(
            text=f"{self._at + 1}/{len(self._pages)}  {job.title} · {job.asked_by} · {job.opinion} · p. {index + 1}"
        )

    def _tick(self) -> None:
        while not self._questions.empty():
            act, done = self._questions.get()
            act()
            done.set()
        if not self._closed:
            self.root.after(TICK_MILLISECONDS, self._tick)

    def _close(self) -> None:
        """Closing the window answers what is asked with no, and everything after it too."""
        self._closed = True
        self._give(None)
        self._answered.set()
        self.root.destroy()

    # --- between the threads ---------------------------------------------------------------------------------

    def _do(self, act: Callable[[], object]) -> None:
        if self._closed:
            return
        done = threading.Event()
        self._questions.put((act, done))
        while not done.wait(TICK_MILLISECONDS / 1000):
            if self._closed:
                return

    def _ask(self, offer: Callable[[], object]) -> Any:
        """Put a question and wait for its answer; None when the window was closed."""
        with self._one_question:
            self._answered.clear()
            self._answer = None
            self._do(offer)
            if self._closed:
                return None
            self._answered.wait()
            return self._answer

    def _in(self, text: Text) -> str:
        return text.in_(self._language)


def run_window(language: Language, work: Work, on_login: Work | None = None) -> None:
    """Show the window and let `work` run beside it until the window is closed; daemon threads, so closing ends them.

    `on_login` is what the log-in button starts.
    """
    window = Window(language, on_login)
    threading.Thread(target=_guarded, args=(window, work), daemon=True).start()
    window.root.mainloop()


def _guarded(window: Window, work: Work) -> None:
    """A named error is told in the window."""
    try:
        work(window)
    except ExplainedError as error:
        window.tell(Text(error.explain("zh"), error.explain("en")))
