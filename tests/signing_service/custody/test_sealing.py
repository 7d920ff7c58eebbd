"""Custody signs what the holder authorised, once, and nothing else: on real tokens."""

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from hardware.errors import TokenError
from hardware.ports import Mechanism
from signing_service.custody.core import Custody
from signing_service.custody.errors import (
    AuthorisationNotLodged,
    NotTheSealsCertificate,
    PolicyUnsafe,
    SealCertificateNotValid,
    SealingFrozen,
    SealNotInCustody,
    UseNotFound,
)
from signing_service.custody.granted import reference
from signing_service.custody.keys import SealKey
from signing_service.custody.policy import change_policy, save_policy
from signing_service.pdf.cms_attributes import SignedAttributesRefused, build_signed_attributes, read_signed_attributes
from signing_service.seals import authorisation_errors as errors
from signing_service.seals.authorisation import Authorisation, emergency_order, standing_order
from signing_service.seals.holder_signature import SignedAuthorisation, sign_authorisation

RSA = Mechanism.RSA_PKCS1_SHA256
SEAL, OTHER_SEAL = "seal-approval-bureau", "seal-other-bureau"


def identifier(encoded):
    return Authorisation.from_statement(SignedAuthorisation.decode(encoded).statement).id


def test_an_authorised_document_is_sealed_with_the_seals_key(custody, ask, vault):
    attributes, authorisation = ask.attributes("批复"), ask.authorise("批复")
    signature = custody.seal(SEAL, attributes, authorisation, RSA)
    certificate = x509.load_der_x509_certificate(vault.policy.seals[SEAL].certificate)
    certificate.public_key().verify(signature, attributes, padding.PKCS1v15(), hashes.SHA256())
    assert custody.ledger.check() == 1


def test_a_used_authorisation_is_refused_and_its_signature_can_be_fetched_again(custody, ask):
    attributes, authorisation = ask.attributes("批复"), ask.authorise("批复")
    signature = custody.seal(SEAL, attributes, authorisation, RSA)
    with pytest.raises(errors.AuthorisationUsed):
        custody.seal(SEAL, attributes, authorisation, RSA)
    assert custody.signature_of(SEAL, attributes, authorisation) == signature
    with pytest.raises(UseNotFound):
        custody.signature_of(SEAL, ask.attributes("另一份"), authorisation)


def test_without_the_holder_there_is_no_seal(custody, ask, vault, deputy):
    """All that web server, worker and database together can think of, without the holder's USB key."""
    attributes = ask.attributes("伪造")
    with pytest.raises(errors.AuthorisationMissing):
        custody.seal(SEAL, attributes, b"", RSA)
    with pytest.raises(errors.HolderUnknown):
        custody.seal(SEAL, attributes, ask.authorise("伪造", signers=[deputy]), RSA)
    true = SignedAuthorisation.decode(ask.authorise("真件"))
    with pytest.raises(errors.AuthorisationNotForThisDocument):
        custody.seal(SEAL, attributes, true.encode(), RSA)
    theirs = SignedAuthorisation.decode(ask.authorise("伪造", signers=[deputy]))
    pasted = replace(theirs, signatures=(replace(theirs.signatures[0], certificate=vault.holder),))
    with pytest.raises(errors.AuthorisationAltered):
        custody.seal(SEAL, attributes, pasted.encode(), RSA)
    with pytest.raises(errors.AuthorisationNotForThisSeal):
        custody.seal(OTHER_SEAL, ask.attributes("真件", OTHER_SEAL), true.encode(), Mechanism.ECDSA_SHA256)
    assert custody.ledger.check() == 0


def test_expired_and_withdrawn_are_refused_by_name(custody, ask, clock):
    attributes, authorisation = ask.attributes("批复"), ask.authorise("批复")
    custody.withdraw(identifier(authorisation), "文件有误")
    with pytest.raises(errors.AuthorisationWithdrawn):
        custody.seal(SEAL, attributes, authorisation, RSA)
    later = ask.authorise("批复")
    clock.instant += timedelta(hours=2)
    with pytest.raises(errors.AuthorisationExpired):
        custody.seal(SEAL, attributes, later, RSA)


