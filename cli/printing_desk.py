"""Printing put together on an opened home: the ledger, copies with their paper codes, printers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cli.paper_codes import PaperCodes
from cli.stage import Stage
from signing_service.kernel.clock import in_words
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.printing.handing_out import SealedDocument
from signing_service.printing.ipp import IppPrinter
from signing_service.printing.ledger import PrintLedger, ReservedCopy
from signing_service.printing.paper_code import PaperCode
from signing_service.printing.print_copy import CopyLabel, make_print_copy


@dataclass(frozen=True)
class PrintingDesk:
    """What pages and commands print with."""

    stage: Stage

    @property
    def ledger(self) -> PrintLedger:
        return PrintLedger(self.stage.database, self.stage.clock)

    @property
    def codes(self) -> PaperCodes:
        return PaperCodes(self.stage.settings, self.stage.custody, self.stage.clock, self.stage.database)

    def make(self, sealed: SealedDocument, copy: ReservedCopy) -> bytes:
        """The copy's PDF. Raises CopyRefused, CodeKeyUnfit, custody's errors."""
        digest = hashlib.sha256(sealed.content).digest()
        return self._labelled(sealed, copy, self.codes.of_copy(sealed.subject, sealed.type, digest, copy.serial))

    def as_handed_out(self, sealed: SealedDocument, copy: ReservedCopy, text: str) -> bytes:
        """The file as it was when its code's text was made. Raises the code's refusals."""
        return self._labelled(sealed, copy, self.codes.verified(text))

    def _labelled(self, sealed: SealedDocument, copy: ReservedCopy, code: PaperCode) -> bytes:
        printed, host = in_words(copy.reserved_at), self.codes.host
        label = CopyLabel(copy.serial, copy.number, copy.quota, printed, host, copy.purpose)
        return make_print_copy(sealed.content, label=label, code=code)

    def printer(self, address: str, *, allow: str = "") -> IppPrinter:
        """`allow`: a host that an operator named for this printer, besides those of the settings."""
        hosts = self.stage.settings.outbound_hosts | ({allow} if allow else set())
        return IppPrinter(address, Outbound(OutboundPolicy(hosts)))
