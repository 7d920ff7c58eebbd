"""What can go wrong with tokens, keys, modules and URIs."""

from __future__ import annotations

from typing import ClassVar

from .explained import NamedTokenError, Text


class TokenGone(NamedTokenError):
    """The token is not there."""

    code = "token_gone"


class TokenRemoved(TokenGone):
    code = "token_removed"
    WHAT = Text(
        "密码设备 {token} 已被拔出或断开，没有产生任何输出。",
        "Token {token} was removed or disconnected; nothing was output.",
    )
    ADVICE = Text("请插回设备后重试。", "Plug it back in and try again.")
    BLANKS = ("token",)


class TokenNotFound(TokenGone):
    code = "token_not_found"
    WHAT = Text("找不到密码设备 {token}。", "Token {token} was not found.")
    ADVICE = Text(
        "请插入设备；zhengyin keys list 列出现有设备和缺少的驱动。",
        "Plug it in; `zhengyin keys list` shows what is there and which driver is missing.",
    )
    BLANKS = ("token",)


class AmbiguousToken(NamedTokenError):
    code = "ambiguous_token"
    WHAT = Text("有多个密码设备符合条件，序列号：{serials}。", "Several tokens match, with serials {serials}.")
    ADVICE = Text("请用序列号指定其中一个。", "Name one of them by its serial.")
    BLANKS = ("serials",)


class TokenNotInitialised(NamedTokenError):
    code = "token_not_initialised"
    WHAT = Text("密码设备 {token} 尚未初始化。", "Token {token} is not initialised.")
    ADVICE = Text("请运行 zhengyin keys init。", "Run `zhengyin keys init`.")
    BLANKS = ("token",)


class TokenFault(NamedTokenError):
    code = "token_fault"
    WHAT = Text("密码设备 {token} 报告故障。", "Token {token} reported a fault.")
    ADVICE = Text("请运行 zhengyin keys doctor 检查。", "Run `zhengyin keys doctor`.")
    BLANKS = ("token",)


class TokenFull(NamedTokenError):
    code = "token_full"
    WHAT = Text("密码设备 {token} 的存储空间已满。", "Token {token} has no room left.")
    ADVICE = Text(
        "请删除不用的密钥或证书（zhengyin keys delete）。",
        "Delete keys or certificates that are not used (`zhengyin keys delete`).",
    )
    BLANKS = ("token",)


class TokenWriteProtected(NamedTokenError):
    code = "token_write_protected"
    WHAT = Text("密码设备 {token} 只读，不能写入。", "Token {token} is read-only here.")
    ADVICE = Text(
        "请以可写方式打开（write=True），或换用可写设备。", "Open it for writing, or use a token that can be written."
    )
    BLANKS = ("token",)


class OperationUnsupported(NamedTokenError):
    code = "operation_unsupported"
    WHAT = Text("该密码设备的驱动不支持此操作。", "This token's driver does not support the operation.")
    ADVICE = Text("请使用厂商自带的管理工具完成。", "Use the vendor's own tool for it.")


class CardCannotReset(OperationUnsupported):
    code = "card_cannot_reset"
    WHAT = Text(
        "卡 {token} 没有恢复出厂设置的命令，未做更改。",
        "Card {token} has no command for a factory reset; nothing was changed.",
    )
    ADVICE = Text(
        "可用 zhengyin keys delete 逐个删除密钥和证书，或由发证机构重新制卡。",
        "Delete its keys and certificates one by one (`zhengyin keys delete`), or have the issuer make the card anew.",
    )
    BLANKS = ("token",)


class LabelIsFixed(OperationUnsupported):
    code = "label_is_fixed"
    WHAT = Text("密码设备 {token} 初始化后不能改标签。", "The label of token {token} cannot be changed once it is set.")
    ADVICE = Text("清空时请保留原标签：zhengyin keys reset。", "Erase it under its own label: `zhengyin keys reset`.")
    BLANKS = ("token",)


class NoSuchPlace(NamedTokenError):
    code = "no_such_place"
    WHAT = Text("PIV 卡 {token} 没有位置 {key}。", "PIV card {token} has no place {key}.")
    ADVICE = Text(
        "可用标识：01（9A 登录）、02（9C 签名）、03（9D 加密）、04（9E 读卡）、05 至 18（82 至 95）。",
        "Ids: 01 (9A authentication), 02 (9C signature), 03 (9D encryption), 04 (9E card), 05 to 18 (82 to 95).",
    )
    BLANKS = ("token", "key")


