"""RFC 7512 PKCS#11 URIs: parsed, printed, matched.

A PIN never stands in one of ours: `pin-value` is refused, `pin-source` is kept as the path of an owner-only file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

from .errors import UriAttributeUnsupported, UriInvalid
from .ports import TokenInfo

# RFC 7512, 2.3: attribute name in the URI -> field.
_PATH = {
    "token": "token",
    "manufacturer": "manufacturer",
    "serial": "serial",
    "model": "model",
    "object": "object",
    "type": "type",
    "id": "id",
}
_QUERY = {"pin-source": "pin_source", "module-path": "module_path", "module-name": "module_name"}
# pk11-res-avail in a path, besides the unreserved characters that quote_from_bytes keeps anyway.
_SAFE_IN_PATH, _SAFE_IN_QUERY = ":[]@!$'()*+,=&", ":[]@!$'()*+,=/?|"
# They name a slot or a library, which are not what a token is found by here: to ignore one would match too much.
_UNSUPPORTED = ("slot-id", "slot-manufacturer", "slot-description", "library-manufacturer", "library-description",
                "library-version")  # fmt: skip
_TYPES = ("public", "private", "cert", "secret-key", "data")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class TokenUri:
    """Attributes of a PKCS#11 URI; None means "any"."""

    token: str | None = None
    manufacturer: str | None = None
    serial: str | None = None
    model: str | None = None
    object: str | None = None
    type: str | None = None
    id: bytes | None = None
    pin_source: str | None = None
    module_path: str | None = None
    module_name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises UriInvalid. Unknown vendor attributes are ignored, as RFC 7512 2.3 allows."""
        if not text.lower().startswith("pkcs11:") or _ESCAPE.search(text) or re.search(r"\s", text):
            raise UriInvalid(uri=_without_pin(text))
        path, _, query = text[len("pkcs11:") :].partition("?")
        values: dict[str, str | bytes] = {}
        for part in filter(None, path.split(";")):
            _take(values, part, _PATH, text)
        for part in filter(None, query.split("&")):
            _take(values, part, _QUERY, text)
        if values.get("type", "private") not in _TYPES:
            raise UriInvalid(uri=_without_pin(text), detail="type")
        return cls(**values)  # type: ignore[arg-type]

    def __str__(self) -> str:
        path = ";".join(f"{name}={_quote(value, _SAFE_IN_PATH)}" for name, value in self._set(_PATH))
        query = "&".join(f"{name}={_quote(value, _SAFE_IN_QUERY)}" for name, value in self._set(_QUERY))
        return f"pkcs11:{path}" + (f"?{query}" if query else "")

    def _set(self, names: Mapping[str, str]) -> list[tuple[str, str | bytes]]:
        return [(name, value) for name, field in names.items() if (value := getattr(self, field)) is not None]

    def matches(self, info: TokenInfo) -> bool:
        """Whether the token attributes that the URI names are all those of `info`."""
        wanted = (
            (self.token, info.label),
            (self.manufacturer, info.manufacturer),
            (self.serial, info.serial),
            (self.model, info.model),
        )
        return all(ours is None or ours == theirs for ours, theirs in wanted)

    @classmethod
    def of(cls, info: TokenInfo, *, label: str | None = None, id: bytes | None = None) -> Self:
        """The URI that names a token, or a private key on it, by serial."""
        is_key = label is not None or id is not None
        return cls(
            token=info.label or None,
            serial=info.serial,
            object=label or None,
            id=id or None,
            type="private" if is_key else None,
        )


def _take(values: dict[str, str | bytes], part: str, names: Mapping[str, str], text: str) -> None:
    name, equals, raw = part.partition("=")
    if name == "pin-value":
        raise UriInvalid(uri=_without_pin(text), detail="pin-value: a PIN never stands in a URI")
    if name in _UNSUPPORTED:
        raise UriAttributeUnsupported(uri=_without_pin(text), attribute=name)
    field = names.get(name)
    if not equals or (field and field in values):
        raise UriInvalid(uri=_without_pin(text), detail=name)
    if field is None:
        return
    decoded = unquote_to_bytes(raw)
    try:
        values[field] = decoded if field == "id" else decoded.decode()
    except UnicodeDecodeError as error:
        raise UriInvalid(uri=_without_pin(text), detail=name) from error


def _quote(value: str | bytes, safe: str) -> str:
    if isinstance(value, bytes):
        # RFC 7512 2.3: the whole id should be percent-encoded.
        return "".join(f"%{byte:02X}" for byte in value)
    return quote_from_bytes(value.encode(), safe=safe)


def _without_pin(text: str) -> str:
    return re.sub(r"(pin-value=)[^&;]*", r"\1…", text)
