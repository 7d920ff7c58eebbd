import pytest
from cryptography import x509

from hardware.driver import open_token
from hardware.errors import PinIncorrect
from signing_service.agent import errors
from signing_service.agent.sign import sign_prepared, with_token
from signing_service.agent.token_pairs import authentication_pair, logs_in, signing_pair, signs_documents
from signing_service.pades.sign import SignatureRequest, complete, prepare


def prepared_for(usb_keys, certificate):
    return prepare(usb_keys.form(), SignatureRequest(field="step-1", signed_at=usb_keys.NOW), certificate, [])


@pytest.mark.parametrize("officer", ["li", "wang"])
def test_the_signing_pair_signs_and_the_file_is_completed(ring, usb_keys, officer):
    key = ring[officer]
    prepared = prepared_for(usb_keys, key.signing)
    with key.open() as token:
        value = sign_prepared(prepared, token)
    signed = complete(prepared, value, certificate=key.signing, chain=[])
    assert len(signed) == len(prepared.document)
    assert signed != prepared.document


def test_signing_and_log_in_use_different_keys(ring):
    with ring["li"].open() as token:
        assert signing_pair(token).certificate == ring["li"].signing
        assert authentication_pair(token).certificate == ring["li"].login
        assert signing_pair(token).name == "审批员甲"


def test_a_file_for_another_officer_is_refused(ring, usb_keys):
    prepared = prepared_for(usb_keys, ring["wang"].signing)
    with ring["li"].open() as token, pytest.raises(errors.CertificateDiffers):
        sign_prepared(prepared, token)


def test_the_log_in_key_never_signs_documents(ring, usb_keys, authority):
    with ring["li"].open() as token:
        login = authentication_pair(token)
        with pytest.raises(errors.NoSigningPair):
            signing_pair(token, fingerprint=login.fingerprint)
    assert logs_in(x509.load_der_x509_certificate(ring["li"].login))
    assert not signs_documents(x509.load_der_x509_certificate(ring["li"].login))


def test_several_signing_pairs_must_be_told_apart(ring, key_ring, usb_keys, authority):
    store = key_ring[0]
    extra = usb_keys.make_usb_key(store, authority, "双证书")
    with open_token(extra.module, serial=extra.serial, pin=usb_keys.PIN, write=True) as token:
        key = token.generate("p256", label="second", id=b"\x03")
        second = authority.issue("双证书", key.public_key)
        token.store_certificate(second, label="second", id=b"\x03")
        with pytest.raises(errors.SeveralSigningPairs, match="双证书"):
            signing_pair(token)
        assert sign_prepared(prepared_for(usb_keys, second), token)
        with pytest.raises(errors.SeveralSigningPairs):
            sign_prepared(prepared_for(usb_keys, ring["li"].signing), token)


def test_a_token_without_certificates_has_no_pair(ring, key_ring, usb_keys):
    info = key_ring[0].create("空", user_pin=usb_keys.PIN, so_pin=usb_keys.SO_PIN)
    with pytest.raises(errors.NoSigningPair):
        with_token(key_ring[0].module, info, lambda _info: usb_keys.PIN, signing_pair)


def test_the_pin_is_asked_once_and_a_wrong_one_stops(ring, key_ring, usb_keys):
    asked = []

    def ask(info):
        asked.append(info.serial)
        return "000000"

    info = next(each for each in key_ring[0].list() if each.serial == ring["li"].serial)
    with pytest.raises(PinIncorrect):
        with_token(ring["li"].module, info, ask, signing_pair)
    assert asked == [ring["li"].serial]
