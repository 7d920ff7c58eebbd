"""The token's side of an enrolment: the key is generated on the USB key, and nothing is ever imported."""

from __future__ import annotations

import secrets

from cryptography import x509

from hardware.ports import Token
from signing_service.pki.csr import build_request
from signing_service.pki.enrolment import ActivationRefused, Enrolment, activation_statement
from signing_service.pki.rules import Actor
from signing_service.pki.signature_algorithms import algorithm_for


def issue_onto(
    enrolment: Enrolment, reference: str, token: Token, actor: Actor, *, label: str, key_kind: str = "rsa2048"
) -> bytes:
    """Generate a key on the opened token, have it certified, write the certificate back and read it again (DER).

    Raises what `Enrolment.issue` raises, TokenError, and ActivationRefused where the read-back differs.
    """
    key_id = secrets.token_bytes(8)
    key = token.generate(key_kind, label=label, id=key_id)
    wish = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, reference)])
    made = enrolment.issue(reference, build_request(key, key.public_key, wish), actor, token_serial=token.info.serial)
    token.store_certificate(made, label=label, id=key_id)
    if token.certificate_for(key) != made:
        raise ActivationRefused("证书写入后读不回来。", "The certificate could not be read back from the token.")
    return made


def activate_with(enrolment: Enrolment, reference: str, token: Token, certificate: bytes, actor: Actor) -> None:
    """The holder takes the certificate over: reads it from the opened token and signs the statement with its key."""
    key = token.key(certificate=certificate)
    read_back = token.certificate_for(key)
    mechanism = algorithm_for(key.public_key).mechanism
    signature = key.sign(activation_statement(reference, read_back), mechanism)
    enrolment.activate(reference, read_back, signature, actor)
