"""The packed agent (`make agent`) on a machine without Python: version, keys in a host process, pair, sign."""

import importlib.util
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from PIL import ImageGrab

from hardware.pin_source import write_pin_file
from signing_service.people.rules import Role
from signing_service.people.sessions import LoggedIn

_spec = importlib.util.spec_from_file_location("packed_private_ca", Path(__file__).with_name("private_ca.py"))
private_ca = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(private_ca)
PACKED = Path(__file__).resolve().parents[3] / "dist" / "zhengyin-agent" / "zhengyin"
ARTEFACTS = Path(__file__).parents[2] / "artefacts" / "agent"


@pytest.fixture
def packed(tmp_path):
    """Runs the packed program as a reviewer's account would, with nothing of this project or of Python in reach."""
    if not PACKED.exists():
        pytest.skip("the agent is not packed: run `make agent`")
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    environment = {"PATH": str(nothing), "HOME": str(tmp_path), "LANG": "en_GB.UTF-8"}

    def start(*arguments, **more):
        softhsm = {"SOFTHSM2_CONF": os.environ.get("SOFTHSM2_CONF", "")}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(
            [PACKED, *map(str, arguments)], **pipes, text=True, cwd=nothing, env={**environment, **softhsm, **more}
        )

    def run(*arguments, answers=""):
        process = start(*arguments)
        stdout, stderr = process.communicate(answers, timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    run.start = start
    return run


@pytest.fixture
def paired(office_of, packed, tmp_path):
    """An office with TLS, li's packed agent paired with it, one document waiting; and the agent's options."""
    root, server = private_ca.make_private_ca(tmp_path)
    office = office_of(tls=server)
    key, pin = office.ring["li"], tmp_path / "li.pin"
    write_pin_file(pin, "246810")
    common = ["--server", office.origin, "--module", key.module, "--serial", key.serial, "--pin-file", pin]
    common += ["--ca-file", root, "--state", tmp_path / "pc"]
    done = packed("agent", "pair", *common, answers="yes\n")
    assert done.returncode == 0, done.stderr
    office.open_cases(1)
    li = LoggedIn("li", "审批员甲", "approvals", frozenset({Role.REVIEWER}), "")
    casebook = office.desk.delivery._purpose
    [item] = casebook.items(li, "pending")
    return office, office.desk.delivery.submit_batch([casebook.prepare(li, item.reference, "同意。")]), common


def test_it_starts_and_has_what_a_reviewer_needs_alone(packed):
    assert packed("--version").stdout.startswith("zhengyin ")
    shown = packed("--help").stdout
    assert "agent" in shown
    assert "serve" not in shown


def test_keys_are_listed_and_examined_through_a_module_host(key_ring, packed):
    store, _, made = key_ring
    store.activate()
    listed = packed("keys", "list", "--module", store.module, "--json")
    assert {row["serial"] for row in json.loads(listed.stdout)["keys"]} >= {key.serial for key in made.values()}
    examined = packed("keys", "doctor", "--module", store.module, "--json")
    assert [each for each in json.loads(examined.stdout)["findings"] if each["code"] == "module_fault"] == []


def test_the_table_of_known_keys_and_the_window_are_packed_in(packed):
    inside = PACKED.parent / "_internal"
    assert list(inside.glob("hardware/discovery/usb_keys.csv"))
    assert list(inside.glob("_tk_data/tk.tcl"))
    assert list(inside.glob("pypdfium2_raw/*pdfium*"))
    assert not list(inside.glob("*pcsclite*"))


def test_pairs_and_signs_over_tls_with_a_private_root(packed, paired):
    office, batch, common = paired
    signed = packed("agent", "--once", "--terminal", *common, answers="yes\n")
    assert signed.returncode == 0, signed.stderr
    assert batch.code in signed.stderr
    assert office.desk.delivery.batch("li", batch.id)[1][0].state == "completed"


def test_the_window_shows_the_document(packed, paired, display):
    _, _, common = paired
    process = packed.start("agent", *common, DISPLAY=display)
    try:
        deadline = time.monotonic() + 60
        while not shows_a_page(picture := ImageGrab.grab(xdisplay=display)):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.2)
    finally:
        process.kill()
        process.communicate()
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    picture.save(ARTEFACTS / "packed-window.png")


def shows_a_page(picture):
    """White paper on the window's grey ground (#888)."""
    colours = {colour: count for count, colour in picture.getcolors(1 << 20)}
    return colours.get((255, 255, 255), 0) > 50_000 and colours.get((0x88, 0x88, 0x88), 0) > 10_000


@pytest.fixture
def display():
    """A screen of its own (Xvfb)."""
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1100x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL)
    os.close(write_end)
    with os.fdopen(read_end) as numbers:
        number = numbers.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait()
