"""Succession of bodies: nothing is forgotten, nobody decides alone, and all moves on the day, at once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from signing_service.kernel.audit_log import AuditLog, entries_about
from signing_service.pki.rules import Actor
from signing_service.seals.picture import SealDesign
from signing_service.seals.register import Application, SealRegister
from signing_service.seals.rules import ADMINISTRATOR, Kind, State, Why
from signing_service.seals.structures import SealContent, make_seal
from signing_service.seals.succession import SuccessionBook, SuccessionPlan, SuccessionRefused

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST = Actor("seal-admin-1", frozenset({ADMINISTRATOR}))
SECOND = Actor("seal-admin-2", frozenset({ADMINISTRATOR}))


class Clock:
    def __init__(self):
        self.instant = NOW

    def now(self):
        return self.instant


@pytest.fixture
def register(database, holders):
    register = SealRegister(database, Clock(), AuditLog())
    maker = holders.Holder("示例制章单位")

    def add(seal_id, name, department, *, active):
        register.apply(
            Application(
                seal_id, Kind.STATUTORY, name, "11990000MB9900013U", department, ("holder",), SealDesign(name),
                NOW - DAY, NOW + 365 * DAY,
            ),
            FIRST,
        )  # fmt: skip
        register.change(seal_id, "approve", SECOND)
        content = SealContent(seal_id, 1, name, (maker.certificate,), NOW, NOW, NOW + DAY, b"\x89PNG", 42, 42)
        made = make_seal(content, maker=maker.certificate, algorithm_oid="1.2.840.10045.4.3.2", sign=maker.sign)
        register.make(seal_id, made, FIRST)
        register.change(seal_id, "file", FIRST, Why("", "备案 1"))
        if active:
            register.change(seal_id, "activate", FIRST)

    add("planning", "示例市规划局", "planning", active=True)
    add("land", "示例市国土资源局", "land", active=True)
    add("resources", "示例市自然资源局", "resources", active=False)
    return register


@pytest.fixture
def plan():
    return SuccessionPlan(
        ("planning", "land"), "resources", "示例政发〔2026〕9号", NOW + 7 * DAY, {"planning": "resources", "land": ""}
    )


def states(register, at):
    with register.database.read() as session:
        return [register.status(session, seal, at).state for seal in ("planning", "land", "resources")]


def test_a_dry_run_lists_every_move_and_changes_nothing(register, plan):
    steps = SuccessionBook(register).dry_run(plan)
    assert [(s.move, s.seal_id) for s in steps] == [
        ("cancel", "land"), ("replace", "planning"), ("activate", "resources"),
    ]  # fmt: skip
    assert states(register, NOW + 8 * DAY) == [State.ACTIVE, State.ACTIVE, State.FILED]


def test_on_the_day_the_old_stop_and_the_new_begins(register, plan):
    book = SuccessionBook(register)
    number = book.draft(plan, FIRST)
    book.review(number, SECOND)
    assert book.carry_out_due() == 0
    register.clock.instant = NOW + 7 * DAY + timedelta(hours=3)  # the job is late; the day is what counts
    assert book.carry_out_due() == 1
    assert book.carry_out_due() == 0
    assert states(register, NOW + 7 * DAY - timedelta(seconds=1)) == [State.ACTIVE, State.ACTIVE, State.FILED]
    assert states(register, NOW + 7 * DAY) == [State.REPLACED, State.CANCELLED, State.ACTIVE]
    with register.database.read() as session:
        kinds = [entry.kind for entry in entries_about(session, f"seal-succession:{number}")]
    assert kinds == ["seal.succession.draft", "seal.succession.review", "seal.succession.effective"]


@pytest.mark.parametrize(
    "change",
    [
        {"pairs": {"planning": "resources"}},
        {"pairs": {"planning": "resources", "land": "", "other": ""}},
        {"pairs": {"planning": "land", "land": ""}},
        {"legal_basis": " "},
        {"effective_from": NOW - DAY},
    ],
)
def test_an_incomplete_or_wrong_list_is_refused(register, plan, change):
    with pytest.raises(SuccessionRefused):
        SuccessionBook(register).draft(replace(plan, **change), FIRST)


def test_a_merger_puts_one_seal_in_the_place_of_several(register, plan):
    steps = SuccessionBook(register).dry_run(replace(plan, pairs={"planning": "resources", "land": "resources"}))
    assert [(s.move, s.seal_id) for s in steps] == [
        ("replace", "land"), ("replace", "planning"), ("activate", "resources"),
    ]  # fmt: skip


def test_nobody_decides_alone(register, plan):
    book = SuccessionBook(register)
    with pytest.raises(SuccessionRefused):
        book.draft(plan, Actor("路人"))
    number = book.draft(plan, FIRST)
    with pytest.raises(SuccessionRefused):
        book.review(number, FIRST)
    register.clock.instant = NOW + 8 * DAY
    assert book.carry_out_due() == 0


def test_an_event_whose_list_no_longer_fits_is_blocked_and_the_others_go_on(register, plan):
    book = SuccessionBook(register)
    blocked = book.draft(replace(plan, old_departments=("planning",), pairs={"planning": "resources"}), FIRST)
    good = book.draft(replace(plan, old_departments=("land",), pairs={"land": ""}), FIRST)
    for number in (blocked, good):
        book.review(number, SECOND)
    register.change("resources", "cancel", FIRST, Why("误制", "示例备案"))
    register.clock.instant = NOW + 8 * DAY
    assert book.carry_out_due() == 1
    assert book.carry_out_due() == 0
    rows = {row.id: row for row in book.all()}
    assert (rows[blocked].state, rows[good].state) == ("blocked", "effective")
    assert "resources" in rows[blocked].problem
    assert states(register, NOW + 8 * DAY)[:2] == [State.ACTIVE, State.CANCELLED]
    with pytest.raises(SuccessionRefused):
        book.review(blocked, SECOND)
    with register.database.read() as session:
        kinds = [entry.kind for entry in entries_about(session, f"seal-succession:{blocked}")]
    assert kinds[-1] == "seal.succession.blocked"


def test_a_run_killed_half_way_leaves_nothing_half_done(register, plan, monkeypatch):
    book = SuccessionBook(register)
    number = book.draft(plan, FIRST)
    book.review(number, SECOND)
    register.clock.instant = NOW + 7 * DAY
    real, moved = register.move, []

    def killed(session, row, name, actor, why=None):
        moved.append(row.id)
        if len(moved) == 2:
            raise KeyboardInterrupt
        real(session, row, name, actor, why)

    monkeypatch.setattr(register, "move", killed)
    with pytest.raises(KeyboardInterrupt):
        book.carry_out_due()
    assert states(register, NOW + 7 * DAY) == [State.ACTIVE, State.ACTIVE, State.FILED]
    monkeypatch.undo()
    assert book.carry_out_due() == 1
    assert states(register, NOW + 7 * DAY) == [State.REPLACED, State.CANCELLED, State.ACTIVE]
