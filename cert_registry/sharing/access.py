"""May this department do this with that licence? Deny by default; rules only.

A department without any grant for a type gets the answer "not found", whether the licence exists or not. One that has a
grant for the type, but not this one, is told what is missing, again whether the licence exists or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.errors import LicenceNotFound

ANY = "*"


class Action(StrEnum):
    """What a department may want. `issue` and `operate` belong to the issuing body and are never granted."""

    VERIFY = "verify"
    READ = "read"
    FILE = "file"
    COPY = "copy"
    SEARCH = "search"
    EVENTS = "events"
    OPERATE = "operate"


NAMES = {
    Action.VERIFY: Text("核验", "verify"),
    Action.READ: Text("查看信息", "read"),
    Action.FILE: Text("下载文件", "download"),
    Action.COPY: Text("制作加注件", "make purpose-bound copies of"),
    Action.SEARCH: Text("检索", "search"),
    Action.EVENTS: Text("接收变动通知", "receive changes of"),
    Action.OPERATE: Text("办理变更", "operate on"),
}
GRANTABLE = frozenset(Action) - {Action.OPERATE}
_ROUTE = frozenset({Action.VERIFY, Action.READ, Action.FILE})


class Relation(StrEnum):
    """How the department stands to the licence: its own, in the route of its case, or neither."""

    OWN = "own"
    ROUTE = "route"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Grant:
    """`type_code`, `matters` and `fields` may hold ANY. `until` is the first instant at which it holds no more."""

    id: str
    department: str
    type_code: str
    actions: frozenset[Action]
    fields: frozenset[str]
    matters: frozenset[str]
    consent_needed: bool
    since: datetime
    until: datetime | None = None
    withdrawn_at: datetime | None = None

    def holds_at(self, at: datetime) -> bool:
        ended = [end for end in (self.until, self.withdrawn_at) if end is not None]
        return self.since <= at and all(at < end for end in ended)


@dataclass(frozen=True, slots=True)
class Need:
    action: Action
    type_code: str
    matter: str


@dataclass(frozen=True, slots=True)
class Access:
    """Allowed. `fields`: names of content fields that may be shown, or ANY among them. `grant` is empty for own.
    `consent`: the reference of the holder's consent that was shown, if any."""

    relation: Relation
    fields: frozenset[str]
    grant: str = ""
    consent: str = ""

    def shows(self, field: str) -> bool:
        return ANY in self.fields or field in self.fields


class NotVisible(LicenceNotFound):
    """The department has no grant at all for this type: the answer does not say whether the licence exists."""

    def __init__(self, need: Need, contact: Text) -> None:
        super().__init__()
        name = NAMES[need.action]
        self.why = Text(
            f"贵部门也没有为事项 {need.matter} {name.zh}该类型证照的授权。",
            f"Nor has your department a grant to {name.en} this type for matter {need.matter}.",
        )
        self.advice = Text(f"请检查编号;需要授权请向{contact.zh}申请。", f"Check it; for a grant ask {contact.en}.")


class GrantMissing(RegistryError):
    """The department has grants for this type, but none that covers what it asks."""

    code = "grant_missing"

    def __init__(self, need: Need, contact: Text) -> None:
        self.need = need
        name = NAMES[need.action]
        super().__init__(
            Text("贵部门没有这项授权。", "Your department has no grant for this."),
            why=Text(
                f"缺少:为事项 {need.matter} {name.zh}类型 {need.type_code} 的授权。",
                f"Missing: to {name.en} type {need.type_code} for matter {need.matter}.",
            ),
            advice=Text(f"请向{contact.zh}申请。", f"Ask {contact.en} for it."),
        )


class ConsentNeeded(RegistryError):
    """The grant asks for the holder's consent code, and none that is valid was given."""

    code = "consent_needed"

    def __init__(self) -> None:
        super().__init__(
            Text("需要持证人的授权码。", "The holder's consent code is needed."),
            why=Text("该授权要求持证人同意,而授权码缺少、不对或已过期。", "None was given, or it is wrong or expired."),
            advice=Text("请持证人在“我的证照”中生成授权码。", "Ask the holder to make one under “my licences”."),
        )


def decide(
    relation: Relation, grants: Sequence[Grant], need: Need, at: datetime, *, consented: bool, contact: Text
) -> Access:
    """The access, or a refusal: LicenceNotFound, GrantMissing, ConsentNeeded.

    `grants` are those of the department, for this type or ANY; `relation` is NONE where the licence does not exist.
    """
    if relation is Relation.OWN:
        return Access(relation, frozenset({ANY}))
    if relation is Relation.ROUTE and need.action in _ROUTE:
        return Access(relation, frozenset({ANY}))
    current = [grant for grant in grants if grant.holds_at(at) and grant.type_code in (need.type_code, ANY)]
    if not current:
        raise NotVisible(need, contact)
    fitting = [grant for grant in current if need.action in grant.actions and {need.matter, ANY} & grant.matters]
    if not fitting:
        raise GrantMissing(need, contact)
    free = [grant for grant in fitting if consented or not grant.consent_needed]
    if not free:
        raise ConsentNeeded
    fields = frozenset().union(*(grant.fields for grant in free))
    return Access(relation, fields, ",".join(sorted(grant.id for grant in free)))
