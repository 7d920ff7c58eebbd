"""Sealing as a holder has it done: the USB key authorises, custody seals what it covers, the TSA stamps it.

No database transaction is open while a token, custody or the TSA is waited for (DESIGN 5).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from cli import cast
from cli.opened_home import load_picture
from cli.stage import Stage
from hardware.ports import Mechanism, Token
from signing_service.custody.keys import SealKey
from signing_service.custody.ports import CustodyPort
from signing_service.errors import ExplainedError, SigningServiceError, Text
from signing_service.kernel.blobs import BlobStore
from signing_service.kernel.clock import local
from signing_service.pades.appearance import SealAppearance
from signing_service.pades.placing import AnyPlacing
from signing_service.pades.ports import Timestamper
from signing_service.pades.request import Level, SignatureRequest
from signing_service.pades.sign import complete, prepare
from signing_service.pdf.prepared import PreparedSignature
from signing_service.pki.outside import OutsideCheck
from signing_service.pki.rules import Actor
from signing_service.pki.signature_algorithms import algorithm_for
from signing_service.seals.authorisation import Authorisation, authorise_digests, standing_order
from signing_service.seals.conditions import UseRequest
from signing_service.seals.holder_signature import SignedAuthorisation, sign_authorisation
from signing_service.seals.order_book import OrderBook
from signing_service.seals.use_book import UseBook
from signing_service.settings import Settings

VALID_FOR = timedelta(hours=1)
ORDER_LASTS, ORDER_COUNT = timedelta(days=365), 10_000


class NoStandingOrder(SigningServiceError):
    """The holder has not ordered that documents of this type be sealed."""

    code = "no_standing_order"

    def __init__(self, document_type: str) -> None:
        super().__init__(
            Text(
                f"用印人没有授权批量加盖“{document_type}”。",
                f'The holder gave no standing order for "{document_type}".',
            ),
            advice=Text(
                "请用印人用 USB Key 签署该类型的长期授权。", "The holder signs one for this type with the USB key."
            ),
        )


@dataclass(frozen=True, slots=True)
class SealUseOf:
    """For the book of uses: `reference` is unique for a seal (a case's or licence's id), `actor` who has it sealed."""

    reference: str
    document_type: str
    actor: str


@dataclass(frozen=True, slots=True)
class SealingDesk:
    """What sealing needs: the home's settings, the book of uses, custody, a timestamp authority, what tells whether the
    seal's and the holders' certificates may still be used, and the store: a sealed file lies there before its use
    is released, and whoever asks again after a crash is given that file, not a second seal."""

    settings: Settings
    book: UseBook
    orders: OrderBook
    custody: CustodyPort
    timestamper: Timestamper
    outside: OutsideCheck
    blobs: BlobStore

    def authorise_and_seal(
        self, pdf: bytes, placing: AnyPlacing, holder: Token, use: SealUseOf, now: datetime
    ) -> bytes:
        """One document: prepared, authorised by its digest with the holder's key, sealed, stamped, locked.

        Raises PdfRefusal and PadesError for the file, SealError for seal and conditions, AuthorisationRefused and
        CustodyError, and the TSA's errors.
        """
        if (before := self._sealed_before(pdf, use.reference, cast.DEFAULT_SEAL)) is not None:
            return before
        prepared = self.prepared(pdf, placing, now)
        begin = now.replace(microsecond=0)
        allowed = authorise_digests(
            cast.DEFAULT_SEAL, {prepared.digest.hex()}, not_before=begin, until=begin + VALID_FOR
        )
        return self.sealed(prepared, signed_by(holder, allowed), use)

    def seal_under_order(
        self, pdf: bytes, placing: AnyPlacing, use: SealUseOf, now: datetime, *, seal_id: str = cast.DEFAULT_SEAL
    ) -> bytes:
        """One document under the holder's standing order for its type. Raises NoStandingOrder and as above."""
        if (before := self._sealed_before(pdf, use.reference, seal_id)) is not None:
            return before
        orders = self.orders.standing(seal_id, use.document_type, now)
        left = [order for order in orders if self.book.used_under(order.id) < order.count]
        if not orders:
            raise NoStandingOrder(use.document_type)
        prepared = self.prepared(pdf, placing, now, seal_id=seal_id)
        return self.sealed(prepared, (left or orders)[0].encoded, use, seal_id=seal_id)

    def prepared(
        self, pdf: bytes, placing: AnyPlacing, now: datetime, *, seal_id: str = cast.DEFAULT_SEAL, name: str = ""
    ) -> PreparedSignature:
        """The file with room for the seal's signature; `name` is the owner's, by default the approving body's."""
        seal = SealKey.of(self.custody, seal_id, b"")
        request = SignatureRequest(
            field=f"Seal-{now:%Y%m%d%H%M%S%f}",
            signed_at=local(now),
            appearance=SealAppearance(load_picture(self.settings, seal_id)),
            placing=placing,
            name=name or cast.APPROVING.name,
            lock=True,
            level=Level.B_T,
        )
        return prepare(pdf, request, seal.certificate, seal.chain)

    def sealed(
        self,
        prepared: PreparedSignature,
        authorisation: bytes,
        use: SealUseOf,
        *,
        seal_id: str = cast.DEFAULT_SEAL,
        approver: str = "",
    ) -> bytes:
        """T1 reserves, the token signs, T2 releases; the seal's state is asked again at each (DESIGN 5)."""
        actor = Actor(use.actor, department=cast.APPROVING.id)
        signed = SignedAuthorisation.decode(authorisation)
        granted_by = signed.authorisation_id
        holders = [each.certificate for each in signed.signatures]
        for certificate in (SealKey.of(self.custody, seal_id, b"").certificate, *holders):
            self.outside.require_usable(certificate)
        request = UseRequest(
            use.reference, use.document_type, prepared.digest.hex(), use.actor, approver, authorisation=granted_by
        )
        number = self.book.reserve(seal_id, request, actor)
        seal = SealKey.of(self.custody, seal_id, authorisation, document_type=use.document_type)
        try:
            value = seal.sign(prepared.signed_attributes, _mechanism(seal.certificate))
        except ExplainedError as refusal:
            self.book.void(number, refusal.code, actor)
            raise
        self.book.signed(number, actor)
        token = self.timestamper.timestamp(hashlib.sha256(value).digest())
        sealed = complete(prepared, value, certificate=seal.certificate, chain=seal.chain, timestamp_token=token)
        self.book.release(number, actor, self.blobs.put(sealed))
        return sealed

    def _sealed_before(self, pdf: bytes, reference: str, seal_id: str) -> bytes | None:
        """What the released use of this reference gave, where it was for this very file."""
        digest = self.book.result_of(seal_id, reference)
        content = self.blobs.get(digest) if digest else b""
        return content if digest and content.startswith(pdf) else None