class Busy(NamedTokenError):
    code = "busy"
    WHAT = Text("密码设备 {token} 正忙，未能取得会话。", "Token {token} is busy: no session could be had.")
    ADVICE = Text(
        "请稍候再试；如长期如此，请检查是否有其他程序占用。",
        "Try again shortly; if it stays so, see which other program holds it.",
    )
    BLANKS = ("token",)


# --- keys and certificates -------------------------------------------------------------------------------------


class KeyProblem(NamedTokenError):
    """The token is fine; the key or certificate asked for is not as wanted."""

    code = "key_problem"


class KeyNotFound(KeyProblem):
    code = "key_not_found"
    WHAT = Text("密码设备 {token} 上没有密钥 {key}。", "Token {token} has no key {key}.")
    ADVICE = Text("zhengyin keys show 列出其上的密钥。", "`zhengyin keys show` lists the keys that it has.")
    BLANKS = ("token", "key")


class AmbiguousKey(KeyProblem):
    code = "ambiguous_key"
    WHAT = Text("密码设备 {token} 上有多个密钥符合：{keys}。", "Several keys on token {token} match: {keys}.")
    ADVICE = Text("请用标识（id）或证书指定其中一个。", "Name one by id, or by its certificate.")
    BLANKS = ("token", "keys")


class CertificateMissing(KeyProblem):
    code = "certificate_missing"
    WHAT = Text(
        "密码设备 {token} 上没有与密钥 {key} 配对的证书。",
        "Token {token} has no certificate that belongs to key {key}.",
    )
    ADVICE = Text(
        "证书按公钥配对，不按标签。请导入该密钥的证书：zhengyin keys import。",
        "Certificates are paired by public key, not by label. Import the right one: `zhengyin keys import`.",
    )
    BLANKS = ("token", "key")


class KeyTypeUnsupported(KeyProblem):
    code = "key_type_unsupported"
    WHAT = Text("暂不支持密钥类型 {kind}。", "Keys of type {kind} are not supported yet.")
    ADVICE = Text("请使用 RSA、P-256、P-384 或 Ed25519 密钥。", "Use an RSA, P-256, P-384 or Ed25519 key.")
    BLANKS = ("kind",)


class KeyNotAllowed(KeyProblem):
    code = "key_not_allowed"
    WHAT = Text("密钥 {key} 不允许此用途。", "Key {key} may not be used for this.")
    ADVICE = Text(
        "双证书设备请选签名密钥，勿用加密密钥。",
        "On a dual-certificate key choose the signing key, not the encryption key.",
    )
    BLANKS = ("key",)


class KeyExists(KeyProblem):
    code = "key_exists"
    WHAT = Text(
        "密码设备 {token} 上已有标识为 {key} 的密钥，未覆盖。",
        "Token {token} already has a key with id {key}; it was not overwritten.",
    )
    ADVICE = Text("请换一个标识。", "Choose another id.")
    BLANKS = ("token", "key")


class CertificateNotOfKey(KeyProblem):
    code = "certificate_not_of_key"
    WHAT = Text(
        "证书的公钥与密码设备 {token} 上标识为 {key} 的密钥不符，未导入。",
        "The certificate's public key is not that of key {key} on token {token}; it was not imported.",
    )
    ADVICE = Text(
        "请核对证书和标识；zhengyin keys show 列出设备上的密钥。",
        "Check the certificate and the id; `zhengyin keys show` lists the keys that there are.",
    )
    BLANKS = ("token", "key")


class MechanismUnsupported(NamedTokenError):
    code = "mechanism_unsupported"
    WHAT = Text("密码设备 {token} 不支持签名算法 {mechanism}。", "Token {token} does not support {mechanism}.")
    ADVICE = Text(
        "请换用设备支持的算法，或更换密钥类型。", "Choose an algorithm that the token has, or another type of key."
    )
    BLANKS = ("token", "mechanism")


# --- modules ---------------------------------------------------------------------------------------------------


class ModuleProblem(NamedTokenError):
    """The vendor's driver (PKCS#11 module) is at fault, not the token."""

    code = "module_problem"


class ModuleMissing(ModuleProblem):
    code = "module_missing"
    WHAT = Text("找不到驱动文件 {module}。", "The driver file {module} does not exist.")
    ADVICE = Text(
        "请安装该设备的驱动；zhengyin keys list 指出需要哪个软件包。",
        "Install the driver; `zhengyin keys list` names the package.",
    )
    BLANKS = ("module",)


class ModuleUnusable(ModuleProblem):
    code = "module_unusable"
    WHAT = Text("驱动 {module} 无法加载。", "The driver {module} cannot be loaded.")
    ADVICE = Text(
        "请确认它是 PKCS#11 驱动，位数（32/64）与本程序一致，且依赖库齐全。",
        "See that it is a PKCS#11 module, for the same word size (32/64 bit), with its libraries installed.",
    )
    BLANKS = ("module",)


