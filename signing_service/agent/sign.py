"""Signing on the officer's token: the attributes of a prepared file, with the signing pair, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from hardware.driver import open_token
from hardware.ports import Token, TokenInfo
from signing_service.agent.errors import CertificateDiffers, NoSigningPair
from signing_service.agent.token_pairs import TokenPair, signing_pair
from signing_service.pdf.cms_attributes import read_signed_attributes
from signing_service.pdf.prepared import PreparedSignature

Result = TypeVar("Result")
AskPin = Callable[[TokenInfo], str]


def sign_prepared(prepared: PreparedSignature, token: Token, *, fingerprint: str | None = None) -> bytes:
    """The signature value over `prepared.signed_attributes`, by the token's signing pair.

    `review` comes first; here is checked once more that the attributes are the three of a PAdES signature, over this
    file's digest, and name the pair's own certificate. Raises SignedAttributesRefused, PreparedAltered,
    CertificateDiffers, NoSigningPair, SeveralSigningPairs, TokenError.
    """
    return sign_with(prepared, _pair_for(prepared, token, fingerprint))


def sign_with(prepared: PreparedSignature, pair: TokenPair) -> bytes:
    """The same with a pair that is known already."""
    prepared.check()
    attributes = read_signed_attributes(prepared.signed_attributes)
    if attributes.signing_certificate_hash != hashlib.sha256(pair.certificate).digest():
        raise CertificateDiffers
    return pair.sign(prepared.signed_attributes)


def with_token(module: str, info: TokenInfo, ask_pin: AskPin, work: Callable[[Token], Result]) -> Result:
    """Open the token, asking for its PIN once, and close it again; the PIN is not kept after the log-in."""
    with open_token(module, serial=info.serial, pin=ask_pin(info)) as token:
        return work(token)


def _pair_for(prepared: PreparedSignature, token: Token, fingerprint: str | None) -> TokenPair:
    """The pair named; else the one whose certificate the attributes name, if it signs documents."""
    if fingerprint is not None:
        return signing_pair(token, fingerprint=fingerprint)
    wanted = read_signed_attributes(prepared.signed_attributes).signing_certificate_hash.hex()
    try:
        return signing_pair(token, fingerprint=wanted)
    except NoSigningPair:
        signing_pair(token)  # several pairs, or none at all, are told apart from a foreign certificate
        raise CertificateDiffers from None