def sealing_desk(stage: Stage, timestamper: Timestamper) -> SealingDesk:
    """The desk of an opened home."""
    return SealingDesk(
        stage.settings, stage.use_book(), stage.order_book(), stage.custody, timestamper, stage.outside(), stage.blobs
    )


def give_standing_order(
    orders: OrderBook, custody: CustodyPort, holder: Token, document_type: str, now: datetime
) -> None:
    """The holder's order to seal documents of one type, signed with the USB key and kept in the book of orders."""
    begin = now.replace(microsecond=0)
    order = standing_order(cast.DEFAULT_SEAL, document_type, ORDER_COUNT, not_before=begin, until=begin + ORDER_LASTS)
    actor = Actor(cast.SEAL_HOLDER.id, department=cast.SEAL_HOLDER.department)
    orders.keep(signed_by(holder, order), custody.pinned(cast.DEFAULT_SEAL), actor)


def signed_by(holder: Token, authorisation: Authorisation) -> bytes:
    """The authorisation, signed with the signing key of the holder's USB key."""
    key = holder.key(label="signing")
    return sign_authorisation(
        authorisation, (key, holder.certificate_for(key), algorithm_for(key.public_key).mechanism)
    )


def _mechanism(certificate: bytes) -> Mechanism:
    return algorithm_for(x509.load_der_x509_certificate(certificate).public_key()).mechanism
