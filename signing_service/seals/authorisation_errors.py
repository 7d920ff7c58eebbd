"""Why an authorisation does not let the seal be used: one class for each reason."""

from __future__ import annotations

from datetime import datetime

from signing_service.kernel.clock import in_words
from signing_service.seals.errors import SealError, Text

ASK_HOLDER = Text("请由印章持有人重新授权。", "Ask the seal's holder for a new authorisation.")


class AuthorisationRefused(SealError):
    """Root of all reasons."""

    code = "authorisation_refused"


class AuthorisationMissing(AuthorisationRefused):
    code = "authorisation_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("没有用印授权,不能盖章。", "There is no authorisation; the seal is not applied."),
            why=Text("印章只听命于其持有人。", "A seal obeys its holder alone."),
            advice=ASK_HOLDER,
        )


class AuthorisationUnreadable(AuthorisationRefused):
    code = "authorisation_unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("无法读取用印授权。", "The authorisation cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=ASK_HOLDER,
        )


class AuthorisationAltered(AuthorisationRefused):
    code = "authorisation_altered"

    def __init__(self) -> None:
        super().__init__(
            Text("用印授权的签名不成立,不能盖章。", "The authorisation's signature does not hold; nothing is sealed."),
            why=Text(
                "内容在签名后被改动,或签名不是该证书所作。", "It was changed after signing, or signed by another key."
            ),
            advice=Text("请停止用印并报告印章管理员。", "Stop sealing and tell the seal administrator."),
        )


class HolderUnknown(AuthorisationRefused):
    code = "holder_unknown"

    def __init__(self, fingerprint: str) -> None:
        super().__init__(
            Text("签署授权的证书不是该印章持有人的证书。", "The signer of the authorisation does not hold this seal."),
            why=Text(f"证书指纹 {fingerprint}。", f"Certificate fingerprint {fingerprint}."),
            advice=Text(
                "请由持有人本人签署;更换证书须由保管方登记。",
                "Let the holder sign; custody must first register a new certificate.",
            ),
        )


class HolderCertificateNotValid(AuthorisationRefused):
    code = "holder_certificate_not_valid"

    def __init__(self, begin: datetime, end: datetime) -> None:
        super().__init__(
            Text("持有人的证书不在有效期内。", "The holder's certificate is not within its validity."),
            why=Text(f"有效期 {in_words(begin)} 至 {in_words(end)}。", f"It runs from {begin} to {end}."),
            advice=Text("请先更新持有人证书。", "Renew the holder's certificate first."),
        )


class SecondSignerMissing(AuthorisationRefused):
    code = "second_signer_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("应急用印须由两人共同签署。", "Emergency use of a seal takes two persons."),
            why=Text("只有一人签署,或两个签名出自同一人。", "One signed alone, or both signatures are one person's."),
            advice=Text("请由另一名授权人员签署。", "Let another appointed person sign as well."),
        )


class AuthorisationNotForThisSeal(AuthorisationRefused):
    code = "authorisation_not_for_this_seal"

    def __init__(self, named: str, asked: str) -> None:
        super().__init__(
            Text(f"授权所指印章是 {named},不是 {asked}。", f"The authorisation names seal {named}, not {asked}."),
            advice=ASK_HOLDER,
        )


class AuthorisationNotForThisDocument(AuthorisationRefused):
    code = "authorisation_not_for_this_document"

    def __init__(self, digest: str) -> None:
        super().__init__(
            Text("授权不包含这份文件。", "The authorisation does not cover this document."),
            why=Text(f"文件摘要 {digest}。", f"Document digest {digest}."),
            advice=ASK_HOLDER,
        )


class AuthorisationNotForThisType(AuthorisationRefused):
    code = "authorisation_not_for_this_type"

    def __init__(self, named: str, asked: str) -> None:
        super().__init__(
            Text(
                f"长期授权只适用于“{named}”,不适用于“{asked}”。",
                f"The standing order is for “{named}”, not for “{asked}”.",
            ),
            advice=ASK_HOLDER,
        )


class AuthorisationUsed(AuthorisationRefused):
    code = "authorisation_used"

    def __init__(self, used: int, count: int) -> None:
        super().__init__(
            Text("用印授权已经用过,不能再用。", "The authorisation has been used and cannot be used again."),
            why=Text(f"已用 {used} 次,共 {count} 次。", f"Used {used} of {count} times."),
            advice=ASK_HOLDER,
        )


class AuthorisationNotYetValid(AuthorisationRefused):
    code = "authorisation_not_yet_valid"

    def __init__(self, not_before: datetime) -> None:
        super().__init__(
            Text("用印授权尚未生效。", "The authorisation is not yet in force."),
            why=Text(f"自 {in_words(not_before)} 起生效。", f"In force from {not_before}."),
            advice=Text("请在生效后再盖章,并核对本机时间。", "Seal later, and check this machine's clock."),
        )


class AuthorisationExpired(AuthorisationRefused):
    code = "authorisation_expired"

    def __init__(self, until: datetime) -> None:
        super().__init__(
            Text("用印授权已过期。", "The authorisation has expired."),
            why=Text(f"有效至 {in_words(until)}。", f"It was valid until {until}."),
            advice=ASK_HOLDER,
        )


class AuthorisationWithdrawn(AuthorisationRefused):
    code = "authorisation_withdrawn"

    def __init__(self, at: datetime) -> None:
        super().__init__(
            Text("用印授权已被撤回。", "The authorisation has been withdrawn."),
            why=Text(f"撤回时间 {in_words(at)}。", f"Withdrawn at {at}."),
            advice=ASK_HOLDER,
        )
