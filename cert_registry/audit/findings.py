"""What can be wrong with exported evidence, each with a sentence that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cert_registry.errors import Text

SENTENCES: Mapping[str, Text] = {
    "not_a_bundle": Text("不是完整的证据包:{detail}。", "This is no complete evidence bundle: {detail}."),
    "checkpoint_invalid": Text("检查点的签名无效:{detail}。", "The checkpoint's signature does not hold: {detail}."),
    "log_key_not_trusted": Text(
        "日志密钥的证书不可信:{detail}。", "The log key's certificate is not trusted: {detail}."
    ),
    "timestamp_invalid": Text("检查点的时间戳无效:{detail}。", "The checkpoint's timestamp does not hold: {detail}."),
    "entry_edited": Text(
        "第 {index} 条记录的内容被改动。", "Entry {index} was edited: its content is not what the log committed to."
    ),
    "entry_not_in_log": Text(
        "第 {index} 条记录不在日志的这个位置:被插入、调换或替换。",
        "Entry {index} is not what the log has at this place: it was inserted, moved or exchanged.",
    ),
    "entry_doubled": Text("第 {index} 条记录重复或次序颠倒。", "Entry {index} stands twice or out of order."),
    "entries_missing": Text(
        "缺少第 {index} 条起的 {detail} 条记录:被删除或截断。",
        "{detail} entries from {index} on are missing: deleted or cut off.",
    ),
    "tree_altered": Text(
        "日志的哈希树与签发的检查点不一致(读到第 {index} 条)。",
        "The log's tree is not the one that the checkpoint was signed over (read up to {index}).",
    ),
    "log_rewritten": Text(
        "日志与您持有的检查点({index} 条)不一致:此前的记录被整体改写。",
        "The log does not extend the checkpoint of {index} entries that you hold: its past was rewritten.",
    ),
    "older_backup": Text(
        "日志比您持有的检查点({index} 条)短:数据库被换成了旧备份,或日志被截断。",
        "The log is shorter than the checkpoint of {index} entries that you hold: an older backup "
        "was put in its place, or it was cut.",
    ),
    "other_log": Text(
        "证据包来自另一个日志:{detail}。", "The bundle comes from another log than the checkpoint you hold: {detail}."
    ),
    "held_checkpoint_unproven": Text(
        "证据包不含到您所持检查点({index} 条)的证明;请用该检查点重新导出。",
        "The bundle has no proof for the checkpoint of {index} entries that you hold; export it again naming that one.",
    ),
    "attachment_changed": Text(
        "附件 {detail} 不是导出时的文件。", "The attachment {detail} is not the file that was exported."
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is one of SENTENCES; `index` the place in the log (or a size), `detail` what else is known."""

    code: str
    index: int = -1
    detail: str = ""

    def text(self) -> Text:
        sentence = SENTENCES[self.code]
        return Text(*(part.format(index=self.index, detail=self.detail) for part in (sentence.zh, sentence.en)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What checking a bundle came to. `size` and `entries`: leaves of the log, entries looked at; `erased`: entries
    whose person was erased; `not_checked`: codes of what could not be looked at and why."""

    findings: tuple[Finding, ...]
    size: int
    entries: int
    erased: int
    not_checked: tuple[Text, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.findings
