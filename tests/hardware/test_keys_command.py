"""`zhengyin keys` as people run it: data on stdout, messages on stderr, PINs never on the command line.

All acts of care, on all kinds of tokens, are in test_care.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from hardware.pin_source import write_pin_file

USER_PIN, SO_PIN, NEW_PIN = "246810", "13579135", "112233"


@pytest.fixture
def pins(tmp_path):
    for name, pin in (("user", USER_PIN), ("so", SO_PIN), ("new", NEW_PIN), ("wrong", "000000")):
        write_pin_file(tmp_path / name, pin)
    return tmp_path


@pytest.fixture
def keys(store):
    def run(*arguments: object, code: int = 0, language: str = "en", **options):
        answer = subprocess.run(
            [sys.executable, "-m", "cli", "keys", *map(str, arguments)],
            env={**os.environ, "LC_ALL": f"{language}_XX.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **options,
        )
        assert answer.returncode == code, answer.stderr
        assert USER_PIN not in answer.stdout + answer.stderr
        return answer

    return run


def test_the_life_of_a_key(keys, store, pins):
    module = ("--module", store.module)
    made = keys("init", *module, "--label", "示例", "--so-pin-file", pins / "so", "--new-pin-file", pins / "user")
    serial = made.stdout.strip()
    rows = json.loads(keys("list", *module, "--json").stdout)["keys"]
    assert [(row["serial"], row["label"], row["state"], row["pin"]) for row in rows] == [
        (serial, "示例", "ready", "normal")
    ]
    user = ("--pin-file", pins / "user")
    uri = keys("generate", serial, *module, "--kind", "p256", "--id", "01", "--label", "seal", *user).stdout.strip()
    assert f"serial={serial}" in uri
    shown = json.loads(keys("show", f"pkcs11:serial={serial}", *module, *user, "--json").stdout)
    assert [(key["id"], key["type"]) for key in shown["keys"]] == [("01", "P-256")]
    refused = keys("delete", serial, *module, "--id", "01", *user, "--confirm-serial", "other", code=1)
    assert "nothing was changed" in refused.stderr
    gone = keys("delete", serial, *module, "--id", "01", *user, input=f"{serial}\n")
    assert gone.stdout == "2\n"
    assert f"Type the serial {serial}" in gone.stderr


def test_a_pin_by_descriptor_and_by_prompt(keys, store, token):
    reading, writing = os.pipe()
    os.write(writing, USER_PIN.encode())
    os.close(writing)
    arguments = (token.serial, "--module", store.module, "--kind", "p256")
    keys("generate", *arguments, "--id", "01", "--pin-fd", reading, pass_fds=[reading])
    os.close(reading)
    asked = keys("generate", *arguments, "--id", "02", input=f"{USER_PIN}\n")
    assert "serial=" in asked.stdout


def test_a_wrong_pin_says_what_to_do_in_both_languages(keys, store, token, pins):
    arguments = ("show", token.serial, "--module", store.module, "--pin-file", pins / "wrong")
    first = keys(*arguments, code=1)
    assert "refused the PIN" in first.stderr
    assert first.stdout == ""
    again = keys(*arguments, code=1, language="zh")
    assert "未再次发送" in again.stderr
    keys("pin", token.serial, "--module", store.module, "--forget-refusals")
    assert "refused the PIN; the whole batch" in keys(*arguments, code=1).stderr


def test_the_last_try_is_used_only_with_consent(keys, faulty, token, pins):
    faulty.faults(pin_tries=1)
    arguments = (token.serial, "--module", faulty.module, "--pin-file", pins / "user")
    (row,) = json.loads(keys("list", "--module", faulty.module, "--json").stdout)["keys"]
    assert row["pin"] == "last"
    for command in (("show",), ("generate", "--id", "01", "--kind", "p256")):
        assert "zhengyin keys show --final-try" in keys(*command, *arguments, code=1).stderr
    assert faulty.seen("logins") == 0
    keys("show", *arguments, "--final-try")
    assert faulty.seen("logins") == 1


def test_what_is_asked_for_and_missing_is_named(keys, store, token):
    assert "deadbeef" in keys("show", "deadbeef", "--module", store.module, code=1).stderr
    assert "no-such.so" in keys("list", "--module", "no-such.so", code=1).stderr


def test_the_operators_own_table_of_keys_is_read(keys, store, token, tmp_path):
    table = tmp_path / "keys.csv"
    table.write_text("usb_ids,name,linux\n1234:5678,示例密钥,libexample.so\n", encoding="utf-8")
    keys("list", "--module", store.module, "--known-keys", table)


def test_a_pin_is_never_an_option_value(keys):
    help_text = "".join(keys(command, "--help").stdout for command in ("init", "pin"))
    assert "--pin-file" in help_text
    assert "--pin " not in help_text
    assert "PIN=" not in help_text
