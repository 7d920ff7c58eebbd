"""The words that the code page needs while it has no network, from the same errors that the server would raise."""

from __future__ import annotations

from typing import Any

from cert_registry.errors import Language, Text
from cert_registry.licences.catalogue import Catalogue
from cert_registry.web.verdicts import WORDS
from signing_service.printing import errors
from signing_service.verification.reasons import REASONS

_REFUSALS = (
    errors.NotOurCode, errors.WrongPrefix, errors.CodeTruncated, errors.CodeMalformed, errors.UnknownKey,
    errors.StaleKeyList, errors.BadCodeSignature, errors.KeyNotInForce, errors.CodeExpired,
)  # fmt: skip
_KINDS = {
    1: Text("电子证照", "Licence"),
    2: Text("审批文件", "Approval document"),
    3: Text("限用途副本", "Purpose-bound copy"),
}
_LABELS = {
    "kind": Text("种类", "Kind"),
    "type": Text("类型", "Type"),
    "subject": Text("标识", "Identifier"),
    "dated": Text("日期", "Date"),
    "issued_at": Text("二维码签发", "Code made"),
    "expires_at": Text("有效期至", "Valid until"),
    "copy_serial": Text("打印件编号", "Copy"),
    "keys_of": Text("密钥清单日期", "Key list of"),
}
NO_KEYS = Text("还没有密钥清单,无法核验。", "There is no list of keys here yet, so nothing can be checked.")
GO_ONLINE = Text("请联网后再打开一次。", "Go online and open this page again.")
NO_CRYPTO = Text(
    "这个浏览器不能核验签名。请用手机自带浏览器扫码,或在核验页输入短码。",
    "This browser cannot check signatures. Use the phone's own, or type the short code on the verify page.",
)
CHECKING = Text("正在核验……", "Checking …")
ASKING = Text("正在查询当前状态……", "Asking for the status now …")
SCAN = Text("请用手机相机扫描打印件上的核验二维码。", "Scan the code on the printed copy with your phone's camera.")


def code_words(catalogue: Catalogue) -> dict[str, Any]:
    """By language: everything as plain text, to be put into the page as data."""
    return {language: _in(catalogue, language) for language in ("zh", "en")}


def _in(catalogue: Catalogue, language: Language) -> dict[str, Any]:
    offline = REASONS["code_valid_offline"]
    return {
        "refusals": {
            one.code: {"what": one.WHAT.in_(language), "advice": one.ADVICE.in_(language)} for one in _REFUSALS
        },
        "words": {colour: word.in_(language) for colour, word in WORDS.items()},
        "kinds": {str(number): text.in_(language) for number, text in _KINDS.items()},
        "types": {kind.key: kind.name.in_(language) for kind in catalogue} | {"approval": _KINDS[2].in_(language)},
        "labels": {name: text.in_(language) for name, text in _LABELS.items()},
        "offline": {"what": offline.sentence.in_(language), "advice": offline.advice.in_(language)},
        "no_keys": {"what": NO_KEYS.in_(language), "advice": GO_ONLINE.in_(language)},
        "no_crypto": {"what": NO_CRYPTO.in_(language), "advice": ""},
        "checking": CHECKING.in_(language),
        "asking": ASKING.in_(language),
        "scan": SCAN.in_(language),
    }
