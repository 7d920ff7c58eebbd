"""Signing a frozen list: fetch, review, show everything, consent, one PIN, then document by document.

States are kept by the server, so that after a pulled key or a killed agent the rest of the list is simply offered
again. What was signed is written down here before it leaves, so that nothing is signed twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hardware.errors import ExplainedError, TokenError
from hardware.ports import Token
from signing_service.agent.connection import Connection
from signing_service.agent.errors import AgentRefusal, CertificateDiffers, ServerRefused, ServerUnreachable
from signing_service.agent.messages import FrozenList, ListedJob, encoded
from signing_service.agent.officer_key import OfficerKey, PinCancelled
from signing_service.agent.paired_servers import PairedServers
from signing_service.agent.protocol import WAIT_SECONDS, batch_code
from signing_service.agent.review import Expected, check_list, review
from signing_service.agent.sign import sign_with
from signing_service.agent.surface import ReviewedJob, Surface
from signing_service.agent.token_pairs import TokenPair, signing_pair
from signing_service.errors import Text
from signing_service.pdf.errors import PdfRefusal
from signing_service.pdf.prepared import PreparedSignature

OPEN_STATES = ("prepared", "shown", "leased")
SIGNED = Text("已签", "signed")


class WorkTable:
    """One paired server's work for one officer's key."""

    def __init__(
        self, connection: Connection, key: OfficerKey, surface: Surface, servers: PairedServers, server_name: str
    ) -> None:
        self._connection, self._key, self._surface = connection, key, surface
        self._servers, self._server_name = servers, server_name

    def next_list(self, *, wait: int = WAIT_SECONDS) -> str | None:
        """The id of a list that waits for this officer; asks for up to `wait` seconds. Raises ServerUnreachable."""
        found = self._connection.get(f"/agent/v1/work?wait={wait}").json()["batch"]
        return None if found is None else str(found)

    def sign_list(self, batch_id: str) -> int:
        """Work through one list; returns how many were signed.

        A document that does not pass the review is refused to the server by name and left out. Raises PinCancelled,
        TokenError (the rest stays open), OrderDiffers, ServerUnreachable.
        """
        frozen = self._fetch(batch_id)
        ready = [each for job in frozen.jobs if job.state in OPEN_STATES and (each := self._reviewed(job))]
        if not ready:
            return 0
        code, certificates = batch_code(frozen.entries), {each.job.certificate for each in ready}
        if len(certificates) != 1:
            raise CertificateDiffers("清单中有多张证书。", "The list names several certificates.")
        if not self._surface.show(self._server_name, frozen, code, ready, ready[0].job.certificate):
            raise PinCancelled
        check_list(frozen.entries, self._fetch(batch_id).entries)
        return self._key.use(self._surface, lambda token: self._sign_all(token, ready))

    def _fetch(self, batch_id: str) -> FrozenList:
        return FrozenList.from_json(self._connection.get(f"/agent/v1/batches/{batch_id}").json())

    def _reviewed(self, job: ListedJob) -> ReviewedJob | None:
        """The job with its document; None when it was refused, which is reported to server and officer."""
        try:
            document = self._connection.post(f"/agent/v1/jobs/{job.job}/document").body
            original = self._connection.get(f"/agent/v1/jobs/{job.job}/original").body
            prepared = PreparedSignature.from_json(job.prepared, document)
            expected = Expected(
                job.certificate, document=job.digest, field=job.field, spot=job.spot, texts=job.texts,
                signed_before=self._servers.signed(but_for=job.job),
            )  # fmt: skip
            review(prepared, original, expected)
        except ServerRefused as refusal:
            self._surface.tell(refusal.why or refusal.what)
            return None
        except (AgentRefusal, PdfRefusal) as refusal:
            if isinstance(refusal, ServerUnreachable):
                raise
            self._refuse(job, refusal)
            return None
        return ReviewedJob(job, document)

    def _sign_all(self, token: Token, ready: Sequence[ReviewedJob]) -> int:
        pair, signed = signing_pair(token, fingerprint=ready[0].job.certificate), 0
        for index, each in enumerate(ready):
            try:
                self._sign_one(pair, each)
            except TokenError:
                raise
            except ServerRefused as refusal:
                self._surface.progress(each.job, index + 1, len(ready), refusal.why or refusal.what)
            else:
                signed += 1
                self._surface.progress(each.job, index + 1, len(ready), SIGNED)
        return signed

    def _sign_one(self, pair: TokenPair, each: ReviewedJob) -> None:
        """Consent (a lease of two minutes), sign the bytes that were shown, write down, hand over."""
        path = f"/agent/v1/jobs/{each.job.job}"
        self._connection.post(f"{path}/consent")
        value = sign_with(PreparedSignature.from_json(each.job.prepared, each.document), pair)
        digest = hashlib.sha256(each.document).hexdigest()
        self._servers.note_signed(digest, each.job.job, taken=False)
        made = {"certificate": encoded(pair.certificate), "signature": encoded(value)}
        self._connection.post(f"{path}/signature", made)
        self._servers.note_signed(digest, each.job.job, taken=True)

    def _refuse(self, job: ListedJob, refusal: ExplainedError) -> None:
        text = [refusal.explain("zh"), refusal.explain("en")]
        self._surface.tell(Text(f"“{job.title}”:{text[0]}", f"“{job.title}”: {text[1]}"))
        self._connection.post(f"/agent/v1/jobs/{job.job}/refusal", {"code": refusal.code, "text": text})
