"""What can be wrong about persons, departments, roles and their tokens."""

from __future__ import annotations

from signing_service.errors import SigningServiceError, Text


class PeopleError(SigningServiceError):
    """Root of this room's errors."""

    code = "people_error"


class Unknown(PeopleError):
    """There is no such department, officer, grant or client."""

    code = "unknown_person"

    def __init__(self, what: Text, which: str) -> None:
        super().__init__(
            Text(f"没有这个{what.zh}:{which}。", f"There is no {what.en} {which}."),
            advice=Text("请核对编号。", "Check the identifier."),
        )


class AlreadyThere(PeopleError):
    code = "already_there"

    def __init__(self, what: Text, which: str) -> None:
        super().__init__(
            Text(f"{what.zh} {which} 已存在。", f"The {what.en} {which} exists already."),
            advice=Text("请换一个编号,或修改已有的一条。", "Choose another identifier, or change the one there is."),
        )


class CodeInvalid(PeopleError):
    """A unified social credit code that fails GB 32100."""

    code = "social_credit_code_invalid"

    def __init__(self, value: str, why: Text) -> None:
        super().__init__(
            Text(f"统一社会信用代码 {value} 不正确。", f"The unified social credit code {value} is not valid."),
            why=why,
            advice=Text("请检查是否输错。", "Check for a typing error."),
        )


class GrantRefused(PeopleError):
    """The rules for granting a role say no; `code` stays, the sentence tells which rule."""

    code = "grant_refused"

    def __init__(self, why: Text) -> None:
        super().__init__(
            Text("没有授予该角色。", "The role was not granted."),
            why=why,
            advice=Text("请由另一位印章管理员办理。", "Ask another seal administrator."),
        )


class RoleMissing(PeopleError):
    """The officer has none of the roles that this needs."""

    code = "role_missing"

    def __init__(self, roles: Text) -> None:
        super().__init__(
            Text("您没有办理此事的角色。", "You have no role for this."),
            why=Text(f"需要:{roles.zh}。", f"Needed: {roles.en}."),
            advice=Text("请联系本部门的印章管理员。", "Ask your department's seal administrator."),
        )


class KeySetRefused(PeopleError):
    """A client's JWKS that cannot be registered."""

    code = "key_set_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("没有登记该公钥。", "The client's public keys were not registered."),
            why=Text(zh, en),
            advice=Text(
                "请提交只含公钥的 JWKS:P-256 或 2048 位以上 RSA,每个都有 kid。",
                "Send a JWKS with public keys only: P-256 or RSA of 2048 bits and more, each with a kid.",
            ),
        )


class OAuthRefused(PeopleError):
    """A token request refused; `oauth_error` is the word of RFC 6749, 5.2."""

    code = "oauth_refused"

    def __init__(self, oauth_error: str, zh: str, en: str) -> None:
        self.oauth_error = oauth_error
        super().__init__(
            Text("没有签发访问令牌。", "No access token was issued."),
            why=Text(zh, en),
            advice=Text("请按接口文档修正请求。", "Correct the request as the API's documentation says."),
        )


class KeyNotProven(PeopleError):
    """A client that replaces its keys has not shown that it holds one of the new ones."""

    code = "key_not_proven"

    def __init__(self, cause: OAuthRefused | None = None) -> None:
        super().__init__(
            Text("没有更换公钥:没有证明持有新的私钥。", "The keys were not replaced: no new private key was proven."),
            why=cause.why
            if cause is not None
            else Text("断言已用过或属于别的客户端。", "The assertion was used before, or is another client's."),
            advice=Text("请用其中一把新私钥签一份新的断言。", "Send a fresh assertion made with one of the new keys."),
        )


class TokenRefused(PeopleError):
    """A bearer token that is unknown, expired or withdrawn (RFC 6750, 3.1)."""

    code = "invalid_token"

    def __init__(self) -> None:
        super().__init__(
            Text("访问令牌无效或已过期。", "The access token is not valid, or has expired."),
            advice=Text("请重新获取访问令牌。", "Ask for a new access token."),
        )


class SessionEnded(PeopleError):
    """No session, or one that is over: idle, too long, logged out, or its certificate revoked."""

    code = "session_ended"

    def __init__(self, why: Text) -> None:
        super().__init__(
            Text("您尚未登录,或登录已结束。", "You are not logged in, or your session has ended."),
            why=why,
            advice=Text("请在签名助手中点“登录”。", "Choose “Log in” in the signing agent."),
        )
