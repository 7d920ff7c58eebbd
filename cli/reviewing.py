"""A reviewer's step: the file is prepared, looked through and signed with the USB key, completed and stamped."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from hardware.ports import Token
from signing_service.agent.page_images import find_spot
from signing_service.agent.review import Expected, review
from signing_service.agent.sign import sign_prepared
from signing_service.agent.token_pairs import signing_pair
from signing_service.kernel.clock import in_words, local
from signing_service.pades.appearance import TextAppearance
from signing_service.pades.placing import AnyPlacing
from signing_service.pades.ports import Timestamper
from signing_service.pades.request import Level, SignatureRequest
from signing_service.pades.sign import complete, prepare


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the visible field shows of a step: who, of which department, with which opinion, when."""

    name: str
    department: str
    text: str
    at: datetime

    def lines(self) -> tuple[str, ...]:
        return (f"{self.name}({self.department})", f"意见:{self.text}", in_words(self.at))


def sign_step(
    pdf: bytes, opinion: Opinion, placing: AnyPlacing, token: Token, chain: tuple[bytes, ...], timestamper: Timestamper
) -> bytes:
    """The file with one more visible B-T signature. The agent's own checks stand between preparing and signing.

    Raises PdfRefusal, PadesError, TokenError, the agent's refusals and the TSA's errors.
    """
    pair = signing_pair(token)
    request = SignatureRequest(
        field=f"Review-{secrets.token_hex(4)}",
        signed_at=local(opinion.at),
        appearance=TextAppearance(opinion.lines()),
        placing=placing,
        name=opinion.name,
        reason=opinion.text,
        level=Level.B_T,
    )
    prepared = prepare(pdf, request, pair.certificate, chain)
    spot = find_spot(prepared.document, prepared.field)
    review(prepared, pdf, Expected(pair.certificate, field=request.field, spot=spot))
    value = sign_prepared(prepared, token)
    stamp = timestamper.timestamp(hashlib.sha256(value).digest())
    return complete(prepared, value, certificate=pair.certificate, chain=chain, timestamp_token=stamp)
