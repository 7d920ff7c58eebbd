"""What callers are shown of a licence: plain JSON, cut to what sharing allowed, with standing in words."""

from __future__ import annotations

from typing import Any

from cert_registry.errors import Language
from cert_registry.licences.catalogue import LicenceType
from cert_registry.licences.holders import KINDS
from cert_registry.licences.lifecycle import OPERATIONS
from cert_registry.licences.metadata import elements
from cert_registry.licences.register import Licence
from cert_registry.licences.standing import Standing
from cert_registry.licences.status_list import place_of
from cert_registry.sharing.access import Access


def summary_view(
    licence: Licence, kind: LicenceType, now: Standing, competent: str, language: Language
) -> dict[str, Any]:
    """What verifying shows: nothing of the holder, nothing of the content."""
    return {
        "identifier": licence.identifier,
        "type": kind.key,
        "type_code": kind.code,
        "type_name": kind.name.in_(language),
        "number": licence.number,
        "version": licence.version,
        "issuer_code": licence.issuer_code,
        "issuer_name": licence.issuer_name,
        "competent_body": competent or licence.issuer_name,
        "issued_on": licence.issued_on.isoformat(),
        "valid_from": licence.valid_from.isoformat(),
        "valid_until": None if licence.valid_until is None else licence.valid_until.isoformat(),
        "status": now.status,
        "status_text": now.status_text.in_(language),
        "status_since": None if now.since is None else now.since.isoformat(),
        "sha256": licence.digest,
        "status_list": dict(zip(("list", "idx"), place_of(licence), strict=True)),
    }


def standing_view(now: Standing, language: Language) -> dict[str, Any]:
    return {"usable_now": now.usable_now, "reason": now.reason, "summary": now.sentence.in_(language)}


def full_view(
    licence: Licence, kind: LicenceType, now: Standing, competent: str, language: Language, access: Access
) -> dict[str, Any]:
    """What reading shows: holders with masked numbers, the granted fields, the metadata of GB/T 36903."""
    shown = {field.name: licence.fields.get(field.name) for field in kind.fields if access.shows(field.name)}
    labels = {field.name: field.label.in_(language) for field in kind.fields if field.name in shown}
    return {
        **summary_view(licence, kind, now, competent, language),
        **standing_view(now, language),
        "replaces": licence.replaces or None,
        "matter": {"code": licence.matter_code, "name": licence.matter_name},
        "holders": [
            {
                "name": holder.name,
                "code": holder.code_shown,
                "code_type": holder.code_type,
                "code_kind": KINDS[holder.code_type].in_(language),
            }
            for holder in licence.holders
        ],
        "fields": shown,
        "labels": labels,
        "metadata": elements(licence, kind),
    }


def history_view(licence: Licence, language: Language) -> list[dict[str, Any]]:
    """Every recorded operation, in the order of recording. Reasons and legal bases are public acts."""
    return [
        {
            "entry": row.id,
            "operation": row.operation,
            "operation_name": OPERATIONS[row.operation].text.in_(language),
            "effective_from": row.effective_from.isoformat(),
            "recorded_at": row.recorded_at.isoformat(),
            "voids": row.voids,
            "reason": row.reason,
            "legal_basis": row.legal_basis,
            "department": row.department,
        }
        for row in licence.operations
    ]
