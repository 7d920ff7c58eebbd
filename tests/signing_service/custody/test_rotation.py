"""A service's key, the wrapping key and a token's PIN are changed while requests go on: none fails, and each signature
is the named key's."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from hardware.care import change_pin
from hardware.driver import open_token
from hardware.errors import PinIncorrect
from hardware.pin_source import read_pin_file, write_pin_file
from hardware.private_keys import as_private_key
from signing_service.custody import pin_change
from signing_service.custody.client import CustodyClient
from signing_service.custody.core import Custody
from signing_service.custody.errors import ServiceKeyRetired, TokenNotInCustody
from signing_service.custody.keys import ServiceKey
from signing_service.custody.pin_change import change_service_pin, place_of
from signing_service.custody.policy import CustodyPolicy, ServiceEntry, TokenPlace, change_policy, load_policy
from signing_service.custody.socket_server import CustodyServer

PIN, SO_PIN = "24681357", "86429753"
OVERLAP = timedelta(days=7)


def spki(public_key) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certify(key, now) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "示例 evidence 二")])
    builder = x509.CertificateBuilder(name, name, key.public_key, x509.random_serial_number(), now, now + OVERLAP)
    return builder.sign(as_private_key(key), hashes.SHA256()).public_bytes(Encoding.DER)


def claims(number: int) -> bytes:
    parts = ({"alg": "ES256"}, {"number": number})
    return b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)


@pytest.fixture
def successor(vault, clock):
    """A new evidence key on the token of the old one, made by another handle than custody's."""
    place = vault.places["online"]
    with open_token(
        place.module, serial=place.serial, pin=lambda: read_pin_file(Path(place.pin_file)), write=True
    ) as token:
        key_id = b"next" + token.info.serial.encode()[:4] + bytes([len(token.keys())])
        key = token.generate("p256", label="evidence-2", id=key_id)
        return ServiceEntry("online", key.id, certify(key, clock.now()))


def switch(folder: Path, service: str, new: ServiceEntry, until) -> None:
    def change(policy: CustodyPolicy) -> CustodyPolicy:
        old = policy.service(service)
        public_key = spki(x509.load_der_x509_certificate(old.certificate).public_key())
        return policy.with_service(service, old.succeeded_by(new, public_key, until))

    change_policy(folder, change)


def test_no_request_fails_while_a_key_is_switched(folder, clock, successor, tmp_path) -> None:
    """Four callers sign without a pause over the socket; one of them never looks for the new key."""
    stop, failures, used = threading.Event(), [], set()
    switched, seen = threading.Event(), threading.Event()

    def caller(client: CustodyClient, looks_again: bool) -> None:
        key, number = ServiceKey.of(client, "evidence"), 0
        while not stop.is_set():
            try:
                after = switched.is_set()
                key = ServiceKey.of(client, "evidence") if looks_again else key
                content = claims(number)
                signature = client.sign_service("evidence", content, public_key=key.held.public_key)
                key.public_key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
                used.add((looks_again, after, key.held.public_key))
                number += 1
                if after and number > 20:
                    seen.set()
            except Exception as failure:
                failures.append(failure)
                return

    with CustodyServer(tmp_path / "c.sock", Custody(folder, clock)):
        client = CustodyClient(tmp_path / "c.sock")
        old = client.service_public_key("evidence")
        threads = [threading.Thread(target=caller, args=(client, bool(each % 2))) for each in range(4)]
        for thread in threads:
            thread.start()
        switch(folder, "evidence", successor, clock.now() + OVERLAP)
        switched.set()
        assert seen.wait(60)
        stop.set()
        for thread in threads:
            thread.join()
        new = client.service_public_key("evidence")
        client.close()
    assert failures == []
    assert new != old
    assert (False, True, old) in used
    assert {key for looks, after, key in used if looks and after} == {new}


