"""The window on a real X server (Xvfb): what it shows, what it answers, how it cancels."""

import gc
import os
import subprocess
import threading
from pathlib import Path

import pytest
from PIL import ImageGrab

from hardware.ports import PinState, TokenInfo
from signing_service.agent.errors import NotPaired
from signing_service.agent.messages import FrozenList, ListedJob
from signing_service.agent.protocol import Spot, batch_code
from signing_service.agent.surface import ReviewedJob
from signing_service.agent.window import Window

XVFB = Path("/usr/bin/Xvfb")
ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "agent"
KEY = TokenInfo("0123", "审批员甲", "", "", "", user_pin=PinState.LOW)


@pytest.fixture(scope="module")
def display():
    """A display of its own."""
    if not XVFB.exists():
        pytest.skip("Xvfb is not installed: apt install xvfb")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        [XVFB, "-displayfd", str(write_end), "-screen", "0", "1100x900x24", "-nolisten", "tcp"],
        pass_fds=[write_end], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write_end)
    with os.fdopen(read_end) as numbers:
        number = numbers.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait()


@pytest.fixture
def window(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    opened = Window("zh")
    yield opened
    if not opened._closed:
        opened._close()
    vars(opened).clear()
    gc.collect()  # Tk aborts the process when its objects are freed by another thread than their own


def answers(window, ask, act):
    """Ask in a working thread, act in the window's thread once the question is open; the answer."""
    given = []
    worker = threading.Thread(target=lambda: given.append(ask()), daemon=True)

    def look():
        if str(window.yes.cget("state")) == "normal":
            act()
        else:
            window.root.after(20, look)

    def until_answered():
        if worker.is_alive():
            window.root.after(20, until_answered)
        else:
            window.root.quit()

    worker.start()
    window.root.after(20, look)
    window.root.after(20, until_answered)
    window.root.mainloop()
    return given[0]


def type_and_confirm(window, text):
    window.entry.insert(0, text)
    window.yes.invoke()


@pytest.fixture(scope="module")
def listed(usb_keys):
    document = usb_keys.form()
    job = ListedJob(
        job="a" * 32, digest="0" * 64, title="示例工程", asked_by="示例市行政审批局", opinion="同意。",
        state="prepared", field="step-1", spot=Spot(0, 1, 1, 2, 2), texts=(), certificate="c" * 64, prepared="{}",
    )  # fmt: skip
    return FrozenList("b" * 32, (job,)), [ReviewedJob(job, document)]


def test_all_pages_are_shown_with_server_code_and_certificate(window, listed):
    frozen, jobs = listed
    code, seen = batch_code(frozen.entries), []

    def read_on():
        seen.append((window.sentence.cget("text"), window.title.cget("text")))
        window.after.invoke()
        seen.append(("", window.title.cget("text")))
        window.after.invoke()
        seen.append(("", window.title.cget("text")))
        window.yes.invoke()

    assert answers(window, lambda: window.show("示例市政印", frozen, code, jobs, "c" * 64), read_on) is True
    sentence = seen[0][0]
    assert "示例市政印" in sentence
    assert code in sentence
    assert "c" * 16 in sentence
    assert [title[:3] for _, title in seen] == ["1/2", "2/2", "2/2"]
    assert "示例工程 · 示例市行政审批局 · 同意。" in seen[0][1]


def test_the_pin_is_hidden_taken_once_and_not_kept_in_the_window(window):
    shown = []

    def enter():
        shown.append((window.entry.cget("show"), window.sentence.cget("text")))
        type_and_confirm(window, "246810")

    assert answers(window, lambda: window.ask_pin(KEY), enter) == "246810"
    assert shown[0][0] == "●"
    assert "偏低" in shown[0][1]
    assert window.entry.get() == ""
    assert str(window.entry.cget("state")) == "disabled"


def test_a_locked_key_is_not_asked_for_its_pin(window):
    assert window.ask_pin(TokenInfo("0123", "甲", "", "", "", user_pin=PinState.LOCKED)) is None


def test_cancel_and_close_are_no(window, listed):
    frozen, jobs = listed
    assert answers(window, lambda: window.ask_pin(KEY), window.no.invoke) is None
    assert answers(window, lambda: window.show("示例", frozen, "X", jobs, "c" * 64), window.no.invoke) is False
    given = []
    worker = threading.Thread(target=lambda: given.append(window.ask_login_code("https://zhengyin.example")))
    worker.start()
    window.root.after(300, window._close)
    window.root.mainloop()
    worker.join(10)
    assert given == [None]
    assert window.confirm_server("a", "b", "c") is False


def test_the_login_code_and_the_servers_key_are_asked(window):
    code = answers(
        window, lambda: window.ask_login_code("https://zhengyin.example"), lambda: type_and_confirm(window, "ABCDEF")
    )
    assert code == "ABCDEF"
    assert answers(window, lambda: window.confirm_server("示例市政印", "https://z.example", "aa:bb"), window.yes.invoke)


def test_a_page_that_is_higher_than_the_window_can_be_scrolled_to_its_end(window, listed):
    frozen, jobs = listed
    ends = []

    def scroll():
        window.root.update()
        ends.append(window.canvas.yview())
        window.root.event_generate("<Next>")
        window.root.event_generate("<Next>")
        window.root.update()
        ends.append(window.canvas.yview())
        window.yes.invoke()

    assert answers(window, lambda: window.show("示例", frozen, "X", jobs, "c" * 64), scroll) is True
    assert ends[0][0] == 0
    assert ends[0][1] < 1
    assert ends[1][1] == 1


def test_the_login_button_starts_a_login_whose_errors_are_told(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)

    def enter(surface):
        raise NotPaired

    opened = Window("en", enter)
    opened.login.invoke()

    def until_told():
        if "not paired" in opened.sentence.cget("text"):
            opened._close()
        else:
            opened.root.after(20, until_told)

    opened.root.after(20, until_told)
    opened.root.mainloop()
    assert opened._closed


def test_nothing_can_be_clicked_while_nothing_is_asked(window):
    assert str(window.yes.cget("state")) == "disabled"
    window.yes.invoke()
    assert not window._answered.is_set()


def test_the_window_can_be_looked_at(window, listed, display):
    """A picture of the window, for people."""
    frozen, jobs = listed
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    target = ARTEFACTS / "window.png"

    def photograph():
        window.root.update()
        ImageGrab.grab(xdisplay=display).save(target)
        window.yes.invoke()

    code = batch_code(frozen.entries)
    assert answers(window, lambda: window.show("示例市政印", frozen, code, jobs, "c" * 64), photograph) is True
    assert target.stat().st_size > 10_000
