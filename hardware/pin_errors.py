"""What can go wrong with a PIN."""

from __future__ import annotations

from .explained import NamedTokenError, Text


class PinError(NamedTokenError):
    """The token did not accept, or was not given, a PIN."""

    code = "pin_error"


class PinIncorrect(PinError):
    code = "pin_incorrect"
    WHAT = Text(
        "密码设备 {token} 的 PIN 不正确，已停止本批全部操作。",
        "Token {token} refused the PIN; the whole batch has stopped.",
    )
    ADVICE = Text(
        "请核对 PIN 后只再试一次；连续输错会锁定设备（用 zhengyin keys list 查看状态）。",
        "Check the PIN before one more try: repeated errors lock the token (see `zhengyin keys list`).",
    )
    BLANKS = ("token",)


class PinRefusedBefore(PinIncorrect):
    """The very PIN that the token refused before; it was not sent again, so no try was used up."""

    code = "pin_refused_before"
    WHAT = Text(
        "此 PIN 已被密码设备 {token} 拒绝过，未再次发送。",
        "Token {token} refused this very PIN before; it was not sent again.",
    )
    ADVICE = Text(
        "请换用正确的 PIN；如 PIN 已在别处改成此值，请运行 zhengyin keys pin {token} --forget-refusals。",
        "Use the right PIN; if the PIN has since been changed to this one elsewhere, run "
        "`zhengyin keys pin {token} --forget-refusals`.",
    )


class PinLocked(PinError):
    code = "pin_locked"
    WHAT = Text("密码设备 {token} 的 PIN 已锁定。", "The PIN of token {token} is locked.")
    ADVICE = Text(
        "再试无用。请由管理员用 SO PIN（PUK）解锁：zhengyin keys unblock {token}；SO PIN 也锁定时请联系发证机构。",
        "Trying again cannot help. Unblock it with the SO PIN (PUK): `zhengyin keys unblock {token}`; if that one is "
        "locked too, go to the issuer of the key.",
    )
    BLANKS = ("token",)


class TpmLocked(PinLocked):
    """A TPM locks as a whole (dictionary attack protection); there is no officer who could unblock one PIN."""

    code = "tpm_locked"
    WHAT = Text(
        "PIN 多次输错，整个 TPM 已锁定（密码设备 {token}）。",
        "The whole TPM is locked after too many wrong PINs (token {token}).",
    )
    ADVICE = Text(
        "请等待其自行恢复，或由管理员运行 tpm2_dictionarylockout --clear-lockout；然后运行 "
        "zhengyin keys pin {token} --forget-refusals。",
        "Wait until it recovers, or let the administrator run `tpm2_dictionarylockout --clear-lockout`; then "
        "`zhengyin keys pin {token} --forget-refusals`.",
    )


class PinFinalTry(PinError):
    code = "pin_final_try"
    WHAT = Text(
        "密码设备 {token} 只剩最后一次输入 PIN 的机会，未发送 PIN。",
        "Token {token} has one PIN try left; no PIN was sent.",
    )
    ADVICE = Text(
        "确知 PIN 时，请运行 zhengyin keys show --final-try，同意用掉这次机会（PIN 正确则计数恢复）；"
        "否则先用 SO PIN 解锁。",
        "If you are sure of the PIN, consent to using it: `zhengyin keys show --final-try` (a right PIN restores the "
        "tries); otherwise unblock with the SO PIN first.",
    )
    BLANKS = ("token",)


class SoPinIncorrect(PinIncorrect):
    """Of the security officer, which a PIV card calls PUK."""

    code = "so_pin_incorrect"
    WHAT = Text(
        "密码设备 {token} 的 SO PIN（PUK）不正确，未做更改。",
        "Token {token} refused the SO PIN (PUK); nothing was changed.",
    )
    ADVICE = Text(
        "请核对后只再试一次；SO PIN 锁定后只能恢复出厂设置或联系发证机构。",
        "Check it before one more try: once the SO PIN is locked, only a factory reset or the issuer helps.",
    )


