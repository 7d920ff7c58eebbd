"""Status lists as a verifier reads them: signature, type, decompression, the two bits of each licence."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import date, timedelta

from joserfc import jwk, jws

from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.operations import Change, record
from cert_registry.web.status_lists import FRESH
from tests.cert_registry.web.conftest import Registry
from tests.cert_registry.world import CLERK, business


def value_at(registry: Registry, place: dict[str, int]) -> int:
    """A verifier's whole way, by the draft's own words."""
    reply = registry.client.get(f"/status-lists/{place['list']}")
    assert reply.headers["content-type"] == "application/statuslist+jwt"
    key = jwk.ECKey.import_key(registry.trust.evidence.private.public_key())
    token = jws.deserialize_compact(reply.text, key, algorithms=["ES256"])
    assert token.headers()["typ"] == "statuslist+jwt"
    claims = json.loads(token.payload)
    assert claims["sub"] == f"https://zw.example.cn/status-lists/{place['list']}"
    packed = claims["status_list"]["lst"]
    content = zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    bits = claims["status_list"]["bits"]
    per_byte = 8 // bits
    return content[place["idx"] // per_byte] >> (place["idx"] % per_byte * bits) & (1 << bits) - 1


def place_of(registry: Registry, identifier: str) -> dict[str, int]:
    return registry.call("GET", f"/licences/{identifier}", "bureau").json()["status_list"]


def operate(registry: Registry, identifier: str, operation: str) -> None:
    with registry.parts.database.write() as session:
        change = Change(operation, registry.clock.now(), "示例", "示例")
        record(session, LicenceIdentifier.parse(identifier), change, CLERK, registry.clock.now())


def test_each_licence_has_its_value(registry: Registry) -> None:
    names = ("valid", "suspended", "returned", "cancelled", "expired", "future")
    done = {name: registry.issue(business(name)).identifier for name in names[:4]}
    done["expired"] = registry.issue(business("expired", valid_until=date(2026, 11, 23))).identifier
    done["future"] = registry.issue(business("future", valid_from=date(2027, 1, 1))).identifier
    draft = registry.parts.issuing.prepare(business("draft"), CLERK)
    operate(registry, done["suspended"], "suspend")
    operate(registry, done["returned"], "suspend")
    operate(registry, done["returned"], "return")
    operate(registry, done["cancelled"], "cancel")
    found = {name: value_at(registry, place_of(registry, identifier)) for name, identifier in done.items()}
    assert found == {"valid": 0, "suspended": 2, "returned": 0, "cancelled": 1, "expired": 1, "future": 1}
    assert value_at(registry, {"list": 0, "idx": draft.licence_id}) == 1
    assert value_at(registry, {"list": 0, "idx": 99_999}) == 1


def test_a_change_shows_when_the_list_is_made_anew(registry: Registry) -> None:
    identifier = registry.issue(business()).identifier
    place = place_of(registry, identifier)
    assert value_at(registry, place) == 0
    operate(registry, identifier, "forfeit")
    registry.clock.instant += FRESH - timedelta(seconds=1)
    assert value_at(registry, place) == 0
    registry.clock.instant += timedelta(seconds=1)
    assert value_at(registry, place) == 1


def test_a_list_that_is_not_in_use_is_not_found(registry: Registry) -> None:
    assert registry.client.get("/status-lists/7").status_code == 404
    assert registry.client.get("/status-lists/-1").status_code == 400
