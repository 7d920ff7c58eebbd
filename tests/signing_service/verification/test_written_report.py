"""The data of a numbered verification report."""

from __future__ import annotations

import hashlib

from attacks import CHANGED

from signing_service.verification.engine import verify
from signing_service.verification.written_report import written_report


def test_it_says_what_the_report_says(sealed, policy):
    told = written_report(
        verify(sealed, policy, file_name="许可.pdf"),
        number="核〔2026〕1号",
        requested_by="示例市人民法院",
        purpose="案件核实",
    )
    assert (told["number"], told["verdict"], told["usable_now"], told["modified"]) == (
        "核〔2026〕1号",
        "通过",
        "可用",
        "无",
    )
    assert told["sha256"] == hashlib.sha256(sealed).hexdigest()
    seal = told["signatures"][0]
    assert (seal["kind"], seal["integrity"], seal["level"]) == ("电子印章", "完整", "B-T")
    assert seal["time"].endswith("(可信时间戳,由本系统自有时间戳服务签发)")
    assert [check["name"] for check in seal["checks"]][:2] == ["格式与覆盖范围", "签名证书"]


def test_a_changed_file_is_told_with_the_version_that_was_sealed(sealed, policy):
    told = written_report(verify(CHANGED["seal_moved"](sealed), policy), number="1", requested_by="x", purpose="y")
    assert (told["verdict"], told["modified"], told["intact_bytes"]) == ("未通过", "有", len(sealed))


def test_every_check_has_a_chinese_name(sealed, policy):
    for name in ("seal_moved", "junk_behind_the_end"):
        told = written_report(verify(CHANGED[name](sealed), policy), number="1", requested_by="x", purpose="y")
        names = [check["name"] for signature in told["signatures"] for check in signature["checks"]]
        assert all(any("一" <= letter <= "鿿" for letter in found) for found in names), names
