"""From what the doctor sees to what it says; each fault made for real is in test_doctor_command.py."""

from __future__ import annotations

import datetime
import struct
from dataclasses import replace
from pathlib import Path

from hardware.discovery.key_table import KeyRow
from hardware.doctor.examination import module_bits, softhsm_folder
from hardware.doctor.findings import TokenFacts, bits_finding, pcsc_finding, row_findings, token_findings
from hardware.ports import PinState

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)


def codes(findings):
    return {finding.code for finding in findings}


def test_word_size_is_read_from_the_file(tmp_path, store):
    assert module_bits(Path(store.module)) == 64
    for name, content, bits in (
        ("elf32", b"\x7fELF\x01" + bytes(60), 32),
        ("pe64", b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0\x64\x86", 64),
        ("text", b"hello", 0),
    ):
        (tmp_path / name).write_bytes(content)
        assert module_bits(tmp_path / name) == bits
    assert codes(bits_finding("m", 32, 64)) == {"module_wrong_bits"}
    assert bits_finding("m", 0, 64) == bits_finding("m", 64, 64) == []


def test_rows_and_services():
    rows = [KeyRow("a", "driver_missing"), KeyRow("b", "not_supported"), KeyRow("c", "ready")]
    assert codes(row_findings(rows)) == {"driver_missing", "key_speaks_only_skf"}
    assert pcsc_finding("no", needed=True).level == "error"
    assert pcsc_finding("no", needed=False).level == "note"


def test_the_softhsm_folder_is_found_in_its_configuration(store):
    assert softhsm_folder(str(store.configuration)) == store.folder / "tokens"
    assert softhsm_folder(None) is None


def test_untried_mechanisms_are_said_to_be_untried(token):
    facts = TokenFacts(replace(token, user_pin=PinState.NORMAL), True, [], [], None)
    assert codes(token_findings(facts, NOW)) == {"mechanisms_untried"}
