"""The packed agent (`make agent`) on a machine without Python: version, keys in a host process, pair, sign."""

import importlib.util
import json
import os
import subprocess
from pathlib import Path

import pytest

from hardware.pin_source import write_pin_file
from signing_service.people.rules import Role
from signing_service.people.sessions import LoggedIn

_spec = importlib.util.spec_from_file_location("packed_private_ca", Path(__file__).with_name("private_ca.py"))
private_ca = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(private_ca)
PACKED = Path(__file__).resolve().parents[3] / "dist" / "zhengyin-agent" / "zhengyin"


@pytest.fixture
def packed(tmp_path):
    """Runs the packed program as a reviewer's account would, with nothing of this project or of Python in reach."""
    if not PACKED.exists():
        pytest.skip("the agent is not packed: run `make agent`")
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    environment = {"PATH": str(nothing), "HOME": str(tmp_path), "LANG": "en_GB.UTF-8"}
    softhsm = {"SOFTHSM2_CONF": os.environ.get("SOFTHSM2_CONF", "")}

    def run(*arguments, answers=""):
        return subprocess.run(
            [PACKED, *map(str, arguments)], input=answers, capture_output=True, text=True, timeout=120, check=False,
            env={**environment, **softhsm}, cwd=nothing,
        )  # fmt: skip

    return run


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


def test_pairs_and_signs_over_tls_with_a_private_root(office_of, packed, tmp_path):
    root, server = private_ca.make_private_ca(tmp_path)
    office = office_of(tls=server)
    key, pin = office.ring["li"], tmp_path / "li.pin"
    write_pin_file(pin, "246810")
    common = ["--server", office.origin, "--module", key.module, "--serial", key.serial, "--pin-file", pin]
    common += ["--ca-file", root, "--state", tmp_path / "pc"]
    paired = packed("agent", "pair", *common, answers="yes\n")
    assert paired.returncode == 0, paired.stderr
    office.open_cases(1)
    li = LoggedIn("li", "审批员甲", "approvals", frozenset({Role.REVIEWER}), "")
    casebook = office.desk.delivery._purpose
    [item] = casebook.items(li, "pending")
    batch = office.desk.delivery.submit_batch([casebook.prepare(li, item.reference, "同意。")])
    signed = packed("agent", "--once", "--terminal", *common, answers="yes\n")
    assert signed.returncode == 0, signed.stderr
    assert batch.code in signed.stderr
    assert office.desk.delivery.batch("li", batch.id)[1][0].state == "completed"
