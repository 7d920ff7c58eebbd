"""The error tree of tokens, and the base that every error of the project shares.

An error says what happened, why, and what to do next, in Chinese and in English. Only the edges (web, CLI)
turn one into a status code or an exit code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


class ExplainedError(Exception):
    """What happened, why and what to do next; `code` is stable and machine-readable (snake_case)."""

    code = "error"

    def __init__(self, what: Text, *, why: Text | None = None, advice: Text | None = None) -> None:
        self.what, self.why, self.advice = what, why, advice
        super().__init__(self.explain("en"))

    def explain(self, language: Language) -> str:
        """The whole message, sentences in order: what, why, what to do next."""
        parts = [text.in_(language) for text in (self.what, self.why, self.advice) if text is not None]
        return ("" if language == "zh" else " ").join(parts)


class TokenError(ExplainedError):
    """Root of everything that can go wrong with a token."""

    code = "token_error"
