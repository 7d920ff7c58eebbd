"""A card in a PC/SC reader, for the commands that no PKCS#11 module offers (`piv.apdu.Card`)."""

from __future__ import annotations

from typing import Self

from .errors import Busy, TokenFault, TokenRemoved


class PcscCard:
    """The card in one reader, with nobody else's commands in between. Use as a context manager.

    At the end the card is reset, so that no other program goes on with what it knew of it or stays logged in.
    """

    def __init__(self, reader: str, token: str) -> None:
        self._reader, self._token = reader, token

    def __enter__(self) -> Self:
        from smartcard import scard

        self._scard = scard
        result, self._context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        self._check(result)
        try:
            either = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
            result, self._card, self._protocol = scard.SCardConnect(
                self._context, self._reader, scard.SCARD_SHARE_SHARED, either
            )
            self._check(result)
            self._check(scard.SCardBeginTransaction(self._card))
        except BaseException:
            scard.SCardReleaseContext(self._context)
            raise
        return self

    def transmit(self, apdu: bytes) -> bytes:
        """The answer with its status word."""
        result, answer = self._scard.SCardTransmit(self._card, self._protocol, list(apdu))
        self._check(result)
        return bytes(answer)

    def _check(self, result: int) -> None:
        scard = self._scard
        if result == scard.SCARD_S_SUCCESS:
            return
        detail = scard.SCardGetErrorMessage(result)
        if result in (scard.SCARD_E_SHARING_VIOLATION, scard.SCARD_W_RESET_CARD):
            raise Busy(token=self._token, detail=detail)
        if result in _gone(scard):
            raise TokenRemoved(token=self._token, detail=detail)
        raise TokenFault(token=self._token, detail=detail)

    def __exit__(self, *exc: object) -> None:
        scard = self._scard
        scard.SCardEndTransaction(self._card, scard.SCARD_RESET_CARD)
        scard.SCardDisconnect(self._card, scard.SCARD_RESET_CARD)
        scard.SCardReleaseContext(self._context)


def _gone(scard: object) -> frozenset[int]:
    names = ("SCARD_W_REMOVED_CARD", "SCARD_E_NO_SMARTCARD", "SCARD_E_UNKNOWN_READER", "SCARD_E_READER_UNAVAILABLE")
    return frozenset(getattr(scard, name) for name in names)
