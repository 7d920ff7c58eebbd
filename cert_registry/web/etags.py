"""Entity tags of answers (RFC 9110 8.8): strong, over the content without its log entry and evidence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fastapi import Request


def tag_of(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return f'"{hashlib.sha256(canonical.encode()).hexdigest()}"'


def matches(request: Request, tag: str) -> bool:
    """Does the caller hold this already (If-None-Match)?"""
    held = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    return tag in held