class SoPinRefusedBefore(SoPinIncorrect):
    """The very SO PIN that the token refused before; it was not sent again."""

    code = "so_pin_refused_before"
    WHAT = Text(
        "此 SO PIN（PUK）已被密码设备 {token} 拒绝过，未再次发送。",
        "Token {token} refused this very SO PIN (PUK) before; it was not sent again.",
    )
    ADVICE = Text(
        "请换用正确的 SO PIN；如已在别处改成此值，请运行 zhengyin keys pin {token} --forget-refusals。",
        "Use the right one; if it has since been changed to this elsewhere, run "
        "`zhengyin keys pin {token} --forget-refusals`.",
    )


class SoPinLocked(PinLocked):
    code = "so_pin_locked"
    WHAT = Text("密码设备 {token} 的 SO PIN（PUK）已锁定。", "The SO PIN (PUK) of token {token} is locked.")
    ADVICE = Text(
        "请联系发证机构；设备上的内容可以放弃时，可恢复出厂设置：zhengyin keys reset {token}。",
        "Go to the issuer of the key; where what is on it can be given up, reset it: `zhengyin keys reset {token}`.",
    )


class SoPinFinalTry(PinFinalTry):
    code = "so_pin_final_try"
    WHAT = Text(
        "密码设备 {token} 的 SO PIN（PUK）只剩最后一次机会，未发送。",
        "One try of the SO PIN (PUK) of token {token} is left; it was not sent.",
    )
    ADVICE = Text(
        "确知 SO PIN 时，请明确同意后再试（--final-try）。",
        "If you are sure of it, consent explicitly (`--final-try`).",
    )


class ManagementKeyIncorrect(PinError):
    """What lets one write to a PIV card. It has no counter, so it cannot be locked."""

    code = "management_key_incorrect"
    WHAT = Text(
        "PIV 卡 {token} 不接受此管理密钥，未做更改。",
        "PIV card {token} refused the management key; nothing was changed.",
    )
    ADVICE = Text(
        "请给出正确的管理密钥（十六进制）；出厂值为 010203040506070801020304050607080102030405060708。",
        "Give the right one in hexadecimal; the factory's is 010203040506070801020304050607080102030405060708.",
    )
    BLANKS = ("token",)


class PinRequired(PinError):
    code = "pin_required"
    WHAT = Text("密码设备 {token} 尚未登录，需要 PIN。", "Token {token} is not logged in: the PIN is needed.")
    ADVICE = Text("请输入 PIN 后重试。", "Give the PIN and try again.")
    BLANKS = ("token",)


class PinInvalid(PinError):
    code = "pin_invalid"
    WHAT = Text(
        "PIN 的长度或字符不符合密码设备要求，未被接受。",
        "The PIN has a length or characters that the token does not take.",
    )
    ADVICE = Text(
        "PIN 不可为空、不可含换行；请按设备要求的长度（常见 4 至 8 位）设置。",
        "A PIN is never empty and has no line break; use the length that the device asks for (often 4 to 8).",
    )


class PinNotSet(PinError):
    code = "pin_not_set"
    WHAT = Text("密码设备 {token} 还没有设置用户 PIN。", "Token {token} has no user PIN yet.")
    ADVICE = Text(
        "请先用 SO PIN 设置：zhengyin keys unblock {token}。",
        "Set one with the SO PIN first: `zhengyin keys unblock {token}`.",
    )
    BLANKS = ("token",)


class PinExpired(PinError):
    code = "pin_expired"
    WHAT = Text("密码设备 {token} 要求先修改 PIN。", "Token {token} wants its PIN changed first.")
    ADVICE = Text(
        "请运行 zhengyin keys pin {token} 修改后再用。", "Change it with `zhengyin keys pin {token}`, then go on."
    )
    BLANKS = ("token",)


class PinFileUnsafe(PinError):
    code = "pin_file_unsafe"
    WHAT = Text("PIN 文件 {path} 可被他人读取，未使用。", "PIN file {path} can be read by others; it was not used.")
    ADVICE = Text(
        "请改为仅属主可读写：chmod 600，且属主为运行本服务的账户。",
        "Make it owner-only (chmod 600), owned by this account.",
    )
    BLANKS = ("path",)


class PinFileMissing(PinError):
    code = "pin_file_missing"
    WHAT = Text("读不到 PIN 文件 {path}。", "PIN file {path} cannot be read.")
    ADVICE = Text("请检查路径和权限。", "Check the path and its permissions.")
    BLANKS = ("path",)
