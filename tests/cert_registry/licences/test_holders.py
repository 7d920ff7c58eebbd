"""GB 32100, GB 11643, masking, and the vault."""

from __future__ import annotations

import pytest

from cert_registry.licences.errors import HolderCodeInvalid, HolderCodeUnreadable
from cert_registry.licences.holder_vault import AesHolderVault
from cert_registry.licences.holders import Holder, checked, is_resident_number, is_uscc, masked

PUBLIC_VALID = [
    "914403001922038216", "9144030071526726XG", "91440300708461136T", "11100000000013338W", "11220000013544541J",
    "11430000006122244L", "11100000MB03271699",
]  # fmt: skip


@pytest.mark.parametrize("code", PUBLIC_VALID)
def test_public_codes_are_valid(code: str) -> None:
    assert is_uscc(code)


@pytest.mark.parametrize(
    "code", ["91350100M000100Y4Z", "91310115MA1G4L1WXK", "91350100M000100Y4", "9135010OM000100Y43"]
)
def test_wrong_codes_are_not(code: str) -> None:
    assert not is_uscc(code)


def test_the_worked_example() -> None:
    assert is_uscc("91350100M000100Y43")


def test_thirty_one_counts_as_zero() -> None:
    body = next(f"9199010000000{n:04}" for n in range(10000) if _sum_is_zero(f"9199010000000{n:04}"))
    assert is_uscc(body + "0")


@pytest.mark.parametrize("code", ["34052419800101001X", "11010519491231002X"])
def test_sample_bodies_of_the_resident_number_standard(code: str) -> None:
    assert is_resident_number(code)


@pytest.mark.parametrize("code", ["34052419800101001x", "340524198001010019", "34052419800230001X", "3405241980010100"])
def test_wrong_resident_numbers(code: str) -> None:
    assert not is_resident_number(code)


def test_checked_gives_the_normal_form() -> None:
    assert checked(Holder("甲", " 9144030071526726xg ")).code == "9144030071526726XG"
    assert checked(Holder("乙", "34052419800101001x", "111")).code == "34052419800101001X"


@pytest.mark.parametrize(
    "holder",
    [
        Holder("甲", "91350100M000100Y4Z"),
        Holder("甲", "340524198001010019", "111"),
        Holder("甲", "X1", "777"),
        Holder("", "X1", "414"),
        Holder("甲", "", "414"),
    ],
)
def test_a_wrong_holder_is_refused_and_the_number_is_not_repeated(holder: Holder) -> None:
    with pytest.raises(HolderCodeInvalid) as caught:
        checked(holder)
    assert not holder.code or holder.code not in caught.value.explain("zh") + caught.value.explain("en")


def test_persons_are_masked_organisations_are_not() -> None:
    assert masked("34052419800101001X", "111") == "34**************1X"
    assert masked("E1234", "414") == "E***4"
    assert masked("91440300708461136T", "001") == "91440300708461136T"
    assert "34052419800101001X" not in repr(Holder("甲", "34052419800101001X", "111"))


def test_the_vault_opens_what_it_sealed_for_the_same_licence_only() -> None:
    vault = AesHolderVault({1: b"k" * 32})
    sealed = vault.seal("34052419800101001X", "licence-1")
    assert b"34052419800101001X" not in sealed
    assert vault.open(sealed, "licence-1") == "34052419800101001X"
    assert vault.seal("34052419800101001X", "licence-1") != sealed
    for other, bound_to in ((vault, "licence-2"), (AesHolderVault({1: b"l" * 32}), "licence-1")):
        with pytest.raises(HolderCodeUnreadable):
            other.open(sealed, bound_to)
    with pytest.raises(HolderCodeUnreadable):
        vault.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "licence-1")


def test_look_up_hashes_depend_on_the_key_and_the_kind() -> None:
    vault, other = AesHolderVault({1: b"k" * 32}), AesHolderVault({1: b"l" * 32})
    assert vault.lookup("1", "111") == vault.lookup("1", "111")
    assert len({vault.lookup("1", "111"), vault.lookup("1", "414"), other.lookup("1", "111")}) == 3


def _sum_is_zero(body: str) -> bool:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    return sum(alphabet.index(sign) * 3**place for place, sign in enumerate(body)) % 31 == 0