def test_the_old_key_signs_until_the_overlap_ends(folder, custody, clock, successor) -> None:
    old = custody.service_keys("evidence")[0]
    switch(folder, "evidence", successor, clock.now() + OVERLAP)
    kept = custody.service_keys("evidence")
    assert [(key.certificate, key.until) for key in kept] == [
        (successor.certificate, None), (old.certificate, clock.now() + OVERLAP),
    ]  # fmt: skip
    signature = custody.sign_service("evidence", claims(1), public_key=old.public_key)
    load_der_public_key(old.public_key).verify(signature, claims(1), ec.ECDSA(hashes.SHA256()))
    clock.instant += OVERLAP
    with pytest.raises(ServiceKeyRetired):
        custody.sign_service("evidence", claims(1), public_key=old.public_key)
    assert custody.sign_service("evidence", claims(1))
    assert custody.service_keys("evidence")[1].certificate == old.certificate
    clock.instant -= OVERLAP
    change_policy(folder, lambda policy: policy.with_service("evidence", policy.service("evidence").ended(clock.now())))
    with pytest.raises(ServiceKeyRetired):
        custody.sign_service("evidence", claims(1), public_key=old.public_key)


def test_a_strangers_key_is_not_taken_for_an_earlier_one(custody) -> None:
    stranger = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(ServiceKeyRetired):
        custody.sign_service("evidence", claims(1), public_key=stranger)


def test_a_data_key_wrapped_by_the_earlier_key_opens(folder, custody, vault, clock) -> None:
    place, old = vault.places["online"], custody.service_keys("data")[0]
    with open_token(
        place.module, serial=place.serial, pin=lambda: read_pin_file(Path(place.pin_file)), write=True
    ) as token:
        made = token.generate("rsa2048", label="data-2", id=b"data-two", decrypt=True)
        public = spki(made.public_key)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    wrapped = load_der_public_key(old.public_key).encrypt(b"k" * 32, oaep)
    entry = ServiceEntry("online", b"data-two")
    change_policy(
        folder,
        lambda policy: policy.with_service(
            "data", policy.service("data").succeeded_by(entry, old.public_key, clock.now() + OVERLAP)
        ),
    )
    assert custody.service_keys("data")[0].public_key == public
    assert custody.unwrap_data_key(wrapped, public_key=old.public_key) == b"k" * 32
    assert custody.unwrap_data_key(load_der_public_key(public).encrypt(b"n" * 32, oaep)) == b"n" * 32


@pytest.fixture
def place(vault, tmp_path) -> TokenPlace:
    """A token of its own, whose PIN may be changed."""
    info = vault.store.create(f"示例市 {tmp_path.name}", user_pin=PIN, so_pin=SO_PIN)
    write_pin_file(tmp_path / "own.pin", PIN)
    return TokenPlace(vault.store.module, info.serial, str(tmp_path / "own.pin"))


def opens(place: TokenPlace, pin: str) -> bool:
    try:
        open_token(place.module, serial=place.serial, pin=pin).close()
    except PinIncorrect:
        return False
    return True


def test_a_pin_is_changed_on_token_and_file_together(place, tmp_path) -> None:
    change_service_pin(tmp_path, place, "11223344")
    assert read_pin_file(tmp_path / "own.pin") == "11223344"
    assert opens(place, "11223344")
    assert not opens(place, PIN)
    assert list(tmp_path.glob("*.next")) == []


def test_a_login_finds_file_and_token_in_step(place, tmp_path, monkeypatch) -> None:
    """A login that begins between the token's change and the file's waits, and takes the new PIN."""
    waiting, opened = threading.Event(), []

    def log_in() -> None:
        with open_token(place.module, serial=place.serial, pin=lambda: read_pin_file(tmp_path / "own.pin")):
            opened.append(True)

    other = threading.Thread(target=log_in)
    replace: Callable[[Path, Path], None] = pin_change._replace

    def replaced_late(following: Path, path: Path) -> None:
        other.start()
        waiting.set()
        replace(following, path)

    monkeypatch.setattr(pin_change, "_replace", replaced_late)
    change_service_pin(tmp_path, place, "55667788")
    other.join(60)
    assert waiting.is_set()
    assert opened == [True]


@pytest.mark.parametrize("token_changed", [True, False])
def test_a_change_that_was_cut_off_is_taken_up(place, tmp_path, token_changed: bool) -> None:
    write_pin_file(tmp_path / "own.pin.next", "13572468")
    if token_changed:
        change_pin(place.module, serial=place.serial, old=PIN, new="13572468")
    change_service_pin(tmp_path, place, "99887766")
    assert read_pin_file(tmp_path / "own.pin") == "99887766"
    assert opens(place, "99887766")


def test_an_unknown_token_is_told_with_those_that_are_known(folder) -> None:
    with pytest.raises(TokenNotInCustody, match="online, seals"):
        place_of(load_policy(folder), "online-2")
