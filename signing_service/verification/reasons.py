"""The stable reason codes: verdict at sealing, usable now, and one sentence in Chinese and in English each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from signing_service.errors import Text
from signing_service.verification.wording import in_english


class Verdict(StrEnum):
    PASSED = "passed"
    INDETERMINATE = "indeterminate"
    FAILED = "failed"


class Usable(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reason:
    """`advice` is what the reader should do next. Sentences hold {placeholders} that the report fills."""

    verdict: Verdict
    usable: Usable
    sentence: Text
    advice: Text


P, I, F = Verdict.PASSED, Verdict.INDETERMINATE, Verdict.FAILED  # noqa: E741
Y, N, U = Usable.YES, Usable.NO, Usable.UNKNOWN
_ASK = Text("请向落款机构核实。", "Please check with the office named in the document.")
ORIGINAL = Text(
    "请使用原始文件,或下载盖章时的版本。", "Use the original file, or download the version that was sealed."
)
ORIGINAL_ONLY = Text("请使用原始文件。", "Use the original file.")
_NONE = Text("可以使用。", "It can be used.")
_REFUSE = Text("请勿凭此办理。", "Do not rely on it.")
_LATER = Text("请稍后重试。", "Please try again later.")


def _r(verdict: Verdict, usable: Usable, zh: str, en: str, advice: Text) -> Reason:
    return Reason(verdict, usable, Text(zh, en), advice)


# Order within a verdict is precedence: the first that applies becomes the headline.
REASONS: dict[str, Reason] = {
    "recalled": _r(
        F,
        N,
        "该模拟审批文件已于{time}收回,正式文件编号:{number}。",
        "This simulated approval was recalled on {time}; the formal document is {number}.",
        _REFUSE,
    ),
    "unsigned_data_after_last_signature": _r(
        F,
        N,
        "最后一次签名后又添加了无人签署的内容,整份文件不能作为凭证。",
        "Content that nobody signed was added after the last signature; the file as a whole is no evidence.",
        ORIGINAL,
    ),
    "modified_after_sealing": _r(
        F,
        N,
        "盖章后内容有变动,不能作为凭证。可能是另存或批注所致,也可能是篡改;请使用原始文件,或下载盖章时的版本。",
        "The content was changed after sealing, so it is no evidence. Saving anew or annotating can cause this, "
        "and so can tampering; use the original file, or download the version that was sealed.",
        ORIGINAL,
    ),
    "signature_broken": _r(
        F,
        N,
        "签名数据不正确,签名无效,不能作为凭证。",
        "The signature data is wrong: the signature is invalid and the file is no evidence.",
        ORIGINAL,
    ),
    "signature_malformed": _r(
        F,
        N,
        "签名结构异常,无法证明任何内容,不能作为凭证。",
        "The signature is put together in a way that proves nothing; the file is no evidence.",
        ORIGINAL,
    ),
    "timestamp_invalid": _r(
        F,
        N,
        "时间戳与文件不符,不能作为凭证。",
        "A timestamp does not belong to this file; the file is no evidence.",
        ORIGINAL,
    ),
    "revoked_before_signing": _r(
        F,
        N,
        "签署时证书已被吊销,签名无效。",
        "The certificate was already revoked when the document was signed; the signature is invalid.",
        _ASK,
    ),
    "seal_cancelled": _r(
        F,
        N,
        "盖章时该印章已注销,不能作为凭证。",
        "The seal had been cancelled when it was applied; the file is no evidence.",
        _ASK,
    ),
    "seal_suspended": _r(
        F,
        N,
        "盖章时该印章已停用,不能作为凭证。",
        "The seal was suspended when it was applied; the file is no evidence.",
        _ASK,
    ),
    "resource_limit": _r(
        I,
        U,
        "文件过大或结构异常,已停止检查,无法确认。",
        "The file is too large or too unusual; checking was stopped and nothing can be confirmed.",
        ORIGINAL,
    ),
    "password_needed": _r(
        I,
        U,
        "文件已加密,需要密码才能核验,无法确认。",
        "The file is encrypted and cannot be checked without its password.",
        Text("请去除打开密码后再核验。", "Remove the opening password and try again."),
    ),
    "unreadable": _r(
        I, U, "文件损坏或不是 PDF,无法核验。", "The file is damaged or no PDF; it cannot be checked.", ORIGINAL
    ),
    "ambiguous_structure": _r(
        I,
        U,
        "文件内部结构有歧义,不同软件可能显示不同内容,无法确认。",
        "The file's structure is ambiguous: different programs may show different content. Nothing can be confirmed.",
        ORIGINAL,
    ),
    "not_signed_yet": _r(
        I,
        U,
        "该文件已预留签名位置,但尚未签署。",
        "The file was prepared for signing but has not been signed.",
        ORIGINAL,
    ),
    "unsupported_algorithm": _r(
        I,
        U,
        "使用了本系统尚不支持的算法({name}),无法确认。",
        "It uses an algorithm that this system does not support yet ({name}); it cannot be confirmed.",
        _ASK,
    ),
    "unverifiable_signature": _r(
        I, U, "签名数据无法解析,无法确认。", "The signature data cannot be read; it cannot be confirmed.", _ASK
    ),
    "signer_not_identified": _r(
        I,
        U,
        "无法确定签署所用的证书,无法确认。",
        "The signer's certificate cannot be identified; it cannot be confirmed.",
        _ASK,
    ),
    "simulated": _r(
        I,
        N,
        "这是模拟审批文件,不具有行政审批文件的法律效力;转为正式文件前不得开工建设。",
        "This is a simulated approval without the legal force of an approval; work may not begin before it is "
        "converted.",
        _REFUSE,
    ),
    "untrusted_signer": _r(
        I,
        U,
        "签名完整,但无法确认签署人身份:证书不在受信任名单内。这不等于文件是假的,也不能证明是真的;请向落款机构核实。",
        "The signature is intact, but who signed cannot be confirmed: the certificate is not among those trusted "
        "here. That neither makes the file false nor proves it true; please check with the office named in it.",
        _ASK,
    ),
    "compromised_before_signing": _r(
        I,
        U,
        "证书因密钥泄露被吊销,泄露可能早于签署,无法确认。请向{organisation}核实。",
        "The certificate was revoked because its key leaked, perhaps before signing; it cannot be confirmed. "
        "Please check with {organisation}.",
        _ASK,
    ),
    "revoked_without_trusted_time": _r(
        I,
        U,
        "证书已于{time}被吊销,且没有可信时间证明签署在前,无法确认。请向落款机构核实。",
        "The certificate was revoked on {time} and no trusted time proves that signing came first; it cannot be "
        "confirmed.",
        _ASK,
    ),
    "no_trusted_time": _r(
        I,
        U,
        "证书已过期,且没有可信时间证明,无法确认签署时是否有效。这不等于文件是假的;请向落款机构核实。",
        "The certificate has expired and no trusted time shows that it was valid at signing. That does not make "
        "the file false; please check with the office named in it.",
        _ASK,
    ),
    "certificate_not_yet_valid": _r(
        I,
        U,
        "签署时间早于证书生效时间,无法确认。",
        "The signature is older than the certificate's validity; it cannot be confirmed.",
        _ASK,
    ),
    "weak_algorithm": _r(
        I,
        U,
        "使用了已不安全的算法({name}),且没有足够早的可信时间证明,无法确认。",
        "It uses an algorithm no longer considered safe ({name}) without an early enough trusted time; it cannot "
        "be confirmed.",
        _ASK,
    ),
    "untrusted_timestamp": _r(
        I,
        U,
        "时间戳服务不在受信任名单内,签署时间无法确认。",
        "The timestamp service is not among those trusted here; the time of signing cannot be confirmed.",
        _ASK,
    ),
    "revocation_unknown": _r(
        I,
        U,
        "暂时查不到证书状态,无法确认。请稍后重试或联系{organisation}。",
        "The certificate's status is not available at the moment; it cannot be confirmed. Please try later or "
        "contact {organisation}.",
        _LATER,
    ),
    "claimed_time_in_future": _r(
        I,
        U,
        "声称的签署时间晚于当前时间,时间不可信;内容未见改动。",
        "The claimed time of signing lies in the future and cannot be right; the content is unchanged.",
        _ASK,
    ),
    "no_signature": _r(I, U, "该文件没有电子签名或电子印章。", "The file has no electronic signature or seal.", _ASK),
    "not_found_here": _r(I, U, "本系统没有该证照。", "This system has no such licence.", _ASK),
    "other_issuer": _r(
        I,
        U,
        "该证照由{organisation}签发,请到{address}核验。",
        "The licence was issued by {organisation}; please verify it at {address}.",
        _ASK,
    ),
    "bad_check_character": _r(
        I,
        U,
        "编号的校验位不对,请检查是否输错。",
        "The identifier's check character is wrong; please check for a typing error.",
        _ASK,
    ),
    "licence_ended": _r(
        P,
        N,
        "该证照已于{time}被依法{manner}({cause}),不得再使用。文件确由{organisation}签发。",
        "The licence was ended on {time} ({manner}: {cause}) and may no longer be used. The document was indeed "
        "issued by {organisation}.",
        _REFUSE,
    ),
    "licence_suspended": _r(
        P,
        N,
        "该证照自{time}起暂扣,当前不可使用。",
        "The licence is suspended since {time} and cannot be used at present.",
        _REFUSE,
    ),
    "licence_not_yet_valid": _r(
        P,
        N,
        "该证照自{time}起生效,现在还不能使用。文件确由{organisation}签发。",
        "The licence takes effect on {time} and cannot be used yet. The document was indeed issued by {organisation}.",
        _REFUSE,
    ),
    "licence_expired": _r(
        P,
        N,
        "该证照有效期至{time},现已过期。文件确由{organisation}签发。",
        "The licence was valid until {time} and has expired. The document was indeed issued by {organisation}.",
        _REFUSE,
    ),
    "copy_expired": _r(P, N, "该限用途副本已于{time}到期。", "This purpose-bound copy expired on {time}.", _REFUSE),
    "copy_wrong_recipient": _r(
        P,
        N,
        "该副本只供{recipient}办理{matter}使用。",
        "This copy is only for {recipient} and the matter {matter}.",
        _REFUSE,
    ),
    "code_valid_offline": _r(
        P,
        U,
        "二维码未被改动,但现在没有联网,不知道证照是否仍有效。请联网后再扫。",
        "The code is unaltered, but without a connection nobody knows whether the licence is still valid. Scan "
        "again when online.",
        _LATER,
    ),
    "status_unknown": _r(
        P,
        U,
        "印章真实,盖章后内容未改动,但暂时查不到证照当前状态。",
        "The seal is genuine and the content unchanged, but the licence's present status is not available.",
        _LATER,
    ),
    "revoked_since": _r(
        P,
        Y,
        "可信时间证明签署在前,证书于{time}吊销({cause}),本次签署仍有效。",
        "A trusted time proves that signing came first; the certificate was revoked on {time} ({cause}), and this "
        "signature remains valid.",
        _NONE,
    ),
    "seal_succeeded": _r(
        P,
        Y,
        "盖章时印章有效。{organisation}已于{time}更名(并入)为{successor},原印章停用,不影响此前文件。",
        "The seal was valid when applied. {organisation} became {successor} on {time}; the old seal is out of use, "
        "which does not touch earlier documents.",
        _NONE,
    ),
    "passed": _r(
        P,
        Y,
        "印章真实,盖章后内容未改动:{organisation}于{time}加盖“{seal}”。",
        "The seal is genuine and the content unchanged: {organisation} applied “{seal}” on {time}.",
        _NONE,
    ),
    "passed_signature": _r(
        P,
        Y,
        "签名真实:{signer}于{time}签署,签署后内容未改动。",
        "The signature is genuine: {signer} signed on {time}; the content is unchanged.",
        _NONE,
    ),
    "passed_timestamp": _r(
        P,
        U,
        "文件只有时间戳:{time}起内容未改动,但没有签名或印章。",
        "The file bears only a timestamp: unchanged since {time}, but neither signed nor sealed.",
        _ASK,
    ),
}
_PRECEDENCE = {code: index for index, code in enumerate(REASONS)}
_SEVERITY = {Verdict.FAILED: 0, Verdict.INDETERMINATE: 1, Verdict.PASSED: 2}


class _Blanks(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "—"


def sentence(code: str, values: Mapping[str, str]) -> Text:
    """The sentence of a code, with its placeholders filled."""
    reason, blanks = REASONS[code], _Blanks(values)
    return Text(reason.sentence.zh.format_map(blanks), in_english(reason.sentence.en.format_map(blanks)))


def rank(code: str) -> tuple[int, int]:
    """For sorting: the worst verdict first, then the table's precedence."""
    return _SEVERITY[REASONS[code].verdict], _PRECEDENCE[code]