class ModuleFault(ModuleProblem):
    code = "module_fault"
    WHAT = Text(
        "驱动 {module} 报告故障，无法列出密码设备。", "The driver {module} reported a fault and lists no tokens."
    )
    ADVICE = Text(
        "请确认所需服务已启动（读卡器：pcscd；openCryptoki：pkcsslotd），再运行 zhengyin keys doctor。",
        "See that the service it needs runs (readers: pcscd; openCryptoki: pkcsslotd), then `zhengyin keys doctor`.",
    )
    BLANKS = ("module",)


class ModuleCrashed(ModuleProblem):
    code = "module_crashed"
    WHAT = Text(
        "驱动 {module} 崩溃，本次操作未完成；下次调用时自动重启。",
        "The driver {module} crashed; this call failed, the next one restarts it.",
    )
    ADVICE = Text("请重试一次；反复崩溃请升级驱动。", "Try once more; if it keeps crashing, update the driver.")
    BLANKS = ("module",)


class ModuleTimeout(ModuleProblem):
    code = "module_timeout"
    WHAT = Text("驱动 {module} 没有按时应答，已被终止。", "The driver {module} did not answer in time and was stopped.")
    ADVICE = Text("请检查设备连接后重试。", "Check how the device is connected, then try again.")
    BLANKS = ("module",)


class GarbledAnswer(ModuleProblem):
    code = "garbled_answer"
    WHAT = Text(
        "驱动 {module} 返回的签名格式不对，已丢弃。",
        "The driver {module} returned a malformed signature; it was discarded.",
    )
    ADVICE = Text(
        "请升级驱动；zhengyin keys doctor 可检查。", "Update the driver; `zhengyin keys doctor` can check it."
    )
    BLANKS = ("module",)


class InitialisedElsewhere(ModuleProblem):
    code = "initialised_elsewhere"
    WHAT = Text(
        "驱动 {module} 已被本进程中的其他代码初始化。",
        "Other code in this process has initialised the driver {module} already.",
    )
    ADVICE = Text(
        "无法确认其线程锁，故不使用；请在独立进程中打开。",
        "Its locking is unknown, so it is not used; open it in a process of its own.",
    )
    BLANKS = ("module",)


class ForkedProcess(ModuleProblem):
    code = "forked_process"
    WHAT = Text(
        "驱动加载后进程被 fork，不可继续使用。",
        "This process was forked after the driver {module} was loaded; it cannot be used here.",
    )
    ADVICE = Text(
        "请用 spawn 方式启动子进程，勿预加载后 fork。", "Start child processes by spawn; never preload and fork."
    )
    BLANKS = ("module",)


class SoftHsmMissing(ModuleProblem):
    code = "softhsm_missing"
    WHAT = Text("本机没有安装 SoftHSM。", "SoftHSM is not installed on this machine.")
    ADVICE = Text(
        "请安装软件包 softhsm2：sudo apt-get install softhsm2。",
        "Install the package softhsm2: sudo apt-get install softhsm2.",
    )


class UriInvalid(NamedTokenError):
    code = "uri_invalid"
    WHAT = Text("密码设备地址 {uri} 不合 RFC 7512。", "Token address {uri} is not a valid RFC 7512 URI.")
    ADVICE = Text(
        "例：pkcs11:serial=0123456789abcdef;object=seal。", "Example: pkcs11:serial=0123456789abcdef;object=seal."
    )
    BLANKS: ClassVar[tuple[str, ...]] = ("uri",)


class UriAttributeUnsupported(UriInvalid):
    code = "uri_attribute_unsupported"
    WHAT = Text(
        "密码设备地址 {uri} 用了 {attribute}，此处不按它查找密码设备。",
        "Token address {uri} has {attribute}, by which tokens are not found here.",
    )
    ADVICE = Text(
        "插槽会变、驱动会换；请用序列号：pkcs11:serial=…。",
        "Slots and drivers change: name the serial, pkcs11:serial=….",
    )
    BLANKS = ("uri", "attribute")


class KnownKeysUnreadable(NamedTokenError):
    code = "known_keys_unreadable"
    WHAT = Text("已知设备表 {path} 无法读取。", "The table of known keys {path} cannot be read.")
    ADVICE = Text(
        "须为 UTF-8 的 CSV，首行为列名，每行至少有 usb_ids（如 096e:0807）和 name。",
        "It is a CSV in UTF-8 with a line of column names; each row has at least usb_ids (like 096e:0807) and name.",
    )
    BLANKS = ("path",)
