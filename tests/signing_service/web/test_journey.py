"""The whole journey with nothing stood in for: clerk and reviewers in Chromium, the agent as a process of its own with
its window under Xvfb, USB keys on SoftHSM, one of them pulled in the middle of sixty. Nobody touches a mouse.

Screenshots lie in tests/artefacts/journey (git ignores it).
"""

import os
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from PIL import ImageGrab
from playwright.sync_api import expect as expect_within
from playwright.sync_api import sync_playwright

from hardware.pin_source import write_pin_file
from signing_service.approvals.casework import find_case
from signing_service.approvals.course_view import view_case
from signing_service.channel.rules import JobState
from signing_service.channel.signature_jobs import SignatureJob

CHROMIUM, XVFB, XDOTOOL = "/usr/bin/chromium", "/usr/bin/Xvfb", "/usr/bin/xdotool"
ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "journey"
SIXTY, PULLED_AFTER = 60, 10
PIN = "246810"
PATIENCE = 90_000
"""Milliseconds for any one step on a busy machine; nothing is measured here."""


@pytest.fixture(scope="module", autouse=True)
def tools():
    for tool in (CHROMIUM, XVFB, XDOTOOL):
        if not Path(tool).exists():
            pytest.skip(f"{tool} is not installed: scripts/setup test")
    shutil.rmtree(ARTEFACTS, ignore_errors=True)
    ARTEFACTS.mkdir(parents=True)


@pytest.fixture(scope="module")
def display():
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


