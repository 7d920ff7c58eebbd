"""Types are data: the six that ship, one of an operator's own, and what is wrong with a bad file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cert_registry.licences.catalogue import SHIPPED, Catalogue
from cert_registry.licences.content import checked_fields, known_fields
from cert_registry.licences.errors import CatalogueInvalid, FieldsInvalid, UnknownLicenceType
from cert_registry.licences.holders import is_uscc

SIX = {"营业执照", "建筑工程施工许可证", "不动产权证书", "食品经营许可证", "道路运输经营许可证", "批复"}


def test_the_six_types_ship(catalogue: Catalogue) -> None:
    assert {kind.name.zh for kind in catalogue} == SIX
    for kind in catalogue:
        assert is_uscc(kind.definer.code)
        assert catalogue.get(kind.code) is catalogue.get(kind.key) is kind


def test_a_type_of_the_operators_own_needs_data_and_a_layout_only(tmp_path: Path) -> None:
    (tmp_path / "types").mkdir()
    (tmp_path / "layouts").mkdir()
    text = (SHIPPED / "types" / "food-licence.yaml").read_text(encoding="utf-8")
    (tmp_path / "types" / "kiosk.yaml").write_text(text.replace("430001", "430002"), encoding="utf-8")
    shutil.copy(SHIPPED / "layouts" / "food-licence.typ", tmp_path / "layouts")
    assert len(list(Catalogue.load(SHIPPED, tmp_path))) == 7
    assert Catalogue.load(tmp_path).get("kiosk").code.endswith("002")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("kind: choice, choices", "kind: colour, choices", "business_form"),
        ("code: 11990000MB00000430001", "code: 123", "code"),
        ("holder_category: any", "holder_category: nobody", "holder_category"),
        ("layout: food-licence.typ", "layout: none.typ", "none.typ"),
        ("fields:", "fieldz:", "fields"),
        ("name:", "name: [", ""),
    ],
)
def test_a_bad_type_file_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    shutil.copytree(SHIPPED / "types", tmp_path / "types")
    shutil.copytree(SHIPPED / "layouts", tmp_path / "layouts")
    path = tmp_path / "types" / "food-licence.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogueInvalid, match=r"food-licence\.yaml") as caught:
        Catalogue.load(tmp_path)
    assert named in caught.value.explain("zh")


def test_two_types_with_one_code_are_refused(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "types", tmp_path / "types")
    shutil.copytree(SHIPPED / "layouts", tmp_path / "layouts")
    shutil.copy(tmp_path / "types" / "food-licence.yaml", tmp_path / "types" / "second.yaml")
    with pytest.raises(CatalogueInvalid, match="already used"):
        Catalogue.load(tmp_path)


def test_an_unknown_type_is_named(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownLicenceType, match="fishing"):
        catalogue.get("fishing")


def test_every_wrong_field_is_named_at_once(catalogue: Catalogue) -> None:
    kind = catalogue.get("business-licence")
    given = {"enterprise_type": 3, "legal_representative": "x" * 501, "established_on": "2026-02-30", "colour": "red"}
    with pytest.raises(FieldsInvalid) as caught:
        checked_fields(kind, given)
    assert set(caught.value.problems) == {*given, "business_scope", "address"}


def test_lists_numbers_and_choices_are_checked(catalogue: Catalogue) -> None:
    food, permit = catalogue.get("food-licence"), catalogue.get("construction-permit")
    with pytest.raises(FieldsInvalid) as caught:
        checked_fields(food, {"legal_representative": "甲", "place": "乙", "business_form": "丙", "items": "丁"})
    assert set(caught.value.problems) == {"business_form", "items"}
    with pytest.raises(FieldsInvalid) as caught:
        checked_fields(permit, {"contract_price": "NaN"})
    assert "contract_price" in caught.value.problems


def test_known_fields_drops_what_the_type_has_not(catalogue: Catalogue) -> None:
    assert known_fields(catalogue.get("approval-reply"), {"content": "同意", "phone": "1"}) == {"content": "同意"}
