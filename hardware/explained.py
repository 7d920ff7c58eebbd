"""The base of every error of the project, and of those of tokens: sentences in both languages, stable codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


Explained = TypeVar("Explained", bound="ExplainedError")


class ExplainedError(Exception):
    """What happened, why and what to do next; `code` is stable and machine-readable (snake_case)."""

    code = "error"

    def __init__(self, what: Text, *, why: Text | None = None, advice: Text | None = None) -> None:
        self.what, self.why, self.advice = what, why, advice
        super().__init__(self.explain("en"))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled by its sentences, since the constructors of the classes below it differ."""
        return _restored, (type(self), self.what, self.why, self.advice, self.__dict__)

    def explain(self, language: Language) -> str:
        """The whole message, sentences in order: what, why, what to do next."""
        parts = [text.in_(language) for text in (self.what, self.why, self.advice) if text is not None]
        return ("" if language == "zh" else " ").join(parts)


def _restored(
    kind: type[Explained], what: Text, why: Text | None, advice: Text | None, state: dict[str, object]
) -> Explained:
    error = kind.__new__(kind)
    ExplainedError.__init__(error, what, why=why, advice=advice)
    error.__dict__.update(state)
    return error


class TokenError(ExplainedError):
    """Root of everything that can go wrong with a token."""

    code = "token_error"


class NamedTokenError(TokenError):
    """A token error whose sentences are part of its class; `facts` fill their blanks.

    `detail` is the technical cause (name of the call and return value), shown as the "why".
    """

    WHAT: ClassVar[Text] = Text("密码设备出错。", "The token failed.")
    ADVICE: ClassVar[Text | None] = None
    BLANKS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, detail: str = "", **facts: str) -> None:
        blanks = {name: facts.get(name) or "?" for name in self.BLANKS}
        super().__init__(
            _fill(self.WHAT, blanks),
            why=Text(f"（{detail}）", f"({detail})") if detail else None,
            advice=_fill(self.ADVICE, blanks) if self.ADVICE else None,
        )


def _fill(text: Text, blanks: dict[str, str]) -> Text:
    return Text(text.zh.format(**blanks), text.en.format(**blanks))


def rebuild(code: str, what: Text, why: Text | None, advice: Text | None) -> TokenError:
    """The error that another process described: same class, same sentences."""
    kind = next((each for each in all_kinds(TokenError) if each.code == code), TokenError)
    return _restored(kind, what, why, advice, {})


def all_kinds(root: type[TokenError]) -> list[type[TokenError]]:
    """`root` and every class below it."""
    return [root, *(kind for child in root.__subclasses__() for kind in all_kinds(child))]
