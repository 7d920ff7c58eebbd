"""Holders' codes: GB 32100 (unified social credit code), GB 11643 (resident number), GB/T 36903 annex A (kinds).

Rules only. A personal number never appears in an error, a log entry or a page; `masked` is what may be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cert_registry.errors import Text
from cert_registry.licences.errors import HolderCodeInvalid
from signing_service.people.social_credit_code import check_character

USCC, OTHER_ORGANISATION, RESIDENT = "001", "099", "111"
KINDS = {
    USCC: Text("统一社会信用代码", "unified social credit code"),
    OTHER_ORGANISATION: Text("其他法人证件号", "other organisation's number"),
    RESIDENT: Text("公民身份号码", "resident number"),
    "114": Text("军官证号", "officer's card number"),
    "115": Text("警官证号", "police card number"),
    "118": Text("士兵证号", "soldier's card number"),
    "119": Text("武警士兵证号", "armed police card number"),
    "120": Text("文职人员证号", "civilian staff card number"),
    "122": Text("武警文职人员证号", "armed police civilian staff card number"),
    "411": Text("外交护照号", "diplomatic passport number"),
    "412": Text("公务护照号", "service passport number"),
    "413": Text("公务普通护照号", "public affairs passport number"),
    "414": Text("普通护照号", "passport number"),
    "511": Text("台湾居民来往大陆通行证号", "Taiwan resident's travel permit number"),
    "516": Text("港澳居民来往内地通行证号", "Hong Kong and Macao resident's travel permit number"),
    "999": Text("其他自然人证件号", "other personal document number"),
}
ORGANISATIONS = frozenset({USCC, OTHER_ORGANISATION})
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_RESIDENT_CHECKS = "10X98765432"
_EARLIEST_BIRTH = date(1880, 1, 1)


@dataclass(frozen=True, slots=True)
class Holder:
    """One holder as given: `code` is plain here and is never stored or logged so."""

    name: str
    code: str
    code_type: str = USCC

    def __repr__(self) -> str:
        return f"Holder(name={self.name!r}, code={masked(self.code, self.code_type)!r}, code_type={self.code_type!r})"

    @property
    def is_organisation(self) -> bool:
        return self.code_type in ORGANISATIONS


def checked(holder: Holder) -> Holder:
    """The holder with its code in normal form (capitals, no spaces). Raises HolderCodeInvalid."""
    if holder.code_type not in KINDS:
        raise HolderCodeInvalid(
            Text("证件种类", "code type"), Text("不在 GB/T 36903 附录 A 中。", "It is not one of GB/T 36903 annex A.")
        )
    code, kind = "".join(holder.code.split()).upper(), KINDS[holder.code_type]
    if not 1 <= len(code) <= 64 or not holder.name.strip():
        raise HolderCodeInvalid(kind, Text("名称或代码为空或过长。", "The name or code is empty or too long."))
    if holder.code_type == USCC and not is_uscc(code):
        raise HolderCodeInvalid(kind, Text("长度、字符或校验位不符合 GB 32100。", "It fails the check of GB 32100."))
    if holder.code_type == RESIDENT and not is_resident_number(code):
        raise HolderCodeInvalid(kind, Text("长度、日期或校验位不符合 GB 11643。", "It fails the check of GB 11643."))
    return Holder(holder.name.strip(), code, holder.code_type)


def is_uscc(code: str) -> bool:
    """18 characters of the alphabet without I O Z S V, whose last one is right (31 counts as 0).

    The check within the body code is left out: old bodies have codes that predate it.
    """
    return len(code) == 18 and set(code) <= set(_USCC_ALPHABET) and check_character(code[:17]) == code[17]


def is_resident_number(code: str) -> bool:
    """GB 11643: 17 digits with a date that exists, and the check character of ISO 7064 MOD 11-2."""
    if len(code) != 18 or not (code[:17].isascii() and code[:17].isdigit()):
        return False
    try:
        born = date(int(code[6:10]), int(code[10:12]), int(code[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(code[:17]))
    return born >= _EARLIEST_BIRTH and code[17] == _RESIDENT_CHECKS[total % 11]


def masked(code: str, code_type: str) -> str:
    """What may be shown: an organisation's code whole, a person's with all but the ends hidden."""
    if code_type in ORGANISATIONS:
        return code
    shown = 1 if len(code) < 8 else 2
    return code[:shown] + "*" * max(len(code) - 2 * shown, 3) + code[-shown:]
