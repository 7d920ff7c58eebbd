"""Licence identifiers, GB/T 36904: ROOT.TYPE.ISSUER.SERIAL.VERSION.CHECK.

The check character is ISO/IEC 7064 MOD 37,36 (GB/T 17710) over TYPE ISSUER SERIAL VERSION without dots and root.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass

from cert_registry.licences.errors import BadCheckCharacter, IdentifierMalformed

ROOT = "1.2.156.3005.2"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SERIAL_LENGTH = 20
LONGEST = 128
_FORM = re.compile(
    re.escape(ROOT) + r"\.(?P<type>[0-9A-Z]{18}[0-9]{3})\.(?P<issuer>[0-9A-Z]{1,32})"
    r"\.(?P<serial>[0-9A-Z]{1,32})\.(?P<version>[0-9]{3})\.(?P<check>[0-9A-Z])"
)


def check_character(body: str) -> str:
    """The hybrid system MOD 37,36 over digits and capitals; the whole number then satisfies P + check = 1 (mod 36)."""
    product = 36
    for character in body:
        total = (product + ALPHABET.index(character)) % 36 or 36
        product = (2 * total) % 37
    return ALPHABET[(37 - product) % 36]


@dataclass(frozen=True, slots=True)
class LicenceIdentifier:
    """A well-formed identifier. `type_code` has 21 characters; `version` counts from 1."""

    type_code: str
    issuer: str
    serial: str
    version: int

    @classmethod
    def parse(cls, text: str) -> LicenceIdentifier:
        """Read what a person typed: full-width signs, spaces and lower case are forgiven.

        Raises IdentifierMalformed, BadCheckCharacter.
        """
        if len(text) > LONGEST:
            raise IdentifierMalformed
        plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).replace("。", ".").upper()
        found = _FORM.fullmatch(plain)
        if found is None:
            raise IdentifierMalformed
        read = cls(found["type"], found["issuer"], found["serial"], int(found["version"]))
        if read.check != found["check"]:
            raise BadCheckCharacter(read.check)
        return read

    @property
    def check(self) -> str:
        return check_character(f"{self.type_code}{self.issuer}{self.serial}{self.version:03}")

    def next_version(self) -> LicenceIdentifier:
        """The same licence, re-issued: renewal or change raises VERSION and keeps the rest."""
        return LicenceIdentifier(self.type_code, self.issuer, self.serial, self.version + 1)

    def __str__(self) -> str:
        return f"{ROOT}.{self.type_code}.{self.issuer}.{self.serial}.{self.version:03}.{self.check}"


def new_serial() -> str:
    """A serial nobody can guess: 20 random digits and capitals (103 bits)."""
    return "".join(secrets.choice(ALPHABET) for _ in range(SERIAL_LENGTH))
