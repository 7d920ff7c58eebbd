"""`zhengyin seals` over a home of its own: a second seal from application to use, and the stop switch."""

import hashlib
import io
from datetime import timedelta

import pytest
from PIL import Image

from cli.opened_home import load_picture, open_custody, open_home
from cli.seal_making import make_structure
from hardware.ports import Mechanism
from signing_service.custody.errors import SealingFrozen
from signing_service.custody.keys import SealKey
from signing_service.custody.policy import load_policy
from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.seals.founding import record_founded_seal
from signing_service.seals.picture import SealDesign
from signing_service.seals.register import Application, SealApplicationRefused, SealRegister, SealUnknown
from signing_service.seals.rules import Kind, SealMoveNotAllowed, Why
from signing_service.seals.seal_tables import SealRow

OFFICE = ("--name", "示例市行政审批局", "--owner", "approvals", "--holder", "seal-holder")
FIRST, SECOND = ("--as", "seal-admin-1"), ("--as", "seal-admin-2")


def test_a_seal_is_applied_for_made_and_used(zhengyin, home, tmp_path):
    applied = zhengyin("request", "permits", *OFFICE, "--kind", "special", "--bottom-line", "审批专用章", *FIRST,
                       "--conditions", '{"per_day": 100, "document_types": ["批复"]}')  # fmt: skip
    assert applied == {"id": "permits", "state": "requested"}
    with pytest.raises(SealMoveNotAllowed):
        zhengyin("approve", "permits", *FIRST)
    with pytest.raises(SealMoveNotAllowed):
        zhengyin("make", "permits", *FIRST)
    zhengyin("approve", "permits", *SECOND)
    assert zhengyin("make", "permits", *FIRST)["state"] == "made"
    zhengyin("file", "permits", *FIRST, "--basis", "示例备案 2026-0001")
    zhengyin("activate", "permits", *FIRST)
    shown = zhengyin("show", "permits")
    assert (shown["state"], shown["holders"]) == ("active", ["seal-holder"])
    assert [entry["move"] for entry in shown["history"]] == ["apply", "approve", "make", "file", "activate"]
    assert zhengyin("show", "permits", "--at", "2020-01-01T00:00+08:00")["state"] == "unknown"
    assert [row["id"] for row in zhengyin("list", "--json") if row["id"] == "permits"] == ["permits"]
    assert load_picture(open_home(home), "permits").width_mm == 42.0
    _seal_data_reads_back(zhengyin, home, tmp_path, shown["certificate"])


def _seal_data_reads_back(zhengyin, home, tmp_path, fingerprint):
    database = Database(open_home(home).database_url)
    with database.read() as session:
        structure = session.get_one(SealRow, "permits").structure
    database.close()
    (tmp_path / "permits.esl").write_bytes(structure)
    read = zhengyin("read", tmp_path / "permits.esl")
    assert (read["version"], read["name"], read["maker_algorithm"]) == (4, "示例市行政审批局", "ECDSA-SHA256")
    assert (read["maker_signature"], read["certificates"]) == ("intact", [fingerprint])


def test_custody_seals_with_it_and_the_stop_switch_stops_it(zhengyin, home):
    custody = open_custody(open_home(home))
    key = SealKey.of(custody, "permits", b"")
    attributes = build_signed_attributes(hashlib.sha256(b"pdf").digest(), key.certificate)
    key.sign(attributes, Mechanism.ECDSA_SHA256)
    assert [use["kind"] for use in zhengyin("ledger", "permits")] == ["direct"]
    stops = zhengyin("freeze", "seal:permits", *FIRST, "--reason", "怀疑失控")
    own = [(stop["scope"], stop["actor"]) for stop in stops if "permits" in stop["scope"]]
    assert own == [("seal:permits", "seal-admin-1")]
    with pytest.raises(SealingFrozen):
        key.sign(attributes, Mechanism.ECDSA_SHA256)
    left = zhengyin("thaw", "seal:permits", *SECOND, "--reason", "已查明")
    assert "seal:permits" not in [stop["scope"] for stop in left]
    key.sign(attributes, Mechanism.ECDSA_SHA256)
    custody.close()


def test_a_new_homes_first_seal_is_recorded_with_the_key_it_has(zhengyin, home):
    settings = open_home(home)
    known = load_policy(settings.custody).seals["default"].certificate
    database = Database(settings.database_url)
    register = SealRegister(database, SystemClock(), AuditLog())
    with database.read() as session:
        recorded = register.status(session, "default", register.clock.now()).usable
    if not recorded:
        now = register.clock.now()
        first = Application(
            "default", Kind.STATUTORY, "示例市行政审批局", "11990000MB9900013U", "approvals", ("seal-holder",),
            SealDesign("示例市行政审批局"), now, now + timedelta(days=365),
        )  # fmt: skip
        why = Why("建立示例环境", "示例备案 0")
        record_founded_seal(register, first, lambda row: make_structure(settings, register, row), why)
    with database.read() as session:
        assert register.find(session, "default").certificate == known
    database.close()
    assert zhengyin("show", "default")["state"] == "active"


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_is_exported_of_a_design_or_of_a_seal(zhengyin, tmp_path, suffix):
    drawn = tmp_path / f"drawn.{suffix}"
    zhengyin("picture", "--name", "示例市行政审批局", "-o", drawn)
    zhengyin("request", f"pictured-{suffix}", *OFFICE, *FIRST, "--picture", drawn)
    for of in (("--name", "示例市行政审批局"), ("--seal", f"pictured-{suffix}")):
        output = tmp_path / f"seal.{suffix}"
        zhengyin("picture", *of, "-o", output)
        content = output.read_bytes()
        if suffix == "png":
            assert Image.open(io.BytesIO(content)).size == (993, 993)
        else:
            assert content.count(b"<path") == (1 if of[0] == "--seal" else 10)


def test_refusals_name_what_is_wrong(zhengyin, tmp_path):
    with pytest.raises(SealUnknown):
        zhengyin("show", "nothing")
    with pytest.raises(SealApplicationRefused, match="模拟"):
        zhengyin("request", "sim", *OFFICE, "--kind", "simulation", *FIRST)
    for wrong in (
        ("request", "x", *OFFICE, "--kind", "golden", *FIRST),
        ("request", "x", *OFFICE, *FIRST, "--conditions", '{"colour": "red"}'),
        ("freeze", "everything", *FIRST, "--reason", "x"),
        ("picture", "--name", "示例", "-o", tmp_path / "seal.bmp"),
        ("read", tmp_path / "missing.esl"),
    ):
        with pytest.raises(Exception) as refusal:
            zhengyin(*wrong)
        assert refusal.value.code == "seal_usage"
