"""Renewing a document's archive timestamp: first the validation data of the timestamps that carry it now, then a new
timestamp over all of it (EN 319 142-1, 5.4.3 and 6.3 B-LTA)."""

from __future__ import annotations

from collections.abc import Sequence

from signing_service.pades.cms import token_certificates
from signing_service.pades.growing_file import MemoryFile
from signing_service.pades.ports import Evidence, RevocationSource, Timestamper
from signing_service.pades.revisions import security_store_update
from signing_service.pades.sign import add_archive_timestamp
from signing_service.pades.validation_data import merged, timestamp_chain


def renewed(pdf: bytes, tokens: Sequence[bytes], timestamper: Timestamper, revocation: RevocationSource) -> bytes:
    """The file with one more revision or two; it begins with exactly the bytes of `pdf`. `tokens`: the timestamps that
    carry it (DER). Raises PadesError and what the two sources raise."""
    chains = [timestamp_chain(tuple(token_certificates(token))) for token in tokens]
    parts = [part for chain in chains if chain for part in (Evidence(certificates=chain), revocation.evidence(chain))]
    file = MemoryFile(pdf)
    if parts:
        file.append(security_store_update(file, merged(parts)))
    return add_archive_timestamp(bytes(file.buffer), timestamper)
