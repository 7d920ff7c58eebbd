import pytest
from sqlalchemy import select

from signing_service.kernel.audit_log import AuditEntry
from signing_service.people.departments import name_at
from signing_service.people.errors import AlreadyThere, CodeInvalid, GrantRefused, RoleMissing, Unknown
from signing_service.people.register import NewOfficer
from signing_service.people.rules import Role
from signing_service.people.social_credit_code import check_character, require_valid


def grant(people, officer, role, proposer="admin-1", decider="admin-2"):
    with people.database.write() as session:
        row = people.propose_grant(session, officer, role, "到岗", actor=proposer)
    with people.database.write() as session:
        people.decide_grant(session, row.id, confirm=True, actor=decider)


def roles(people, officer):
    with people.database.read() as session:
        return people.roles_of(session, officer)


def test_a_role_takes_two_administrators(people):
    with people.database.write() as session:
        people.propose_grant(session, "li", Role.REVIEWER, "到岗", actor="admin-1")
    assert roles(people, "li") == frozenset()
    grant(people, "li", Role.REVIEWER)
    assert roles(people, "li") == {Role.REVIEWER}


def test_the_proposer_cannot_confirm(people):
    with people.database.write() as session:
        row = people.propose_grant(session, "li", Role.REVIEWER, "", actor="admin-1")
    with pytest.raises(GrantRefused), people.logged("role.confirm", "admin-1", "officer:li") as session:
        people.decide_grant(session, row.id, confirm=True, actor="admin-1")
    assert roles(people, "li") == frozenset()
    with people.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.result == "refused")).one()
        assert (entry.kind, entry.actor, entry.reason) == ("role.confirm", "admin-1", "grant_refused")


def test_nobody_confirms_a_grant_to_himself(people):
    with people.database.write() as session:
        row = people.propose_grant(session, "admin-2", Role.SEAL_HOLDER, "", actor="admin-1")
    with pytest.raises(GrantRefused), people.database.write() as session:
        people.decide_grant(session, row.id, confirm=True, actor="admin-2")
    with pytest.raises(GrantRefused), people.database.write() as session:
        people.propose_grant(session, "admin-1", Role.SEAL_HOLDER, "", actor="admin-1")


def test_only_administrators_propose(people):
    with pytest.raises(RoleMissing), people.database.write() as session:
        people.propose_grant(session, "wang", Role.REVIEWER, "", actor="li")


def test_no_one_audits_oneself(people):
    grant(people, "li", Role.REVIEWER)
    with pytest.raises(GrantRefused):
        grant(people, "li", Role.AUDITOR)
    grant(people, "wang", Role.AUDITOR)
    with pytest.raises(GrantRefused):
        grant(people, "wang", Role.SEAL_HOLDER)


def test_two_proposals_cannot_get_around_the_separation(people):
    with people.database.write() as session:
        first = people.propose_grant(session, "li", Role.REVIEWER, "", actor="admin-1")
        second = people.propose_grant(session, "li", Role.AUDITOR, "", actor="admin-1")
        people.decide_grant(session, first.id, confirm=True, actor="admin-2")
    with pytest.raises(GrantRefused), people.database.write() as session:
        people.decide_grant(session, second.id, confirm=True, actor="admin-2")


def test_the_bootstrap_works_once(people):
    grants = [("li", Role.SEAL_ADMINISTRATOR), ("wang", Role.SEAL_ADMINISTRATOR)]
    with pytest.raises(GrantRefused), people.database.write() as session:
        people.bootstrap(session, grants)


def test_a_grant_is_decided_once_and_ends(people):
    with people.database.write() as session:
        row = people.propose_grant(session, "li", Role.REVIEWER, "", actor="admin-1")
        people.decide_grant(session, row.id, confirm=True, actor="admin-2")
    with pytest.raises(GrantRefused), people.database.write() as session:
        people.decide_grant(session, row.id, confirm=False, actor="admin-2")
    with people.database.write() as session:
        people.end_grant(session, row.id, "调岗", actor="admin-1")
    assert roles(people, "li") == frozenset()


def test_who_leaves_has_neither_roles_nor_certificates(people):
    grant(people, "li", Role.REVIEWER)
    with people.database.write() as session:
        people.bind_certificate(session, "li", b"a certificate")
        assert people.officer_of(session, b"a certificate", "signing").id == "li"
        assert people.officer_of(session, b"a certificate", "authentication") is None
        people.remove_officer(session, "li", "退休", actor="admin-1")
    with people.database.read() as session:
        assert people.roles_of(session, "li") == frozenset()
        assert people.officer_of(session, b"a certificate", "signing") is None
        assert people.officers_with(session, Role.REVIEWER) == []


def test_a_certificate_stands_for_one_officer(people):
    with people.database.write() as session:
        people.bind_certificate(session, "li", b"a certificate")
    with pytest.raises(AlreadyThere), people.database.write() as session:
        people.bind_certificate(session, "wang", b"a certificate")


def test_former_names_stay_known(people, clock):
    before = clock.now()
    clock.advance(days=30)
    with people.database.write() as session:
        people.rename_department(session, "approvals", "示例市政务服务局", "示例市机构改革方案", actor="admin-1")
    with people.database.read() as session:
        assert name_at(session, "approvals", before) == "示例市行政审批局"
        assert name_at(session, "approvals", clock.now()) == "示例市政务服务局"
        assert people.department(session, "approvals").name == "示例市政务服务局"


def test_every_change_is_logged_in_its_transaction(people):
    def add_and_fail():
        with people.database.write() as session:
            people.add_officer(session, NewOfficer("lost", "某人", "approvals"))
            people.officer(session, "nobody")

    with pytest.raises(Unknown):
        add_and_fail()
    with people.database.read() as session:
        subjects = set(session.scalars(select(AuditEntry.subject)))
    assert "officer:li" in subjects
    assert "officer:lost" not in subjects


def test_unknown_officers_and_departments_are_named(people):
    with pytest.raises(Unknown, match="nobody"), people.database.write() as session:
        people.propose_grant(session, "nobody", Role.REVIEWER, "", actor="admin-1")
    with pytest.raises(Unknown, match="nowhere"), people.database.write() as session:
        people.add_officer(session, NewOfficer("x", "某", "nowhere"))


@pytest.mark.parametrize("code", ["11990000MB9900013U", "11990000MB9900021N", "91990000MA990001X2"])
def test_codes_of_the_example_city_pass(code):
    assert require_valid(code) == code
    assert check_character(code[:17]) == code[17]


@pytest.mark.parametrize(
    "code", ["11990000MB9900013V", "11990000MB99000139", "11990000MB9900023U", "", "11990000mb9900013u", "1199IOSV"]
)
def test_wrong_codes_are_refused(people, code):
    with pytest.raises(CodeInvalid), people.database.write() as session:
        people.add_department(session, "other", "示例", code)
