"""Break-glass: an absent holder's seal on one document, by two appointed persons' USB keys, within a day, on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cli.sealing import SealingDesk, SealUseOf
from signing_service.kernel.blobs import BlobStore
from signing_service.kernel.clock import Clock
from signing_service.pades.placing import AnyPlacing
from signing_service.pdf.prepared import PreparedSignature
from signing_service.pki.rules import Actor
from signing_service.seals.authorisation import emergency_order
from signing_service.seals.order_book import ForDocument, OrderBook, OrderRefused, OrderState
from signing_service.seals.register import SealRegister
from signing_service.seals.seal_tables import SealOrder


@dataclass(frozen=True, slots=True)
class EmergencySealing:
    """Prepares the document when the order is drafted, so that both persons sign over its very digest."""

    register: SealRegister
    orders: OrderBook
    desk: SealingDesk
    blobs: BlobStore
    clock: Clock

    def draft(
        self, seal_id: str, pdf: bytes, placing: AnyPlacing, document_type: str, reason: str, hours: int, actor: Actor
    ) -> SealOrder:
        """An unsigned order for one document. Raises OrderRefused, SealUnknown, PdfRefusal and PadesError."""
        now = self.clock.now().replace(microsecond=0)
        with self.register.database.read() as session:
            owner = self.register.find(session, seal_id).owner_name
        prepared = self.desk.prepared(pdf, placing, now, seal_id=seal_id, name=owner)
        order = emergency_order(
            seal_id, {prepared.digest.hex()}, reason.strip(), not_before=now, until=now + timedelta(hours=hours)
        )
        document = ForDocument(prepared.to_json(), self.blobs.put(prepared.document), document_type)
        return self.orders.draft(order, actor, document)

    def carry_out(self, order_id: str, actor: Actor) -> bytes:
        """Seal what both signed for; custody judges both signatures itself. The file is kept with the order.

        Raises OrderRefused, AuthorisationRefused, CustodyError, SealError, and the TSA's errors.
        """
        order = self.orders.find(order_id)
        if order.state != OrderState.SIGNED or not order.document:
            raise OrderRefused("该授权尚未签署齐全或已办结。", "It is not fully signed, or was carried out.")
        prepared = PreparedSignature.from_json(order.prepared, self.blobs.get(order.document))
        use = SealUseOf(f"emergency:{order.id}", order.document_type, actor.id)
        approver = order.drafted_by if order.drafted_by != actor.id else ""
        sealed = self.desk.sealed(prepared, order.encoded, use, seal_id=order.seal_id, approver=approver)
        self.orders.done(order_id, self.blobs.put(sealed), actor)
        return sealed
