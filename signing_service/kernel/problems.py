"""The one edge where domain errors become RFC 9457 problem documents."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from signing_service.errors import ExplainedError, Language

MEDIA_TYPE = "application/problem+json"


def problem(error: ExplainedError, status: int, language: Language, **extensions: Any) -> JSONResponse:
    """A problem document: `code` is stable, `title` says what happened, `detail` why and what to do next."""
    rest = [text.in_(language) for text in (error.why, error.advice) if text is not None]
    content = {
        "type": f"urn:zhengyin:problem:{error.code}",
        "title": error.what.in_(language),
        "status": status,
        "detail": ("" if language == "zh" else " ").join(rest),
        "code": error.code,
        **extensions,
    }
    return JSONResponse(content, status_code=status, media_type=MEDIA_TYPE)


def language_of(request: Request) -> Language:
    """Chinese unless the reader chose English: by the switch (cookie) or by Accept-Language."""
    chosen = request.query_params.get("lang") or request.cookies.get("lang")
    if chosen in ("zh", "en"):
        return "en" if chosen == "en" else "zh"
    first = request.headers.get("accept-language", "").split(",")[0].strip().lower()
    return "en" if first.startswith("en") else "zh"
