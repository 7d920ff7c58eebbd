"""The catalogue of licence types (GB/T 36902), read from data: one YAML file and one Typst layout for each type.

Adding a type needs a file and a layout, no code. A folder of the operator's own may follow the shipped one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from cert_registry.errors import Text
from cert_registry.licences.errors import CatalogueInvalid, UnknownLicenceType

SHIPPED = Path(__file__).parent
FRAME = "frame.typ"
FieldKind = Literal["text", "long_text", "date", "number", "choice", "list"]
HolderCategory = Literal["organisation", "person", "any"]
_TYPE_CODE = re.compile(r"[0-9A-Z]{18}[0-9]{3}")


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of a licence's content. `choices` only for kind choice; `longest` in characters (of each list item)."""

    name: str
    label: Text
    kind: FieldKind
    required: bool
    choices: tuple[str, ...] = ()
    longest: int = 500


@dataclass(frozen=True, slots=True)
class Body:
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class LicenceType:
    """`code`: 21 characters, definer's code and three digits. `validity_years` None means without end.

    `number_pattern` has the places {year} and {count}. `absorbs`: types that this one takes in (多证合一).
    `seal_centre_mm`: where the seal's centre goes on the last page, from the lower-left corner.
    """

    key: str
    code: str
    name: Text
    kind: str
    definer: Body
    issuer_level: str
    matters: tuple[str, ...]
    holder_category: HolderCategory
    several_holders: bool
    validity_years: int | None
    number_pattern: str
    fields: tuple[Field, ...]
    absorbs: tuple[str, ...]
    layout: str
    frame: bytes
    seal_centre_mm: tuple[float, float]

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)


class Catalogue:
    """Types by key and by code."""

    def __init__(self, types: Iterable[LicenceType]) -> None:
        self._types = {found.key: found for found in types}
        self._by_code = {found.code: found for found in self._types.values()}

    @classmethod
    def load(cls, *folders: Path) -> Catalogue:
        """Read `FOLDER/types/*.yaml` and `FOLDER/layouts/*.typ`; the shipped folder when none is named.

        Raises CatalogueInvalid, naming the file and the entry.
        """
        found: dict[str, LicenceType] = {}
        for folder in folders or (SHIPPED,):
            for path in sorted((folder / "types").glob("*.yaml")):
                found[path.stem] = _read(path, folder / "layouts")
        _refuse_doubles(found.values())
        return cls(found.values())

    def get(self, key_or_code: str) -> LicenceType:
        """Raises UnknownLicenceType."""
        found = self._types.get(key_or_code) or self._by_code.get(key_or_code)
        if found is None:
            raise UnknownLicenceType(key_or_code)
        return found

    def __contains__(self, key_or_code: object) -> bool:
        return key_or_code in self._types or key_or_code in self._by_code

    def __iter__(self) -> Iterator[LicenceType]:
        return iter(self._types.values())


def _read(path: Path, layouts: Path) -> LicenceType:
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        layout = (layouts / str(entries["layout"])).read_text(encoding="utf-8")
        frame = layouts / FRAME
        return _from_entries(path.stem, entries, layout, (frame if frame.exists() else SHIPPED / "layouts" / FRAME))
    except CatalogueInvalid:
        raise
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as failure:
        raise CatalogueInvalid(path.name, f"{type(failure).__name__}: {failure}") from failure


def _from_entries(key: str, entries: Mapping[str, Any], layout: str, frame: Path) -> LicenceType:
    code, category = str(entries["code"]), entries["holder_category"]
    if not _TYPE_CODE.fullmatch(code):
        raise ValueError("code must be the definer's 18 characters and three digits")
    if category not in get_args(HolderCategory):
        raise ValueError("holder_category must be organisation, person or any")
    years = entries["validity_years"]
    return LicenceType(
        key=key,
        code=code,
        name=_text(entries["name"]),
        kind=str(entries["kind"]),
        definer=Body(code[:18], str(entries["definer"])),
        issuer_level=str(entries["issuer_level"]),
        matters=tuple(str(matter) for matter in entries["matters"]),
        holder_category=category,
        several_holders=bool(entries["several_holders"]),
        validity_years=None if years is None else int(years),
        number_pattern=str(entries["number_pattern"]),
        fields=tuple(_field(name, field) for name, field in entries["fields"].items()),
        absorbs=tuple(str(other) for other in entries.get("absorbs", ())),
        layout=layout,
        frame=frame.read_bytes(),
        seal_centre_mm=(float(entries["seal_centre_mm"][0]), float(entries["seal_centre_mm"][1])),
    )


def _field(name: str, entries: Mapping[str, Any]) -> Field:
    if entries["kind"] not in get_args(FieldKind):
        raise ValueError(f"field {name}: kind must be one of {', '.join(get_args(FieldKind))}")
    if (entries["kind"] == "choice") != bool(entries.get("choices")):
        raise ValueError(f"field {name}: choices belong to kind choice, and it needs them")
    return Field(
        name=name,
        label=_text(entries["label"]),
        kind=entries["kind"],
        required=bool(entries.get("required", False)),
        choices=tuple(str(choice) for choice in entries.get("choices", ())),
        longest=int(entries.get("longest", 5000 if entries["kind"] == "long_text" else 500)),
    )


def _text(entries: Mapping[str, Any]) -> Text:
    return Text(str(entries["zh"]), str(entries["en"]))


def _refuse_doubles(types: Iterable[LicenceType]) -> None:
    seen: dict[str, str] = {}
    for found in types:
        if found.code in seen:
            raise CatalogueInvalid(f"{found.key}.yaml", f"code {found.code} is already used by {seen[found.code]}.yaml")
        seen[found.code] = found.key
