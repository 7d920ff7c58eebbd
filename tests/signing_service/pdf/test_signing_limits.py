"""What earlier signatures forbid, as pure rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing_service.pdf.errors import EarlierSignatureWouldBreak
from signing_service.pdf.signing_limits import EarlierSignature, last_signer_conflict, refuse_breaking


def earlier(**values: object) -> EarlierSignature:
    given_values = {"certifies": False, "permission": None, "lock": None, "locked_fields": frozenset(), **values}
    return EarlierSignature(field="甲", **given_values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "signature",
    [
        earlier(permission=1, certifies=True),
        earlier(permission=1),
        earlier(lock="All"),
        earlier(lock="Include", locked_fields=frozenset({"乙"})),
        earlier(lock="Include", locked_fields=frozenset({"表"}), permission=2),
        earlier(lock="Exclude", locked_fields=frozenset({"丙"})),
    ],
)
def test_a_lock_refuses_the_next_signature_and_names_its_field(signature: EarlierSignature) -> None:
    name = "表.乙" if "表" in signature.locked_fields else "乙"
    with pytest.raises(EarlierSignatureWouldBreak, match="甲") as refused:
        refuse_breaking([signature], name, certify=False)
    assert refused.value.code == "earlier_signature_would_break"


@pytest.mark.parametrize(
    "signature",
    [
        earlier(),
        earlier(permission=2, certifies=True),
        earlier(permission=3, certifies=True),
        earlier(lock="Include", locked_fields=frozenset({"丙", "乙方"})),
        earlier(lock="Exclude", locked_fields=frozenset({"乙"})),
    ],
)
def test_what_is_permitted_passes(signature: EarlierSignature) -> None:
    refuse_breaking([signature], "乙", certify=False)


def test_certifying_has_to_come_first() -> None:
    with pytest.raises(EarlierSignatureWouldBreak):
        refuse_breaking([earlier()], "乙", certify=True)
    refuse_breaking([], "乙", certify=True)


@given(st.lists(st.sampled_from([None, 1, 2, 3]), max_size=6))
def test_only_the_last_signer_may_forbid_everything(permissions: list[int | None]) -> None:
    conflict = last_signer_conflict(permissions)
    assert (conflict is None) == (1 not in permissions[:-1])
    if conflict is not None:
        assert permissions[conflict] == 1
