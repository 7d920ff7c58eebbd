"""GB/T 36904 identifiers and their check character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cert_registry.licences.errors import BadCheckCharacter, IdentifierMalformed
from cert_registry.licences.identifiers import ALPHABET, LicenceIdentifier, check_character, new_serial

PUBLIC_EXAMPLES = [
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
    "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9",
    "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
    "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
]


@pytest.mark.parametrize("text", PUBLIC_EXAMPLES)
def test_public_examples_verify_and_are_written_back_the_same(text: str) -> None:
    assert str(LicenceIdentifier.parse(text)) == text


@pytest.mark.parametrize("text", PUBLIC_EXAMPLES)
def test_every_other_check_character_is_reported(text: str) -> None:
    for wrong in set(ALPHABET) - {text[-1]}:
        with pytest.raises(BadCheckCharacter) as caught:
            LicenceIdentifier.parse(text[:-1] + wrong)
        assert caught.value.expected == text[-1]
        assert caught.value.code == "bad_check_character"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.2.156.3005.2",
        "1.2.156.3005.2.11100000000013338W011.11430000006122244L.2023-0403.001.U",
        "1.2.156.3005.3.11100000000013338W011.11430000006122244L.20230000403.001.U",
        "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.1.U",
        "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U.U",
        "1" * 500,
    ],
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(IdentifierMalformed):
        LicenceIdentifier.parse(text)


def test_full_width_signs_spaces_and_lower_case_are_forgiven() -> None:
    typed = " 1.2.156.3005.2.11100000mb03271699022.340100.000000016.001.9\n"
    assert str(LicenceIdentifier.parse(typed)) == PUBLIC_EXAMPLES[1]


@given(st.text(ALPHABET, min_size=1, max_size=60), st.data())
def test_one_wrong_character_never_passes(body: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.sampled_from(sorted(set(ALPHABET) - {body[place]})))
    assert check_character(body) != check_character(body[:place] + other + body[place + 1 :])


@given(st.text(max_size=140))
def test_no_text_crashes_the_reader(text: str) -> None:
    with pytest.raises((IdentifierMalformed, BadCheckCharacter)):
        LicenceIdentifier.parse(text)


def test_next_version_keeps_the_rest_and_has_its_own_check() -> None:
    first = LicenceIdentifier.parse(PUBLIC_EXAMPLES[0])
    second = first.next_version()
    assert (second.type_code, second.issuer, second.serial, second.version) == (*_rest(first), 2)
    assert LicenceIdentifier.parse(str(second)) == second


def test_serials_are_random_and_of_the_alphabet() -> None:
    drawn = {new_serial() for _ in range(200)}
    assert len(drawn) == 200
    assert all(len(serial) == 20 and set(serial) <= set(ALPHABET) for serial in drawn)


def _rest(identifier: LicenceIdentifier) -> tuple[str, str, str]:
    return identifier.type_code, identifier.issuer, identifier.serial
