"""Who may grant what to whom. Pure: values in, GrantRefused or nothing out.

1. The first grants come from one logged bootstrap, which names at least two seal administrators.
2. After it a grant is proposed by one seal administrator and confirmed by another.
3. Nobody proposes or confirms a grant to himself.
4. No one audits oneself: an auditor has no other role, and nobody with another role becomes auditor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from signing_service.errors import Text
from signing_service.people.errors import GrantRefused, RoleMissing


class Role(StrEnum):
    CLERK = "clerk"
    REVIEWER = "reviewer"
    SEAL_ADMINISTRATOR = "seal_administrator"
    SEAL_HOLDER = "seal_holder"
    PKI_OPERATOR = "pki_operator"
    AUDITOR = "auditor"
    LICENCE_CLERK = "licence_clerk"


ROLE_NAMES: Mapping[Role, Text] = {
    Role.CLERK: Text("窗口人员", "clerk"),
    Role.REVIEWER: Text("审批员", "reviewer"),
    Role.SEAL_ADMINISTRATOR: Text("印章管理员", "seal administrator"),
    Role.SEAL_HOLDER: Text("用印人", "seal holder"),
    Role.PKI_OPERATOR: Text("证书操作员", "PKI operator"),
    Role.AUDITOR: Text("监察员", "auditor"),
    Role.LICENCE_CLERK: Text("证照管理员", "licence clerk"),
}


class GrantState(StrEnum):
    PROPOSED = "proposed"
    ACTIVE = "active"
    REFUSED = "refused"
    ENDED = "ended"


GRANT_MOVES: Mapping[str, tuple[GrantState, GrantState]] = {
    "confirm": (GrantState.PROPOSED, GrantState.ACTIVE),
    "refuse": (GrantState.PROPOSED, GrantState.REFUSED),
    "end": (GrantState.ACTIVE, GrantState.ENDED),
}


def require_role(held: Collection[Role], *wanted: Role) -> None:
    """Raises RoleMissing unless one of the wanted roles is held."""
    if not set(held) & set(wanted):
        names = [ROLE_NAMES[role] for role in wanted]
        raise RoleMissing(Text("、".join(n.zh for n in names), " or ".join(n.en for n in names)))


def check_bootstrap(grants: Collection[tuple[str, Role]], *, any_grant_before: bool) -> None:
    """Rule 1."""
    if any_grant_before:
        raise GrantRefused(Text("初始授权只能办理一次。", "The bootstrap can be done only once."))
    administrators = {officer for officer, role in grants if role is Role.SEAL_ADMINISTRATOR}
    if len(administrators) < 2:
        raise GrantRefused(Text("初始授权须有两名印章管理员。", "The bootstrap must name two seal administrators."))
    for officer, role in grants:
        check_separation(role, {other for who, other in grants if who == officer})


def check_proposal(role: Role, officer: str, proposer: str, proposer_roles: Collection[Role]) -> None:
    """Rules 2 and 3 for the first person."""
    require_role(proposer_roles, Role.SEAL_ADMINISTRATOR)
    if proposer == officer:
        raise GrantRefused(Text(f"不能为自己申请角色 {role}。", f"Nobody proposes a role ({role}) for himself."))


def check_decision(officer: str, proposer: str, decider: str, decider_roles: Collection[Role]) -> None:
    """Rules 2 and 3 for the second person."""
    require_role(decider_roles, Role.SEAL_ADMINISTRATOR)
    if decider == proposer:
        raise GrantRefused(Text("须由另一人确认。", "Another person than the proposer must confirm."))
    if decider == officer:
        raise GrantRefused(Text("不能确认给自己的授权。", "Nobody confirms a grant to himself."))


def check_separation(role: Role, held: Collection[Role]) -> None:
    """Rule 4; `held` are the roles that the officer has or is to have, with or without `role`."""
    others = set(held) - {role}
    if (role is Role.AUDITOR and others) or (role is not Role.AUDITOR and Role.AUDITOR in others):
        raise GrantRefused(Text("监察员不得兼任其他角色。", "An auditor has no other role: no one audits oneself."))


def next_state(move: str, now: str) -> GrantState:
    """The state after a move. Raises GrantRefused when the grant is not where the move begins."""
    before, after = GRANT_MOVES[move]
    if now != before:
        raise GrantRefused(
            Text(f"该授权当前状态为 {now},不能办理。", f"The grant is {now}; this cannot be done to it.")
        )
    return after
