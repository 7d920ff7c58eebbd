"""`zhengyin seals` over a home: suspension down to custody, replacement, conditions, succession, orders, status."""

import hashlib
import io
from datetime import UTC, datetime, timedelta

import pypdfium2
import pytest

from cli.opened_home import open_custody, open_home
from cli.seal_stops import SealStops, StopNotPut, StopStands
from cli.sealing import NoStandingOrder, SealUseOf, sealing_desk
from cli.stage import open_stage
from cli.worker import SUCCESSIONS, USES, seal_work
from hardware.driver import list_tokens
from hardware.ports import Mechanism
from signing_service.custody.errors import CustodyUnreachable, SealingFrozen
from signing_service.custody.keys import SealKey
from signing_service.custody.ledger import REGISTER
from signing_service.custody.policy import load_policy
from signing_service.pades.placing import Placing
from signing_service.pdf.cms_attributes import build_signed_attributes
from signing_service.pki.rules import Actor
from signing_service.seals.authorisation_errors import AuthorisationWithdrawn, SecondSignerMissing
from signing_service.seals.conditions import UseRequest
from signing_service.seals.order_book import OrderRefused
from signing_service.seals.recovery import STALE
from signing_service.seals.register import SealApplicationRefused
from signing_service.seals.rules import SealMoveNotAllowed, Why
from signing_service.seals.succession import SuccessionRefused
from signing_service.seals.use_book import UseAlreadyRequested, UseBook, UseState

OFFICE = ("--name", "示例市行政审批局", "--owner", "approvals", "--holder", "seal-holder")
FIRST, SECOND, HOLDER = ("--as", "seal-admin-1"), ("--as", "seal-admin-2"), ("--as", "seal-holder")
BASIS = ("--reason", "机构调整", "--basis", "示例政发〔2026〕9号")


@pytest.fixture
def stage(home):
    opened = open_stage(open_home(home))
    yield opened
    opened.close()


@pytest.fixture
def active(zhengyin):
    """Brings a new seal as far as is asked."""

    def add(seal_id, *more, filed_only=False):
        zhengyin("request", seal_id, *OFFICE, *FIRST, *more)
        zhengyin("approve", seal_id, *SECOND)
        zhengyin("make", seal_id, *FIRST)
        zhengyin("file", seal_id, *FIRST, "--basis", "示例备案 1")
        if not filed_only:
            zhengyin("activate", seal_id, *FIRST)

    return add


@pytest.fixture
def key_of(home):
    """The URI of an officer's signing key, its PIN in the home's file."""

    def find(officer):
        settings = open_home(home)
        serials = {info.label: info.serial for info in list_tokens(settings.token_module)}
        return f"pkcs11:serial={serials[officer]};object=signing?pin-source=file:{settings.pins / officer}.pin"

    return find


def one_page():
    document = pypdfium2.PdfDocument.new()
    document.new_page(595, 842)
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def sign_directly(custody, seal_id):
    key = SealKey.of(custody, seal_id, b"")
    return key.sign(build_signed_attributes(hashlib.sha256(b"pdf").digest(), key.certificate), Mechanism.ECDSA_SHA256)


def test_a_suspended_seal_is_frozen_in_custody_and_resuming_thaws_it(zhengyin, active, stage):
    active("paused")
    sign_directly(stage.custody, "paused")
    zhengyin("suspend", "paused", *HOLDER, "--reason", "USB Key 遗失")
    with pytest.raises(SealingFrozen, match="USB Key 遗失"):
        sign_directly(stage.custody, "paused")
    zhengyin("resume", "paused", *SECOND, "--reason", "已查明")
    sign_directly(stage.custody, "paused")
    zhengyin("cancel", "paused", *FIRST, *BASIS)
    with pytest.raises(SealingFrozen):
        sign_directly(stage.custody, "paused")


def test_an_emergency_stop_outlives_a_resumption(zhengyin, active, stage):
    active("alarmed")
    zhengyin("freeze", "seal:alarmed", *FIRST, "--reason", "怀疑失控")
    zhengyin("suspend", "alarmed", *FIRST, "--reason", "查明前停用")
    zhengyin("resume", "alarmed", *SECOND, "--reason", "已查明")
    assert [stop.scope for stop in stage.custody.frozen() if "alarmed" in stop.scope] == ["seal:alarmed"]
    with pytest.raises(SealingFrozen):
        sign_directly(stage.custody, "alarmed")


class Silent:
    """Custody that cannot be reached."""

    def frozen(self):
        raise CustodyUnreachable("custody.sock", "no answer")


