"""What every command is given, whoever read the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hardware.explained import Language

HOME_VARIABLE, DEFAULT_HOME = "ZHENGYIN_HOME", "zhengyin-home"


@dataclass(frozen=True, slots=True)
class Invocation:
    """The home folder (it need not exist yet) and the language of messages."""

    home: Path
    language: Language


def language_of_terminal() -> Language:
    """Chinese, unless the terminal's locale asks for English."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "en" if locale.startswith("en") else "zh"
