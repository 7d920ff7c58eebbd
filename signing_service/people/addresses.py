"""Telephone numbers and mail addresses as notices are sent to: their form, whoever they belong to."""

from __future__ import annotations

import re

from signing_service.errors import Text
from signing_service.people.errors import PeopleError
from signing_service.people.notice_channels import MAIL, SMS

_PATTERNS = {
    MAIL: re.compile(r"[^@\s\x00-\x1f<>,;\"]{1,64}@[A-Za-z0-9.-]{1,180}"),
    SMS: re.compile(r"\+?[0-9]{5,15}"),
}


class AddressInvalid(PeopleError):
    code = "address_invalid"

    def __init__(self) -> None:
        super().__init__(
            Text("联系方式的格式不对。", "The address has not the right form."),
            why=Text("手机号只写数字,邮箱写成 name@example.cn。", "A number has digits only; mail is name@example.cn."),
            advice=Text("请检查是否输错。", "Check for a typing error."),
        )


def checked_address(channel: str, address: str) -> str:
    """The address as it is kept. Raises AddressInvalid."""
    address = address.strip()
    pattern = _PATTERNS.get(channel)
    if pattern is None or not pattern.fullmatch(address):
        raise AddressInvalid
    return address
