"""A home is made as a whole or not at all, and its secrets are the owner's alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cli import cast
from cli.home import MARKER, HomeNotWritable, HomeOccupied, being_made, is_initialised, pin_file
from signing_service.settings import Settings, SettingsUnreadable, load_settings


def test_a_home_is_not_made_twice(home: Settings) -> None:
    before = (home.home / "settings.toml").read_bytes()
    with pytest.raises(HomeOccupied, match="initialised already"), being_made(home.home):
        pass
    assert (home.home / "settings.toml").read_bytes() == before


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(HomeOccupied, match="other files"), being_made(tmp_path):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_unfinished_home_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    with pytest.raises(RuntimeError):
        _stop_half_way(folder)
    assert not is_initialised(folder)
    with being_made(folder):
        assert not (folder / "half").exists()
        (folder / "settings.toml").touch()
    assert is_initialised(folder)
    assert not (folder / MARKER).exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeNotWritable, match="cannot be written"), being_made(tmp_path / "file" / "home"):
        pass


def test_pins_are_the_owners_alone_and_nowhere_else(home: Settings) -> None:
    labels = (*cast.SERVICE_TOKENS, *(officer.token for officer in cast.OFFICERS))
    pins = [pin_file(home, label).read_text().strip() for label in labels]
    assert len(set(pins)) == len(labels)
    for label in labels:
        assert stat.S_IMODE(pin_file(home, label).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.pins.stat().st_mode) == 0o700
    readable = [path for path in home.home.rglob("*") if path.is_file() and home.pins not in path.parents]
    for path in readable:
        content = path.read_bytes()
        assert not any(pin.encode() in content for pin in pins if len(pin) >= 8), path


def test_settings_name_the_wrong_entry(home: Settings, tmp_path: Path) -> None:
    text = (home.home / "settings.toml").read_text()
    (tmp_path / "settings.toml").write_text(text.replace("profile =", "profil ="))
    with pytest.raises(SettingsUnreadable, match="profil"):
        load_settings(tmp_path)


def test_a_missing_home_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsUnreadable) as raised:
        load_settings(tmp_path / "nowhere")
    assert "zhengyin init" in raised.value.explain("zh")


def _stop_half_way(folder: Path) -> None:
    with being_made(folder):
        (folder / "half").touch()
        raise RuntimeError