def test_attributes_must_name_the_seals_own_certificate(custody, ask):
    digest = hashlib.sha256("批复".encode()).digest()
    with pytest.raises(NotTheSealsCertificate):
        custody.seal(SEAL, build_signed_attributes(digest, b"other"), ask.authorise("批复"), RSA)
    with pytest.raises(SignedAttributesRefused):
        custody.seal(SEAL, "批复".encode(), ask.authorise("批复"), RSA)
    with pytest.raises(SealNotInCustody):
        custody.seal("unknown", ask.attributes("批复"), ask.authorise("批复"), RSA)


def test_an_expired_seal_certificate_seals_nothing(custody, ask, clock):
    authorisation = ask.authorise("批复")
    clock.instant += timedelta(days=366)
    with pytest.raises(SealCertificateNotValid):
        custody.seal(SEAL, ask.attributes("批复"), authorisation, RSA)


@pytest.mark.parametrize("limit", [1, 10])
def test_fifty_parallel_requests_use_a_standing_order_exactly_as_often_as_it_says(folder, clock, ask, holder, limit):
    """Two custody processes' worth of objects on one folder; each request is another document."""
    now = clock.now()
    order = standing_order(SEAL, "批复", limit, not_before=now, until=now + timedelta(hours=1))
    authorisation = sign_authorisation(order, holder)
    both, barrier = [Custody(folder, clock), Custody(folder, clock)], threading.Barrier(50)

    def request(number):
        barrier.wait()
        try:
            attributes = ask.attributes(f"批复 {number}")
            both[number % 2].seal(SEAL, attributes, authorisation, RSA, document_type="批复")
        except errors.AuthorisationUsed:
            return 0
        return 1

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(request, range(50))) == limit
    assert both[0].ledger.check() == both[1].ledger.uses(order.id) == limit
    for each in both:
        each.close()


def test_fifty_parallel_requests_for_one_document_give_one_seal(custody, ask):
    attributes, authorisation = ask.attributes("批复"), ask.authorise("批复")
    barrier = threading.Barrier(50)

    def request(_number):
        barrier.wait()
        try:
            custody.seal(SEAL, attributes, authorisation, RSA)
        except errors.AuthorisationUsed:
            return 0
        return 1

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(request, range(50))) == 1
    assert custody.ledger.check() == 1


def test_a_use_cut_off_before_its_signature_is_taken_up_by_the_same_request_alone(custody, ask, folder):
    """The token cannot be reached at the moment of signing, as after a crash: the count is taken, no signature left."""
    attributes, authorisation = ask.attributes("甲"), ask.authorise("甲", "乙")
    custody.seal(SEAL, ask.attributes("乙"), authorisation, RSA)
    lost = replace(ask.policy().tokens["seals"], serial="0000000000000000")
    save_policy(folder, ask.policy(tokens={**ask.policy().tokens, "seals": lost}))
    with pytest.raises(TokenError):
        custody.seal(SEAL, attributes, authorisation, RSA)
    save_policy(folder, ask.policy())
    assert custody.ledger.uses(identifier(authorisation)) == 2
    custody.seal(SEAL, attributes, authorisation, RSA)
    assert custody.ledger.uses(identifier(authorisation)) == 2
    with pytest.raises(errors.AuthorisationUsed):
        custody.seal(SEAL, attributes, authorisation, RSA)


@pytest.mark.parametrize("scope", ["all", "bureau:approval-bureau", f"seal:{SEAL}"])
def test_the_stop_switch_stops_its_scope_and_no_other(custody, ask, scope):
    custody.freeze(scope, actor="示例管理员", reason="怀疑失控")
    with pytest.raises(SealingFrozen, match="怀疑失控"):
        custody.seal(SEAL, ask.attributes("批复"), ask.authorise("批复"), RSA)
    other = (OTHER_SEAL, ask.attributes("函", OTHER_SEAL), ask.authorise("函", seal=OTHER_SEAL))
    if scope == "all":
        with pytest.raises(SealingFrozen):
            custody.seal(*other, Mechanism.ECDSA_SHA256)
    else:
        custody.seal(*other, Mechanism.ECDSA_SHA256)
    assert [stop.scope for stop in custody.frozen()] == [scope]
    custody.thaw(scope, actor="示例保管员", reason="已查明")
    assert custody.frozen() == []
    custody.seal(SEAL, ask.attributes("批复"), ask.authorise("批复"), RSA)


