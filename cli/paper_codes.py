"""Paper codes of this home: made with custody's present key, read with its public keys, past ones included."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from cryptography import x509

from cert_registry.licences.drafts import Draft
from cert_registry.verification import lookup
from signing_service.approvals.outward import CodeFacts, CodePicture
from signing_service.custody.ports import CustodyPort, HeldKey
from signing_service.custody.structures import PAPER_CODE
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.printing.claims import Claims, CodeKind
from signing_service.printing.issued_codes import find_payload, remember_code
from signing_service.printing.paper_code import CodeKey, KeyList, PaperCode, make_code, read_code
from signing_service.printing.symbol import draw_symbol
from signing_service.settings import Settings

LICENCES = "1.2.156."
"""How every licence identifier begins; all other subjects are case ids."""


class PaperCodes:
    """Every code that is made is kept, so that its short form finds it again."""

    def __init__(self, settings: Settings, custody: CustodyPort, clock: Clock, database: Database) -> None:
        self._custody, self._clock, self._database = custody, clock, database
        self.prefix = f"{settings.base_url}/c/"
        self.host = settings.base_url.partition("://")[2]

    def key_list(self) -> KeyList:
        """What a verifier needs, published now: every key that custody has had."""
        return KeyList(tuple(_code_key(held) for held in self._custody.service_keys(PAPER_CODE)), self._clock.now())

    def make(self, claims: Claims) -> PaperCode:
        """Sign and keep. Raises CodeKeyUnfit and custody's errors."""
        held = self._custody.service_keys(PAPER_CODE)[0]

        def sign(content: bytes) -> bytes:
            return self._custody.sign_service(PAPER_CODE, content, public_key=held.public_key)

        code = make_code(claims, _code_key(held), sign, self.prefix)
        with self._database.write() as session:
            remember_code(session, code)
        return code

    def of_licence(self, draft: Draft) -> bytes:
        """SVG of the code that a licence carries before it is sealed."""
        now = self._clock.now().replace(microsecond=0)
        claims = Claims(CodeKind.LICENCE, draft.identifier, draft.type_key, draft.issued_on, now)
        return draw_symbol(self.make(claims)).svg

    def of_approval(self, facts: CodeFacts) -> CodePicture:
        """The code that an outward approval carries; it names the case, and the internal form by digest."""
        now = self._clock.now().replace(microsecond=0)
        claims = Claims(
            CodeKind.APPROVAL,
            facts.case_id,
            facts.matter,
            date.fromisoformat(facts.date),
            now,
            digest=bytes.fromhex(facts.binding),
        )
        code = self.make(claims)
        symbol = draw_symbol(code)
        return CodePicture(symbol.svg, symbol.side_mm, code.short_code, self.host)

    def of_copy(self, subject: str, document_type: str, digest: bytes, serial: str) -> PaperCode:
        """The code of one print copy: the sealed file's digest and the copy's serial."""
        now = self._clock.now().replace(microsecond=0)
        kind = CodeKind.LICENCE if subject.startswith(LICENCES) else CodeKind.APPROVAL
        return self.make(Claims(kind, subject, document_type, now.date(), now, digest=digest, copy_serial=serial))

    def verified(self, text: str) -> PaperCode:
        """A scanned code's text. Raises the refusals of `printing.paper_code.read_code`."""
        return read_code(text, self.key_list(), self.prefix, now=self._clock.now())

    def payload_of(self, short_code: str) -> str:
        """What a typed short code stands for. Raises ShortCodeMistyped, ShortCodeUnknown."""
        with self._database.read() as session:
            return find_payload(session, short_code)

    def published(self) -> Mapping[str, Any]:
        """The key list as browsers and trust files take it, with the address that codes begin with."""
        return {**self.key_list().as_json(), "prefix": self.prefix}

    def read(self, text: str) -> lookup.CodeFacts:
        """The same, in the shape that the registry asks for."""
        code = self.verified(text)
        claims = code.claims
        details = {
            "kind": claims.kind.name.lower(), "type": claims.document_type, "dated": claims.dated.isoformat(),
            "issued_at": claims.issued_at.isoformat(), "digest": claims.digest.hex(), "copy_serial": claims.copy_serial,
            "short_code": code.short_code,
        }  # fmt: skip
        return lookup.CodeFacts(claims.subject, details)


def _code_key(held: HeldKey) -> CodeKey:
    begin = x509.load_der_x509_certificate(held.certificate).not_valid_before_utc
    return CodeKey.from_der(held.public_key, begin, held.until)
