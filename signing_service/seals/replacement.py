"""A new seal takes an old one's place (换发): the old one stops and the new one begins at the same instant."""

from __future__ import annotations

from signing_service.pki.rules import Actor
from signing_service.seals.register import SealApplicationRefused, SealRegister
from signing_service.seals.rules import Why
from signing_service.seals.seal_tables import SealRow


def replace_seal(register: SealRegister, old_id: str, new_id: str, actor: Actor, why: Why) -> tuple[SealRow, SealRow]:
    """Old -> replaced, new (made and filed, of the same owner) -> active, both from the same instant or neither.

    Raises SealUnknown, SealApplicationRefused, SealMoveNotAllowed.
    """
    effective = why.effective_from or register.clock.now()
    both = Why(why.reason, why.legal_basis, effective)
    with register.logged("replace", old_id, actor) as session:
        old, new = (register.find(session, seal_id, lock=True) for seal_id in (old_id, new_id))
        _check(old, new)
        register.move(session, old, "replace", actor, both)
        register.move(session, new, "activate", actor, both)
        new.replaces = old.id
    return old, new


def _check(old: SealRow, new: SealRow) -> None:
    if old.id == new.id or old.owner_code != new.owner_code or old.kind != new.kind:
        raise SealApplicationRefused(
            "换发的新印章须与旧印章同一机构、同一种类;机构变更请办理承接。",
            "The new seal must be of the same owner and kind; a change of bodies is a succession.",
        )
    if new.replaces not in (None, old.id):
        raise SealApplicationRefused(
            f"新印章申请时写明换发的是 {new.replaces}。", f"The new seal was applied for to replace {new.replaces}."
        )