def test_a_stop_between_signing_and_release_keeps_the_signature_in(custody, ask, clock):
    """The stop comes after the use was written; the outcome is refused and nothing can be fetched later either."""
    use, _ = custody._request(SEAL, custody._policy().seal(SEAL), *_parts(ask), "", clock.now(), direct=False)
    number = custody.ledger.reserve(use, clock.now(), lambda uses: None)
    custody.freeze("all", actor="示例管理员", reason="失控")
    with pytest.raises(SealingFrozen):
        custody.ledger.complete(number, use, b"signature", clock.now())
    custody.thaw("all", actor="示例保管员", reason="已查明")
    with pytest.raises(UseNotFound):
        custody.ledger.signature(use)


def _parts(ask):
    attributes = ask.attributes("批复")
    return read_signed_attributes(attributes), attributes, ask.authorise("批复")


def test_emergency_use_by_two_appointed_persons_is_in_the_ledger_with_both(custody, ask, holder, deputy, clock):
    digest = hashlib.sha256("急件".encode()).hexdigest()
    order = emergency_order(
        SEAL, {digest}, "持有人住院", not_before=clock.now(), until=clock.now() + timedelta(hours=2)
    )
    with pytest.raises(errors.SecondSignerMissing):
        custody.seal(SEAL, ask.attributes("急件"), sign_authorisation(order, deputy), RSA)
    custody.seal(SEAL, ask.attributes("急件"), sign_authorisation(order, deputy, holder), RSA)
    (shown,) = custody.uses(SEAL)
    both = [hashlib.sha256(certificate).hexdigest() for certificate in (deputy[1], holder[1])]
    assert (shown.use.kind, shown.use.signers.split(","), shown.completed) == ("emergency", both, True)


def test_direct_sealing_is_for_a_demo_home_alone(folder, ask, clock):
    with pytest.raises(PolicyUnsafe):
        save_policy(folder, ask.policy(direct_sealing=True))
    save_policy(folder, ask.policy(direct_sealing=True, profile="demo"))
    custody = Custody(folder, clock)
    attributes = ask.attributes("演示")
    key = SealKey.of(custody, SEAL, b"")
    assert key.certificate == ask.policy().seals[SEAL].certificate
    assert key.sign(attributes, RSA)
    assert key.sign(attributes, RSA)
    assert custody.ledger.check() == 2
    custody.freeze("all", actor="示例管理员", reason="演示结束")
    with pytest.raises(SealingFrozen):
        key.sign(attributes, RSA)
    custody.close()


def test_hand_edited_direct_sealing_is_refused_at_the_next_use(custody, folder, ask):
    path = folder / "policy.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "direct_sealing": True}))
    with pytest.raises(PolicyUnsafe):
        custody.seal(SEAL, ask.attributes("批复"), b"", RSA)


def test_a_policy_open_to_others_stops_custody(custody, folder, ask):
    (folder / "policy.json").chmod(0o640)
    with pytest.raises(PolicyUnsafe):
        Custody(folder)
    (folder / "policy.json").chmod(0o600)
    folder.chmod(0o755)
    with pytest.raises(PolicyUnsafe):
        Custody(folder)


def test_a_holder_taken_out_of_the_policy_can_no_longer_authorise(custody, folder, ask):
    authorisation = ask.authorise("甲", "乙")
    custody.seal(SEAL, ask.attributes("甲"), authorisation, RSA)
    entry = replace(ask.policy().seals[SEAL], holders=())
    change_policy(folder, lambda policy: policy.with_seal(SEAL, entry))
    with pytest.raises(errors.HolderUnknown):
        custody.seal(SEAL, ask.attributes("乙"), authorisation, RSA)


def test_a_lodged_authorisation_is_used_by_reference(custody, ask):
    authorisation = ask.authorise("甲", "乙")
    with pytest.raises(AuthorisationNotLodged):
        custody.seal(SEAL, ask.attributes("甲"), reference(authorisation), RSA)
    name = custody.lodge(authorisation)
    assert custody.seal(SEAL, ask.attributes("甲"), name, RSA)
    assert custody.seal(SEAL, ask.attributes("乙"), name, RSA)