def test_killed_between_register_and_custody_the_worker_puts_the_stop(active, stage):
    active("missed")
    register, admin = stage.seal_register(), Actor("seal-admin-1", frozenset({"seal_administrator"}))
    with pytest.raises(StopNotPut):
        SealStops(stage.settings, register, Silent()).change("missed", "suspend", admin, Why("怀疑失控"))
    assert f"{REGISTER}missed" not in {stop.scope for stop in stage.custody.frozen()}
    stops = SealStops(stage.settings, register, stage.custody)
    assert stops.agree() == 1
    assert stops.agree() == 0
    with pytest.raises(SealingFrozen, match="怀疑失控"):
        sign_directly(stage.custody, "missed")


def test_from_elsewhere_than_custodys_machine_a_resumption_says_what_to_run(active, stage, tmp_path):
    from dataclasses import replace

    active("remote")
    register, admin = stage.seal_register(), Actor("seal-admin-1", frozenset({"seal_administrator"}))
    here = SealStops(stage.settings, register, stage.custody)
    here.change("remote", "suspend", admin, Why("怀疑失控"))
    elsewhere = SealStops(replace(stage.settings, home=tmp_path), register, stage.custody)
    with pytest.raises(StopStands, match="zhengyin seals thaw register:remote"):
        elsewhere.change("remote", "resume", admin, Why("已查明"))
    assert here.agree() == 0  # the worker lifts nothing
    with pytest.raises(SealingFrozen):
        sign_directly(stage.custody, "remote")


def test_a_new_seal_takes_an_old_ones_place_and_the_old_one_is_frozen(zhengyin, active, stage):
    active("older")
    active("newer", "--replaces", "older", filed_only=True)
    with pytest.raises(SealMoveNotAllowed):
        zhengyin("replace", "older", "--with", "newer", *FIRST)
    both = zhengyin("replace", "older", "--with", "newer", *FIRST, "--reason", "印模磨损")
    assert both == [{"id": "older", "state": "replaced"}, {"id": "newer", "state": "active"}]
    with pytest.raises(SealingFrozen):
        sign_directly(stage.custody, "older")
    sign_directly(stage.custody, "newer")
    with pytest.raises(SealApplicationRefused):
        zhengyin("replace", "newer", "--with", "newer", *FIRST, "--reason", "x")


def test_conditions_change_by_two_and_are_listed(zhengyin, active):
    active("limited")
    asked = zhengyin("conditions", "propose", "limited", "--conditions", '{"per_day": 7}', *FIRST, *BASIS)
    number = asked["change"]
    with pytest.raises(Exception, match="proposed it"):
        zhengyin("conditions", "approve", number, *FIRST)
    assert zhengyin("conditions", "approve", number, *SECOND)["state"] == "approved"
    assert zhengyin("show", "limited")["conditions"]["per_day"] == 7
    assert [each["decided_by"] for each in zhengyin("conditions", "list", "limited")] == ["seal-admin-2"]
    assert "per_day: 7" in zhengyin("show", "limited", plain=True)


def test_a_succession_is_tried_drafted_reviewed_and_carried_out_by_the_worker(zhengyin, stage):
    for seal_id in ("housing-1", "housing-2"):
        housing = ("--name", "示例市住房和城乡建设局", "--owner", "housing", "--holder", "seal-holder")
        zhengyin("request", seal_id, *housing, *FIRST)
        zhengyin("approve", seal_id, *SECOND)
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    plan = ("--old", "housing", "--new", "approvals", "--basis", "示例政发〔2026〕9号")
    with pytest.raises(SuccessionRefused, match="housing-2"):
        zhengyin("succession", "dry-run", *plan, "--on", soon, "--pairs", '{"housing-1": ""}')
    with pytest.raises(Exception, match="JSON object"):
        zhengyin("succession", "dry-run", *plan, "--on", soon, "--pairs", "[]")
    pairs = ("--pairs", '{"housing-1": "", "housing-2": ""}')
    steps = zhengyin("succession", "dry-run", *plan, "--on", soon, *pairs)
    assert [(step["move"], step["seal"]) for step in steps] == [("cancel", "housing-1"), ("cancel", "housing-2")]
    assert zhengyin("show", "housing-1")["state"] == "approved"
    number = zhengyin("succession", "draft", *plan, "--on", soon, *pairs, *FIRST)["succession"]
    with pytest.raises(SuccessionRefused):
        zhengyin("succession", "review", number, *FIRST)
    assert len(zhengyin("succession", "review", number, *SECOND)["steps"]) == 2
    work = seal_work(stage.settings, _at(stage, timedelta(hours=2)), stage.custody)
    work[SUCCESSIONS]()
    listed = zhengyin("succession", "list")[0]
    assert (listed["state"], listed["problem"]) == ("effective", "")
    assert zhengyin("show", "housing-1")["history"][-1]["effective_from"] == soon


