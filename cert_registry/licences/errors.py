"""What can be wrong with a licence or with a request about one."""

from __future__ import annotations

from cert_registry.errors import RegistryError, Text

ASK_ISSUER = Text("请与颁发机构联系核对。", "Check it with the issuing body.")


class LicenceError(RegistryError):
    """Root of this room's errors."""

    code = "licence_error"


class IdentifierMalformed(LicenceError):
    """The text has not the form of GB/T 36904."""

    code = "identifier_malformed"

    def __init__(self) -> None:
        super().__init__(
            Text("这不是证照标识。", "This is not a licence identifier."),
            why=Text(
                "证照标识由根代码、类型、颁发机构、流水号、版本号和校验位组成,以点分隔。",
                "An identifier has root, type, issuer, serial, version and check character, parted by dots.",
            ),
            advice=Text("请检查是否输全。", "Check that all of it was entered."),
        )


class BadCheckCharacter(LicenceError):
    """ISO 7064 MOD 37,36 does not hold. `expected` is for callers in code; it is never shown."""

    code = "bad_check_character"

    def __init__(self, expected: str) -> None:
        self.expected = expected
        super().__init__(
            Text("编号的校验位不对,请检查是否输错。", "The check character is wrong; look for a typing error."),
            advice=ASK_ISSUER,
        )


class HolderCodeInvalid(LicenceError):
    """A holder's code fails its own check. The code itself is not repeated."""

    code = "holder_code_invalid"

    def __init__(self, kind: Text, why: Text) -> None:
        super().__init__(
            Text(f"持证主体的{kind.zh}不对。", f"The holder's {kind.en} is not valid."),
            why=why,
            advice=Text("请核对后重新填写。", "Check it and enter it again."),
        )


class UnknownLicenceType(LicenceError):
    code = "unknown_licence_type"

    def __init__(self, asked: str) -> None:
        super().__init__(
            Text(f"目录中没有证照类型“{asked}”。", f"The catalogue has no licence type {asked!r}."),
            advice=Text("请查看 zhengyin licences types。", "See `zhengyin licences types`."),
        )


class CatalogueInvalid(LicenceError):
    code = "catalogue_invalid"

    def __init__(self, file: str, why: str) -> None:
        super().__init__(
            Text(f"证照类型文件 {file} 有误。", f"The licence type file {file} is wrong."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请改正后重新启动。", "Correct it and start again."),
        )


class LicenceNotFound(LicenceError):
    code = "not_found_here"

    def __init__(self) -> None:
        super().__init__(
            Text("本系统没有该证照。", "This registry does not hold that licence."),
            advice=Text("请检查编号,或向颁发机构核实。", "Check the identifier, or ask the issuing body."),
        )


class NotAnIssuer(LicenceError):
    """The body has no right to issue this type, or had it at another time."""

    code = "not_an_issuer"

    def __init__(self, type_name: Text) -> None:
        super().__init__(
            Text(f"该机构无权颁发{type_name.zh}。", f"This body may not issue: {type_name.en}."),
            advice=Text(
                "请由证照库管理员登记颁发权限。", "Ask the registry's administrator to record the right to issue."
            ),
        )


class AlreadyIssued(LicenceError):
    """One case, one licence. `identifier` is that of the licence which the case already has."""

    code = "already_issued"

    def __init__(self, identifier: str) -> None:
        self.identifier = identifier
        super().__init__(
            Text("该办件已有证照,不能重复颁发。", "This case already has its licence; it cannot be issued twice."),
            why=Text(f"证照标识:{identifier}。", f"Its identifier: {identifier}."),
            advice=Text("请查看已有证照;如需变更,请办理变更。", "See that licence; to alter it, record a change."),
        )


class FieldsInvalid(LicenceError):
    """`problems`: field name to what is wrong with it."""

    code = "fields_invalid"

    def __init__(self, problems: dict[str, Text]) -> None:
        self.problems = problems
        zh = ";".join(f"{name}:{text.zh}" for name, text in problems.items())
        en = "; ".join(f"{name}: {text.en}" for name, text in problems.items())
        super().__init__(
            Text("证照内容有误。", "The licence's content is not valid."),
            why=Text(f"{zh}。", f"{en}."),
            advice=Text("请改正后重新提交。", "Correct it and send it again."),
        )


class OperationNotAllowed(LicenceError):
    code = "operation_not_allowed"

    def __init__(self, operation: Text, status: Text) -> None:
        super().__init__(
            Text(
                f"不能办理{operation.zh}:证照当前状态为{status.zh}。",
                f"{operation.en}: not possible while {status.en}.",
            ),
            advice=Text("请先核对证照的状态记录。", "Look at the licence's history first."),
        )


class BasisMissing(LicenceError):
    code = "legal_basis_missing"

    def __init__(self, operation: Text) -> None:
        super().__init__(
            Text(f"办理{operation.zh}须写明理由和法律依据。", f"{operation.en} needs a reason and a legal basis."),
            advice=Text("请补充后重新提交。", "Add them and send it again."),
        )


class SealedBytesDiffer(LicenceError):
    """What came back from sealing does not begin with what was rendered."""

    code = "sealed_bytes_differ"

    def __init__(self) -> None:
        super().__init__(
            Text("盖章后的文件与送去盖章的证照不一致,没有登记。", "The sealed file is not the one sent to be sealed."),
            advice=Text("请重新盖章。", "Have it sealed again."),
        )


class HolderCodeUnreadable(LicenceError):
    """The stored code does not open: wrong key, or altered in the database."""

    code = "holder_code_unreadable"

    def __init__(self) -> None:
        super().__init__(
            Text("持证主体代码无法解密。", "A holder's code cannot be decrypted."),
            why=Text("密钥不对,或数据库内容被改动。", "The key is another one, or the database was altered."),
            advice=Text("请运维人员检查密钥,并核对备份。", "An operator checks the key and compares with the backup."),
        )


class DataKeysUnreadable(LicenceError):
    """The ring of wrapped data keys is damaged."""

    code = "data_keys_unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            Text("无法读取数据密钥环。", "The ring of data keys cannot be read."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text("请从备份恢复 data-keys.json。", "Restore data-keys.json from a backup."),
        )