def test_several_documents_are_sealed_at_once_and_asking_again_signs_nothing_anew(custody, ask, vault):
    texts = [f"批复 {number}" for number in range(5)]
    authorisation, attributes = ask.authorise(*texts), [ask.attributes(text) for text in texts]
    first = custody.seal_all(SEAL, attributes[:3], authorisation, RSA)
    assert custody.seal_all(SEAL, attributes, authorisation, RSA)[:3] == first
    assert custody.ledger.check() == custody.ledger.uses(identifier(authorisation)) == 5
    key = x509.load_der_x509_certificate(vault.policy.seals[SEAL].certificate).public_key()
    for signature, signed in zip(first, attributes, strict=False):
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())


def test_of_several_documents_one_that_is_not_covered_stops_all(custody, ask):
    attributes = [ask.attributes("真件"), ask.attributes("夹带")]
    with pytest.raises(errors.AuthorisationNotForThisDocument):
        custody.seal_all(SEAL, attributes, ask.authorise("真件"), RSA)
    assert custody.ledger.check() == 0


def test_several_documents_count_one_by_one_under_a_standing_order(custody, ask, holder, clock):
    now = clock.now()
    order = sign_authorisation(standing_order(SEAL, "批复", 3, not_before=now, until=now + timedelta(hours=1)), holder)
    attributes = [ask.attributes(f"批复 {number}") for number in range(4)]
    with pytest.raises(errors.AuthorisationUsed):
        custody.seal_all(SEAL, attributes, order, RSA, document_type="批复")
    assert len(custody.seal_all(SEAL, attributes[:3], order, RSA, document_type="批复")) == 3
    with pytest.raises(errors.AuthorisationUsed):
        custody.seal_all(SEAL, attributes[3:], order, RSA, document_type="批复")


def test_uses_cut_off_before_their_signatures_are_taken_up_together(custody, ask, folder):
    authorisation, attributes = ask.authorise("甲", "乙"), [ask.attributes("甲"), ask.attributes("乙")]
    lost = replace(ask.policy().tokens["seals"], serial="0000000000000000")
    save_policy(folder, ask.policy(tokens={**ask.policy().tokens, "seals": lost}))
    with pytest.raises(TokenError):
        custody.seal_all(SEAL, attributes, authorisation, RSA)
    save_policy(folder, ask.policy())
    custody.seal_all(SEAL, attributes, authorisation, RSA)
    assert custody.ledger.check() == 2


def test_a_stop_against_sealing_under_way_lets_nothing_more_out(folder, clock, ask, holder):
    """Eight callers seal as fast as they can; once `freeze` has returned, no signature more is made or handed out."""
    now = clock.now()
    order = standing_order(SEAL, "批复", 100_000, not_before=now, until=now + timedelta(hours=1))
    authorisation = sign_authorisation(order, holder)
    custody, handed_out, enough = Custody(folder, clock), [], threading.Event()

    def seal_until_stopped(thread):
        for number in range(100_000):
            try:
                attributes = ask.attributes(f"批复 {thread} {number}")
                handed_out.append(custody.seal(SEAL, attributes, authorisation, RSA, document_type="批复"))
            except SealingFrozen:
                return
            if len(handed_out) >= 20:
                enough.set()

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(seal_until_stopped, thread) for thread in range(8)]
        assert enough.wait(60)
        custody.freeze(f"register:{SEAL}", actor="示例管理员", reason="印章停用")
        made = sum(use.completed for use in custody.uses(SEAL))
        for thread in running:
            thread.result()
    assert sum(use.completed for use in custody.uses(SEAL)) == len(handed_out) == made
    custody.close()


def test_custody_tells_whether_its_key_signed_a_document(custody, ask):
    digest = hashlib.sha256("批复".encode()).hexdigest()
    assert not custody.was_signed(SEAL, digest)
    custody.seal(SEAL, ask.attributes("批复"), ask.authorise("批复"), RSA)
    assert custody.was_signed(SEAL, digest)
    assert not custody.was_signed(OTHER_SEAL, digest)
    assert [use.use.kind for use in custody.uses(SEAL, kind="digest")] == ["digest"]
    assert custody.uses(SEAL, kind="emergency") == []
    assert custody.pinned(SEAL).holders == ask.policy().seals[SEAL].holders
