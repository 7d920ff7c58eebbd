"""The sandbox's licence in every state, and licences taken over from an earlier registry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from cert_registry.licences.holder_vault import AesHolderVault
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.issue import Issuing
from cert_registry.licences.loading import CHUNK, Earlier, take_over
from cert_registry.licences.register import Licence, by_holder, by_identifier
from cert_registry.licences.samples import SAMPLES, made_samples, make_samples
from cert_registry.licences.standing import Standing
from cert_registry.licences.status_facts import standing_of
from signing_service.kernel.database import Database
from tests.cert_registry.world import BUREAU, CLERK, COMPANY, SetClock, paper_code, seal

STATUSES = {
    "valid": "valid", "suspended": "suspended", "returned": "valid", "cancelled": "cancelled", "revoked": "revoked",
    "withdrawn": "withdrawn", "forfeited": "forfeited", "transferred": "transferred_out", "expired": "expired",
    "future": "not_yet_valid", "replaced": "lapsed", "replacement": "valid", "absorbed": "lapsed", "absorbing": "valid",
}  # fmt: skip


def standings(issuing: Issuing) -> dict[str, Standing]:
    now = issuing.clock.now()
    with issuing.database.read() as session:
        names = {sample.name.en: sample.key for sample in SAMPLES}
        return {names[made.name.en]: standing_of(made.licence, now, now) for made in made_samples(session)}


def test_every_state_is_there_once_however_often_they_are_made(issuing: Issuing) -> None:
    assert make_samples(issuing, BUREAU, paper_code, seal) == len(SAMPLES)
    assert make_samples(issuing, BUREAU, paper_code, seal) == 0
    found = standings(issuing)
    assert {key: one.status for key, one in found.items()} == STATUSES
    assert {key for key, one in found.items() if one.usable_now == "yes"} == {
        "valid", "returned", "replacement", "absorbing",
    }  # fmt: skip


def earlier(issuing: Issuing, count: int) -> Iterator[Earlier]:
    code = issuing.catalogue.get("business-licence").code
    for place in range(count):
        name = LicenceIdentifier(code, BUREAU.code, f"{place:020}", 1)
        yield Earlier(
            name, f"示{place}", BUREAU.name, (COMPANY,), {"address": "示例路"}, date(2026, 1, 2), None, f"{place:064x}"
        )


def test_what_an_earlier_registry_issued_is_taken_over_in_chunks(
    issuing: Issuing, vault: AesHolderVault, clock: SetClock, database: Database
) -> None:
    steps = list(take_over(database, vault, earlier(issuing, CHUNK + 5), CLERK, clock.now()))
    assert steps == [CHUNK, CHUNK + 5]
    with database.read() as session:
        code = issuing.catalogue.get("business-licence").code
        one = by_identifier(session, LicenceIdentifier(code, BUREAU.code, f"{7:020}", 1))
        assert (one.number, standing_of(one, clock.now(), clock.now()).usable_now) == ("示7", "yes")
        assert vault.open(one.holders[0].code_sealed, one.identifier) == COMPANY.code
        hashed = vault.lookups(COMPANY.code, COMPANY.code_type)
        assert len(by_holder(session, hashed, [code], 0, 5000)) == CHUNK + 5
    with pytest.raises(IntegrityError):
        list(take_over(database, vault, earlier(issuing, 1), CLERK, clock.now()))
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Licence)) == CHUNK + 5