def _at(stage, later):
    """The register as it will be some time from now."""

    class Later:
        def now(self):
            return datetime.now(UTC) + later

    register = stage.seal_register()
    register.clock = Later()
    return register


def test_the_worker_ends_what_a_killed_sealing_left(active, stage):
    """One process was killed before the key signed, one after; custody's own ledger tells them apart."""
    active("killed")
    book, clerk = UseBook(stage.seal_register()), Actor("reviewer-1")
    for number, text in enumerate((b"never signed", b"pdf")):
        digest = hashlib.sha256(text).hexdigest()
        book.reserve("killed", UseRequest(f"case-{number}", "批复", digest, "reviewer-1"), clerk)
    sign_directly(stage.custody, "killed")
    work = seal_work(stage.settings, _at(stage, STALE + timedelta(minutes=1)), stage.custody)
    work[USES]()
    work[USES]()
    assert [use.state for use in book.uses("killed")] == [UseState.VOIDED, UseState.WITHHELD]


def test_a_standing_order_from_draft_to_withdrawal(zhengyin, active, key_of, stage, tmp_path):
    active("ordered")
    with pytest.raises(OrderRefused):
        zhengyin("order", "draft", "ordered", "--type", "批复", "--count", 2, *FIRST)
    order = zhengyin("order", "draft", "ordered", "--type", "批复", "--count", 2, *HOLDER)["order"]
    draft, signed = tmp_path / "order.json", tmp_path / "signed.json"
    zhengyin("order", "export", order, "-o", draft)
    made = zhengyin("order", "sign", draft, "-o", signed, "--key", key_of("seal-holder"), "--yes")
    assert (made["order"], made["signatures"]) == (order, 1)
    assert zhengyin("order", "add", order, signed, *HOLDER)["state"] == "signed"
    now = stage.clock.now()
    assert [each.id for each in stage.order_book().standing("ordered", "批复", now)] == [order]
    zhengyin("order", "withdraw", order, *HOLDER, "--reason", "不再需要")
    assert [each["state"] for each in zhengyin("order", "list", "ordered")] == ["withdrawn"]
    certificate = stage.custody.seal_certificates("ordered")[0]
    attributes = build_signed_attributes(b"d" * 32, certificate)
    with pytest.raises(AuthorisationWithdrawn):
        stage.custody.seal("ordered", attributes, signed.read_bytes(), Mechanism.ECDSA_SHA256, document_type="批复")


def test_break_glass_by_two_persons_with_the_holder_absent(zhengyin, active, key_of, stage, tmp_path):
    active("urgent")
    assert len(load_policy(stage.settings.custody).seals["urgent"].appointed) == 2
    source, sealed = tmp_path / "急件.pdf", tmp_path / "sealed.pdf"
    source.write_bytes(one_page())
    order = zhengyin("order", "emergency", "urgent", source, "--type", "批复", *FIRST, "--reason", "持有人住院")[
        "order"
    ]
    file = tmp_path / "order.json"
    for officer, by in (("seal-admin-1", FIRST), ("seal-admin-2", SECOND)):
        with pytest.raises(OrderRefused):
            zhengyin("order", "apply", order, "-o", sealed, *FIRST)
        zhengyin("order", "export", order, "-o", file)
        zhengyin("order", "sign", file, "-o", tmp_path / "s.json", "--key", key_of(officer), "--yes")
        zhengyin("order", "add", order, tmp_path / "s.json", *by)
    zhengyin("order", "apply", order, "-o", sealed, *SECOND)
    assert sealed.read_bytes().startswith(source.read_bytes())
    assert stage.judge(sealed.read_bytes()).as_json()["signatures"][0]["integrity"] == "intact"
    shown = [use for use in zhengyin("ledger", "urgent") if use["kind"] == "emergency"]
    assert [len(use["signers"].split(",")) for use in shown] == [2]
    with pytest.raises(OrderRefused):
        zhengyin("order", "apply", order, "-o", sealed, *SECOND)


