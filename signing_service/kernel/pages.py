"""The page shell: Jinja2 templates in both languages, dates as people write them, one small style sheet.

Rooms hand in folders of templates. A template says each sentence twice, `t("中文", "English")`, and the reader's
language chooses; a missing value is an error, never an empty place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel.dates import format_date, format_datetime
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from signing_service.errors import Language, Text
from signing_service.kernel.clock import LOCAL_ZONE
from signing_service.kernel.problems import language_of

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the navigation."""

    address: str
    text: Text


class Pages:
    """`name` is the site's, `links` its navigation, `assets` the address of the static files."""

    def __init__(self, *folders: Path, name: Text, links: Sequence[Link] = (), assets: str = "/static") -> None:
        self._environment = Environment(
            loader=FileSystemLoader([*folders, TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._shared: Mapping[str, Any] = {"site_name": name, "links": links, "assets": assets}

    def render(self, request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A page in the reader's language; choosing a language by ?lang= is remembered in a cookie."""
        language = language_of(request)
        values = {**self._shared, **_in_language(language), **context, "path": request.url.path}
        values["other_language"] = _other_language(request, language)
        page = HTMLResponse(self._environment.get_template(template).render(values), status_code=status)
        page.headers["Content-Language"] = "zh-CN" if language == "zh" else "en"
        if "lang" in request.query_params:
            page.set_cookie("lang", language, max_age=YEAR_SECONDS, samesite="lax", httponly=True)
        return page


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page of the app that this request came to; `create_app` put its `Pages` into the app's state."""
    pages: Pages = request.app.state.pages
    return pages.render(request, template, status=status, **context)


def when(instant: datetime, language: Language) -> str:
    """2026年11月24日 15:04 (UTC+8) or 24 November 2026 at 15:04 (UTC+8)."""
    pattern, locale = ("y年M月d日 HH:mm", "zh_CN") if language == "zh" else ("d MMMM y 'at' HH:mm", "en_GB")
    text: str = format_datetime(instant.astimezone(LOCAL_ZONE), pattern, locale=locale)
    return f"{text} (UTC+8)"


def day(date_: date, language: Language) -> str:
    """2026年11月24日 or 24 November 2026."""
    pattern, locale = ("y年M月d日", "zh_CN") if language == "zh" else ("d MMMM y", "en_GB")
    return str(format_date(date_, pattern, locale=locale))


def _in_language(language: Language) -> dict[str, Any]:
    say: Callable[[Text], str] = lambda text: text.in_(language)  # noqa: E731
    return {
        "language": language,
        "html_language": "zh-CN" if language == "zh" else "en",
        "t": lambda zh, en: zh if language == "zh" else en,
        "say": say,
        "day": lambda value: day(value, language),
        "when": lambda instant: Markup('<time datetime="{}">{}</time>').format(
            instant.isoformat(timespec="seconds"), when(instant, language)
        ),
    }


def _other_language(request: Request, language: Language) -> str:
    """The same page in the other language, as an address relative to it."""
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
    return "?" + urlencode([*kept, ("lang", "en" if language == "zh" else "zh")])
