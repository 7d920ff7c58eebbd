"""The prepared file travels as JSON and bytes, and any change on the way is noticed."""

import hashlib
import json
from dataclasses import replace

import pytest

from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.pdf.prepared import PreparedAltered, PreparedSignature


@pytest.fixture
def prepared() -> PreparedSignature:
    front, back = b"%PDF-1.7 front /Contents ", b" back %%EOF\n"
    document = front + b"<" + b"0" * 20 + b">" + back
    digest = hashlib.sha256(front + back).digest()
    attributes = build_signed_attributes(digest, b"certificate")
    return PreparedSignature(document, (0, len(front), len(front) + 22, len(back)), digest, attributes, "签名1")


def test_the_digest_is_computed_from_the_bytes(prepared: PreparedSignature) -> None:
    prepared.check()
    assert prepared.recompute_digest() == prepared.digest
    assert prepared.room == 10


def test_it_survives_json_and_bytes(prepared: PreparedSignature) -> None:
    again = PreparedSignature.from_json(prepared.to_json(), prepared.document)
    assert again == prepared
    assert "签名1" in prepared.to_json()


def test_a_changed_document_is_refused(prepared: PreparedSignature) -> None:
    with pytest.raises(PreparedAltered):
        replace(prepared, document=prepared.document.replace(b"front", b"frond")).check()


def test_bytes_hidden_in_the_container_are_refused(prepared: PreparedSignature) -> None:
    filled = prepared.document.replace(b"<00000000", b"<41424344")
    with pytest.raises(PreparedAltered):
        replace(prepared, document=filled).check()


@pytest.mark.parametrize("change", [(1, 0, 0, 0), (0, -1, 0, 0), (0, 0, 1, -1), (0, 0, 0, -1), (0, 0, 0, 1)])
def test_a_byte_range_that_leaves_anything_out_is_refused(
    prepared: PreparedSignature, change: tuple[int, int, int, int]
) -> None:
    a, b, c, d = (x + y for x, y in zip(prepared.byte_range, change, strict=True))
    with pytest.raises(PreparedAltered):
        replace(prepared, byte_range=(a, b, c, d)).check()


def test_attributes_of_another_document_are_refused(prepared: PreparedSignature) -> None:
    foreign = build_signed_attributes(hashlib.sha256(b"another").digest(), b"certificate")
    with pytest.raises(PreparedAltered):
        replace(prepared, signed_attributes=foreign).check()


@pytest.mark.parametrize("broken", ["", "[]", "{}", '{"byte_range": [1], "digest": "", "field": ""}'])
def test_malformed_accompanying_data_is_refused(prepared: PreparedSignature, broken: str) -> None:
    with pytest.raises(PreparedAltered):
        PreparedSignature.from_json(broken, prepared.document)


def test_missing_attributes_are_refused(prepared: PreparedSignature) -> None:
    values = json.loads(prepared.to_json())
    del values["signed_attributes"]
    with pytest.raises(PreparedAltered):
        PreparedSignature.from_json(json.dumps(values), prepared.document)