def test_custody_itself_refuses_one_signature_on_an_emergency_order(zhengyin, active, key_of, stage, tmp_path):
    """Whoever sets the order to `signed` in the database gains nothing."""
    active("forced")
    source = tmp_path / "急件.pdf"
    source.write_bytes(one_page())
    order = zhengyin("order", "emergency", "forced", source, "--type", "批复", *FIRST, "--reason", "急")["order"]
    file = tmp_path / "order.json"
    zhengyin("order", "export", order, "-o", file)
    zhengyin("order", "sign", file, "-o", file, "--key", key_of("seal-admin-1"), "--yes")
    zhengyin("order", "add", order, file, *FIRST)
    with stage.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE seal_order SET state = 'signed' WHERE seal_id = 'forced'")
    with pytest.raises(SecondSignerMissing):
        zhengyin("order", "apply", order, "-o", tmp_path / "out.pdf", *FIRST)
    assert not (tmp_path / "out.pdf").exists()


def test_a_used_up_order_gives_way_to_the_next(stage, zhengyin, key_of, tmp_path):
    """Two standing orders for one type: the second is used when the first has none left."""
    from cli.own_services import OwnTimestamper

    stamper = OwnTimestamper(stage.pki.tsa)
    desk = sealing_desk(stage, stamper)
    place, now = Placing(page=-1, x_mm=20, y_mm=20), stage.clock.now()
    with pytest.raises(NoStandingOrder):
        desk.seal_under_order(one_page(), place, SealUseOf("w-0", "函告", "registry"), now)
    for _ in range(2):
        order = zhengyin("order", "draft", "default", "--type", "函告", "--count", 1, *HOLDER)["order"]
        file = tmp_path / "order.json"
        zhengyin("order", "export", order, "-o", file)
        zhengyin("order", "sign", file, "-o", file, "--key", key_of("seal-holder"), "--yes")
        zhengyin("order", "add", order, file, *HOLDER)
    pdf, made = one_page(), {}
    for number in (1, 2, 2):  # asked again, as after a crash: the same file, no second use
        use = SealUseOf(f"w-{number}", "函告", "registry")
        sealed = desk.seal_under_order(pdf, place, use, stage.clock.now())
        assert made.setdefault(number, sealed) == sealed
    with pytest.raises(UseAlreadyRequested):
        desk.seal_under_order(pdf + b"\n", place, SealUseOf("w-1", "函告", "registry"), stage.clock.now())
    used = [each["used"] for each in zhengyin("order", "list", "default") if each["type"] == "函告"]
    assert used == [1, 1]


def test_a_status_is_told_for_any_time(zhengyin, active):
    active("asked")
    told = zhengyin("status", "asked")
    assert (told["state"], told["usable"], told["owner_code"]) == ("active", True, "11990000MB9900013U")
    assert zhengyin("status", "asked", "--at", "2020-01-01T00:00+08:00")["state"] == "unknown"


def test_every_command_speaks_json(zhengyin, home, tmp_path):
    zhengyin("picture", "--name", "示例市行政审批局", "-o", tmp_path / "seal.svg")
    for command in (("list",), ("show", "default"), ("uses", "default"), ("ledger", "default"), ("frozen",)):
        assert zhengyin(*command) is not None
        assert not zhengyin(*command, plain=True).lstrip().startswith("{")
    assert open_custody(open_home(home)).pinned("default").holders


def test_a_seal_that_is_made_but_not_active_seals_nothing_even_past_the_register(zhengyin, active, stage):
    active("early", filed_only=True)
    (stop,) = [stop for stop in stage.custody.frozen() if stop.scope == f"{REGISTER}early"]
    assert stop.actor == "seal-maker"
    with pytest.raises(SealingFrozen):
        sign_directly(stage.custody, "early")
    stops = SealStops(stage.settings, stage.seal_register(), stage.custody)
    assert stops.agree() == 0
    with pytest.raises(SealingFrozen):
        sign_directly(stage.custody, "early")
    zhengyin("activate", "early", *FIRST)
    sign_directly(stage.custody, "early")


def test_a_seal_that_a_succession_starts_is_let_go_by_the_worker_that_day(active, stage):
    """The job changes the register alone; the next round finds the maker's stop on an active seal, and only such."""
    active("heir", filed_only=True)
    register, admin = stage.seal_register(), Actor("seal-admin-1", frozenset({"seal_administrator"}))
    register.change("heir", "activate", admin, Why("承接"))
    stops = SealStops(stage.settings, register, stage.custody)
    assert stops.agree() == 0
    sign_directly(stage.custody, "heir")
    stops.change("heir", "suspend", admin, Why("怀疑失控"))
    register.change("heir", "resume", admin, Why("已查明"))
    stops.agree()
    with pytest.raises(SealingFrozen):
        sign_directly(stage.custody, "heir")