class Pc:
    """An officer's PC: agent processes with what they keep, a display, a browser of its own."""

    def __init__(self, office, officer, display, folder, page, language="zh"):
        self.office, self.officer, self.display, self.page = office, officer, display, page
        self.folder, self.language = folder / f"pc-{officer}", language
        self.folder.mkdir()
        self.pin_file = self.folder / "pin"
        write_pin_file(self.pin_file, PIN)
        self.running = None

    def command(self, *arguments):
        key = self.office.ring[self.officer]
        return [
            sys.executable, "-m", "cli", "--home", str(self.folder / "no-home"), "agent", *arguments,
            "--server", self.office.origin, "--module", key.module, "--serial", key.serial,
            "--state", str(self.folder / "state"),
        ]  # fmt: skip

    def environment(self):
        language = "zh_CN.UTF-8" if self.language == "zh" else "en_GB.UTF-8"
        return {**os.environ, "LANG": language, "LC_ALL": "", "DISPLAY": self.display}

    def pair(self):
        done = subprocess.run(
            self.command("pair", "--pin-file", str(self.pin_file)), input="yes\n", env=self.environment(),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def log_in(self):
        """The agent names the page's address, the browser opens it, its code is typed into the agent."""
        agent = subprocess.Popen(
            self.command("login", "--print-address", "--pin-file", str(self.pin_file)), env=self.environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.page.goto(agent.stdout.readline().strip())
        _, told = agent.communicate(self.page.inner_text("#code") + "\n", timeout=120)
        assert agent.returncode == 0, told
        expect(self.page).to_have_url(f"{self.office.origin}/desk")

    def start_agent(self):
        """With its window; gives back once it is on the screen."""
        self.running = subprocess.Popen(self.command(), env=self.environment(), stderr=subprocess.DEVNULL)
        self.window = self.xdotool("search", "--sync", "--onlyvisible", "--class", "Tk").split()[0]

    def stop_agent(self):
        if self.running is not None:
            self.running.terminate()
            self.running.wait()

    def xdotool(self, *words):
        done = subprocess.run(
            [XDOTOOL, *words], env=self.environment(), capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout.strip()

    def is_asked(self, what):
        """Wait until the window's title bears what is asked: the list's code, PIN, the button's words."""
        wait_for(lambda: what in self.xdotool("getwindowname", self.window), f"the agent asks: {what}")

    def press(self, *keys):
        """Keys into the agent's window, as the officer's fingers."""
        self.xdotool("windowfocus", "--sync", self.window, "key", "--delay", "20", *keys)

    def signs(self, code, picture):
        """Compare the code, look at the last page, agree, enter the PIN."""
        self.is_asked(code)
        self.picture(picture)
        self.press("Right", "Return")
        self.is_asked("PIN")
        self.press(*PIN, "Return")

    def picture(self, name):
        ImageGrab.grab(xdisplay=self.display).save(ARTEFACTS / f"{name}.png")


@pytest.fixture
def pc_of(office, display, tmp_path):
    made = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def make(officer, language="zh"):
            locale = "zh-CN" if language == "zh" else "en-GB"
            page = browser.new_context(viewport={"width": 1280, "height": 900}, locale=locale).new_page()
            page.set_default_timeout(PATIENCE)
            pc = Pc(office, officer, display, tmp_path, page, language)
            made.append(pc)
            pc.pair()
            pc.log_in()
            return pc

        yield make
        for pc in made:
            pc.stop_agent()
        browser.close()


def expect(seen):
    """Playwright's, with our patience."""
    return Patient(expect_within(seen))


class Patient:
    def __init__(self, assertions):
        self._assertions = assertions

    def __getattr__(self, name):
        return partial(getattr(self._assertions, name), timeout=PATIENCE)


def press(page, *keys):
    for key in keys:
        expect(page.locator("body")).to_have_attribute("data-keys", "ready")
        page.keyboard.press(key)


def keep(page, name):
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


def signed(office):
    """How many signatures are in their documents."""
    with office.database.read() as session:
        return session.query(SignatureJob).where(SignatureJob.state == JobState.COMPLETED).count()


def wait_for(condition, what):
    until = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < until, f"this never came: {what}"


def act_by_keyboard(page, button):
    page.locator(button).focus()
    page.keyboard.press("Enter")


def second_step(office, case):
    with office.database.read() as session:
        step = find_case(session, case.case_id).steps[1]
        return f"{case.case_id}.{step.id}.{step.round}"


def unplugged(key_ring, office, officer):
    """Where the officer's token lies, and where it goes when it is pulled."""
    serial = office.ring[officer].serial
    folder = key_ring[0].folder
    inside = next(one for one in (folder / "tokens").iterdir() if one.name.replace("-", "").endswith(serial))
    return inside, folder / "pulled"


def test_from_the_window_to_the_sealed_document_with_sixty_signed_and_a_key_pulled(office, pc_of, key_ring):
    case = office.receive()
    office.open_cases(SIXTY - 1)

    clerk = pc_of("chen")
    clerk.page.goto(f"{office.origin}/desk/cases/{case.case_id}")
    act_by_keyboard(clerk.page, "#do-accept")
    expect(clerk.page.locator("#state")).to_have_text("审批中")
    keep(clerk.page, "1-clerk-accepts-zh")

    reviewer = pc_of("li")
    page = reviewer.page
    expect(page.locator("[data-item]")).to_have_count(SIXTY)
    keep(page, "2-desk-zh")
    press(page, "*", "a")
    expect(page.locator("#code")).to_be_visible(timeout=60_000)
    code = page.inner_text("#code")
    reviewer.start_agent()
    reviewer.signs(code, "3-agent-shows-every-page-zh")
    wait_for(lambda: signed(office) >= PULLED_AFTER, "the agent signs")
    inside, outside = unplugged(key_ring, office, "li")
    inside.rename(outside)
    reviewer.is_asked("继续")
    reviewer.picture("4-agent-key-pulled-zh")
    assert PULLED_AFTER <= signed(office) < SIXTY, "what was signed stays signed, the rest is open"
    keep(page, "5-batch-key-pulled-zh")
    outside.rename(inside)
    reviewer.press("Return")
    reviewer.signs(code, "6-agent-offers-the-rest-zh")
    expect(page.locator("#summary")).to_have_text(f"全部办完 {SIXTY} / {SIXTY}")
    keep(page, "7-batch-done-zh")
    reviewer.stop_agent()

    second = pc_of("wang", "en")
    page = second.page
    page.goto(f"{office.origin}/desk/documents/{second_step(office, case)}")
    press(page, "End")
    expect(page.locator("#read")).to_have_text("read")
    keep(page, "8-document-en")
    press(page, "a")
    expect(page.locator("#code")).to_be_visible()
    code = page.inner_text("#code")
    second.start_agent()
    second.signs(code, "9-agent-en")
    expect(page.locator("#summary")).to_have_text("All done 1 / 1")
    keep(page, "10-batch-done-en")
    second.stop_agent()

    page = clerk.page
    page.goto(f"{office.origin}/desk/cases/{case.case_id}?lang=en")
    act_by_keyboard(page, "#do-seal")
    expect(page.locator("#state")).to_have_text("sealed")
    act_by_keyboard(page, "#do-release")
    expect(page.locator("#state")).to_have_text("delivered")
    keep(page, "11-clerk-released-en")
    released = view_case(office.work, case.case_id)
    assert office.examine(office.work.blobs.get(released.document_digest)).passed
