"""`zhengyin agent` as a process of its own, with a PIN from an owner-only file and from a descriptor."""

import os
import subprocess
import sys

import pytest

from hardware.pin_source import write_pin_file
from signing_service.people.rules import Role
from signing_service.people.sessions import LoggedIn


@pytest.fixture
def pin_file(tmp_path):
    path = tmp_path / "li.pin"
    write_pin_file(path, "246810")
    return path


@pytest.fixture
def agent(office, tmp_path):
    """Runs `zhengyin agent` for li; gives the finished process."""
    key = office.ring["li"]

    def run(*arguments, answers="", **more):
        command = [
            sys.executable, "-m", "cli", "--home", str(tmp_path / "nowhere"), "agent", *arguments,
            "--server", office.origin, "--module", key.module, "--serial", key.serial, "--state", str(tmp_path / "pc"),
        ]  # fmt: skip
        environment = {**os.environ, "LANG": "en_GB.UTF-8", "LC_ALL": ""}
        return subprocess.run(
            command, input=answers, capture_output=True, text=True, env=environment, timeout=120, check=False, **more
        )

    return run


def freeze(office, count):
    office.open_cases(count)
    li = LoggedIn("li", "审批员甲", "approvals", frozenset({Role.REVIEWER}), "")
    casebook = office.desk.delivery._purpose
    jobs = [casebook.prepare(li, item.reference, "同意。") for item in casebook.items(li, "pending")]
    return office.desk.delivery.submit_batch(jobs)


def test_pair_then_sign_in_the_terminal(office, agent, pin_file):
    unpaired = agent("--once", "--terminal")
    assert (unpaired.returncode, "not paired" in unpaired.stderr) == (1, True)
    refused = agent("pair", "--pin-file", str(pin_file), answers="no\n")
    assert refused.returncode == 1
    paired = agent("pair", "--pin-file", str(pin_file), answers="yes\n")
    assert paired.returncode == 0, paired.stderr
    assert office.identity.fingerprint in paired.stderr
    batch = freeze(office, 2)
    signed = agent("--once", "--terminal", "--pin-file", str(pin_file), answers="yes\n")
    assert signed.returncode == 0, signed.stderr
    assert batch.code in signed.stderr
    assert "2 signed" in signed.stderr
    assert "246810" not in paired.stderr + signed.stderr + signed.stdout
    assert office.desk.delivery.open_batch("li") is None


def test_a_pin_from_a_descriptor_and_a_refusal_to_sign(office, agent, pin_file):
    agent("pair", "--pin-file", str(pin_file), answers="yes\n")
    batch = freeze(office, 1)
    declined = agent("--once", "--terminal", "--pin-file", str(pin_file), answers="no\n")
    assert (declined.returncode, "Cancelled" in declined.stderr) == (1, True)
    with pin_file.open() as descriptor:
        signed = agent(
            "--once", "--terminal", "--pin-fd", str(descriptor.fileno()), answers="yes\n",
            pass_fds=[descriptor.fileno()],
        )  # fmt: skip
    assert signed.returncode == 0, signed.stderr
    assert office.desk.delivery.batch("li", batch.id)[1][0].state == "completed"
