"""What the seals' pages call things, and which acts they offer to whom."""

from __future__ import annotations

from collections.abc import Mapping

from signing_service.errors import Text
from signing_service.people.sessions import LoggedIn
from signing_service.seals.rules import MOVES, State
from signing_service.seals.seal_tables import SealRow

MOVE_NAMES: Mapping[str, Text] = {
    "apply": Text("申请", "apply"),
    "approve": Text("批准", "approve"),
    "refuse": Text("不予批准", "refuse"),
    "make": Text("制作", "make"),
    "file": Text("备案", "file"),
    "activate": Text("启用", "activate"),
    "suspend": Text("停用", "suspend"),
    "resume": Text("恢复使用", "resume"),
    "replace": Text("换发", "replace"),
    "cancel": Text("注销", "cancel"),
    "void": Text("认定自始无效", "declare void"),
}
MOVE_EFFECTS: Mapping[str, Text] = {
    "approve": Text("批准后即可在保管主机上制作。", "It can then be made on custody's machine."),
    "refuse": Text("申请终止,如需用印须重新申请。", "The application ends; a new one is needed."),
    "file": Text("记录备案号。", "The filing number goes on record."),
    "activate": Text("从现在起,该印章可以按持有人的授权盖章。", "From now on it seals what its holder authorises."),
    "suspend": Text(
        "立即停止用印,密钥保管进程同时停用;已签名未放行的文件会被扣下。",
        "Sealing stops at once, in custody too; files signed but not yet released are kept in.",
    ),
    "resume": Text("重新可以盖章;停用期间扣下的文件不会放行。", "It seals again; what was kept in stays in."),
    "cancel": Text("印章永久终止。以前盖章的文件仍按盖章时的状态核验。",
                   "It ends for good. Files sealed before are judged as of their sealing."),
    "void": Text("印章视为从未生效,用它盖过的全部文件都不能作为凭证。",
                 "It counts as never valid: no file sealed with it is proof of anything."),
}  # fmt: skip
FOR_GOOD = ("refuse", "cancel", "void")
FILTERS = (
    State.REQUESTED, State.APPROVED, State.MADE, State.FILED, State.ACTIVE, State.SUSPENDED, State.REPLACED,
    State.CANCELLED, State.VOID, State.REFUSED, State.EXPIRED,
)  # fmt: skip


def offered(who: LoggedIn, row: SealRow) -> list[str]:
    """The moves that this officer may try on the seal as its state is; the register decides."""
    roles, state = {role.value for role in who.roles}, State(row.state)
    return [
        move.name
        for move in MOVES.values()
        if state in move.before
        and (roles & move.roles or (move.holder_may and who.officer in row.holders))
        and not (move.second_person and who.officer == row.applicant)
    ]
