"""The typed Python client that /connect hands out: against a live server, and against the OpenAPI document."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cert_registry.licences.events import sequence
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.operations import Change, record
from cert_registry.sharing.access import GRANTABLE
from cert_registry.web.connect_pages import SAMPLES
from tests.cert_registry.web.conftest import CODE_PREFIX, Registry
from tests.cert_registry.web.live_server import CLIENT, serving, with_tokens
from tests.cert_registry.web.test_nginx import listening
from tests.cert_registry.world import CLERK, COMPANY, business

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PURPOSE = "受理施工许可"
ANSWERS = {
    "Verified": "Verified", "VerifiedFields": "VerifiedFields", "VerifiedCode": "VerifiedCode",
    "VerifiedFile": "VerifiedFile", "VerifiedBatch": "VerifiedBatch", "BatchItem": "BatchItem",
    "LicenceSummary": "LicenceSummary", "StatusPlace": "StatusPlace", "LogView": "LogView",
    "GrantsView": "GrantsView", "GrantView": "GrantView", "CopyView": "CopyView",
}  # fmt: skip
TYPES = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}


@pytest.fixture(scope="module")
def library() -> types.ModuleType:
    """The file as a department's programmer would import it."""
    spec = importlib.util.spec_from_file_location("zhengyin_client", SAMPLES / "zhengyin_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def client(registry: Registry, library: types.ModuleType) -> Iterator[Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    registry.clock.instant = datetime.now(UTC)
    registry.grant("housing", *GRANTABLE)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with listening() as (bound, base):
        parts = with_tokens(registry.parts, {"keys": [library.public_jwk(key.public_key())]}, base)
        with serving(parts, [bound]):
            yield library.Client(base, CLIENT, pem, "M1")


def test_every_call_against_a_live_server(registry: Registry, client: Any, library: types.ModuleType) -> None:
    done = registry.issue(business())
    name = done.identifier
    assert client.verify_identifier(name, PURPOSE)["usable_now"] == "yes"
    compared = client.verify_fields(name, {"legal_representative": "某人"}, PURPOSE, {"code": COMPANY.code})
    assert (compared["fields"], compared["holder"]) == ({"legal_representative": "mismatch"}, "match")
    assert client.verify_code(CODE_PREFIX + name, PURPOSE)["licence"]["number"] == done.number
    content = client.download(name, PURPOSE)
    assert client.verify_file(content, PURPOSE)["verdict"] == "passed"
    batch = client.verify_batch([name, name[:-1] + "*"], PURPOSE)
    assert [item["reason"] for item in batch["items"]] == ["passed", "identifier_malformed"]
    assert [found["identifier"] for found in client.search({"code": COMPANY.code}, PURPOSE)] == [name]
    assert client.read(name, PURPOSE)["fields"]["legal_representative"] == "张示例"
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    copy = client.make_copy(name, until, PURPOSE, key="case-0001")
    assert copy == client.make_copy(name, until, PURPOSE, key="case-0001")
    assert client.grants(PURPOSE)["items"][0]["active"] is True
    evidence = library.opened(
        client.verify_identifier(name, PURPOSE)["evidence"], registry.parts.certificates.evidence(),
        "zhengyin-evidence+jwt",
    )  # fmt: skip
    assert evidence["answer"]["licence"]["identifier"] == name
    with pytest.raises(library.Refused) as caught:
        client.verify_identifier(name[:-1] + ("A" if name[-1] != "A" else "B"), PURPOSE)
    assert (caught.value.status, caught.value.code) == (422, "bad_check_character")


def test_a_consumer_rebuilds_what_it_may_see_and_compares(registry: Registry, client: Any) -> None:
    for number in range(4):
        done = registry.issue(business(f"case-{number}"))
    with registry.parts.database.write() as session:
        change = Change("suspend", registry.clock.now(), "示例", "示例")
        record(session, LicenceIdentifier.parse(done.identifier), change, CLERK, registry.clock.now())
    sequence(registry.parts.database)
    last = {event["identifier"]: event["number"] for event in client.events(0, PURPOSE)}
    assert (len(last), max(last.values())) == (4, 5)
    assert client.rebuilt_equally(last, 5, PURPOSE)
    assert not client.rebuilt_equally({**last, done.identifier: 4}, 5, PURPOSE)
    assert not client.rebuilt_equally(dict(list(last.items())[1:]), 5, PURPOSE)


def test_the_status_list_is_read_without_a_token(registry: Registry, client: Any, library: types.ModuleType) -> None:
    done = registry.issue(business())
    place = client.verify_identifier(done.identifier, PURPOSE)["licence"]["status_list"]
    certificate = registry.parts.certificates.evidence()
    assert client.status(place, certificate) == library.VALID
    assert client.status({**place, "idx": place["idx"] + 1}, certificate) == library.INVALID
    with pytest.raises(Exception, match=r"^$"):  # InvalidSignature has no text
        client.status(place, registry.parts.certificates.roots())


def test_its_types_are_those_of_the_openapi_document(registry: Registry, library: types.ModuleType) -> None:
    schemas = registry.client.get("/api/openapi.json").json()["components"]["schemas"]
    for name, schema_name in ANSWERS.items():
        hints, schema = get_type_hints(getattr(library, name)), schemas[schema_name]
        assert hints.keys() == schema["properties"].keys(), name
        for entry, hint in hints.items():
            assert _fits(hint, schema["properties"][entry]), (name, entry)


def _fits(hint: Any, schema: dict[str, Any]) -> bool:
    """Is a value of this Python type one of this JSON type?"""
    if "anyOf" in schema:
        return types.NoneType in get_args(hint) and {"type": "null"} in schema["anyOf"]
    if "$ref" in schema:
        return bool(hint.__name__ == schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return set(get_args(hint)) == set(schema["enum"])
    return TYPES.get(hint, TYPES.get(getattr(hint, "__origin__", None))) == schema["type"]


def test_its_addresses_are_those_of_the_openapi_document(registry: Registry) -> None:
    text = (SAMPLES / "zhengyin_client.py").read_text(encoding="utf-8")
    paths = registry.client.get("/api/openapi.json").json()["paths"]
    named = {part.split('"')[0].split("?")[0] for part in text.split('"/api/v1')[1:] + text.split('f"/api/v1')[1:]}
    assert named
    for path in named:
        assert any(_same(f"/api/v1{path}", known) for known in paths), path


def _same(path: str, known: str) -> bool:
    ours, theirs = path.split("/"), known.split("/")
    return len(ours) == len(theirs) and all(
        a == b or (a.startswith("{") and b.startswith("{")) for a, b in zip(ours, theirs, strict=True)
    )
