"""The auditor's pages and acts: what they show, who may see them, what each move leaves behind."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from cert_registry.audit.supervision_orders import (
    MOVES,
    OrderRefused,
    OrderState,
    Person,
    SupervisionOrder,
    next_state,
)
from signing_service.kernel.audit_log import REFUSED, AuditEntry
from signing_service.kernel.database import Database

from .supervised_town import AUDITOR, OFFICER, STRANGER, Town

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
ORIGIN = "http://testserver"


@pytest.fixture
def town(database: Database, tmp_path: Path) -> Town:
    return Town(database, tmp_path, NOW)


def browser(town: Town, officer: str) -> TestClient:
    client = TestClient(town.app(ORIGIN), base_url=ORIGIN, headers={"Origin": ORIGIN}, follow_redirects=True)
    client.cookies.set("zhengyin", town.cookie(officer))
    return client


def table(client: TestClient, name: str, query: str = "") -> list[dict[str, str]]:
    answer = client.get(f"/supervision/{name}.csv?{query}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_cards_live_and_a_wrong_one_is_cancelled_with_a_reason(town: Town) -> None:
    town.case("按时的楼", 1)
    late = town.case("超期的楼", 40)
    client = browser(town, AUDITOR)
    page = client.get("/supervision").text
    assert "超期的楼" in page
    assert "红牌" in page
    assert "按时的楼" not in page
    refused = client.post(f"/supervision/cards/{late}/red", data={"text": " "})
    assert refused.status_code == 409
    done = client.post(f"/supervision/cards/{late}/red", data={"text": "系统停机期间不应计时"})
    assert done.status_code == 200
    assert "已撤销" in done.text
    assert table(client, "cards")[0]["cancelled_because"] == "系统停机期间不应计时"
    with town.database.read() as session:
        entry = session.scalar(select(AuditEntry).where(AuditEntry.kind == "supervision.cancel_card"))
        assert entry is not None
        assert (entry.actor, entry.subject, entry.details["card"]) == (AUDITOR, f"case:{late}", "red")
    assert client.post(f"/supervision/cards/{late}/red", data={"text": "again"}).status_code == 409


def test_irregularities_of_a_troubled_case_and_their_filters(town: Town) -> None:
    case = town.troubled_case()
    town.use("night", NOW.replace(hour=18))
    town.clock.instant = NOW + timedelta(days=1)
    client = browser(town, AUDITOR)
    found = {row["finding"] for row in table(client, "findings")}
    assert found == {
        "再次要求补正材料", "要求清单外的材料", "环节缺失或次序颠倒", "落款日期早于用印日期", "非工作时间用印"
    }  # fmt: skip
    one = table(client, "findings", "kind=date_before_seal")
    assert [row["finding"] for row in one] == ["落款日期早于用印日期"]
    assert table(client, "findings", "until=2026-03-01") == []
    assert "无犯罪记录证明" in client.get("/supervision/findings").text
    assert f"subject=case%3A{case}" in client.get("/supervision/findings").text


def test_uses_by_hour_and_holder_with_a_plot(town: Town) -> None:
    for minutes in range(3):
        town.use(f"a{minutes}", NOW + timedelta(minutes=minutes))
    town.use("b", NOW + timedelta(hours=3), actor="deputy")
    town.clock.instant = NOW + timedelta(hours=4)
    client = browser(town, AUDITOR)
    page = client.get("/supervision/uses").text
    assert "<title>10: 3</title>" in page
    assert "<title>13: 1</title>" in page
    assert len(table(client, "uses", "actor=deputy")) == 1
    assert len(table(client, "uses", "seal=other")) == 0


def test_refusals_and_views_can_be_filtered(town: Town) -> None:
    town.log("api.read", purpose="办理施工许可", matter="M1", department_name="示例市住房和城乡建设局")
    town.log("api.file", reason="grant_missing", actor="client:other")
    town.log("case.accept")
    client = browser(town, AUDITOR)
    assert [row["kind"] for row in table(client, "views")] == ["api.read"]
    assert [row["reason"] for row in table(client, "refusals", "kind=grant_missing")] == ["grant_missing"]
    assert table(client, "refusals", "actor=nobody") == []
    assert "办理施工许可" in client.get("/supervision/views").text
    assert "grant_missing" in client.get("/supervision/refusals").text


def test_a_cell_cannot_begin_a_formula(town: Town) -> None:
    town.log("api.file", reason="grant_missing", actor="=cmd()")
    assert table(browser(town, AUDITOR), "refusals")[0]["actor"] == "'=cmd()"


@pytest.mark.parametrize("path", ["", "/uses", "/refusals", "/views", "/findings", "/uses.csv", "/orders/new"])
def test_only_the_auditor_sees_them_and_others_are_logged(town: Town, path: str) -> None:
    assert browser(town, OFFICER).get(f"/supervision{path}").status_code == 403
    with town.database.read() as session:
        refused = session.scalars(select(AuditEntry).where(AuditEntry.result == REFUSED)).all()
    assert [(entry.actor, entry.kind) for entry in refused] == [(OFFICER, "supervision.view")]


def test_an_order_from_opening_to_closing(town: Town) -> None:
    auditor, officer, stranger = (browser(town, who) for who in (AUDITOR, OFFICER, STRANGER))
    form = {"subject": "case:c1", "shown": "示办1", "finding": "second_notice", "department": "approvals"}
    opened = auditor.post("/supervision/orders", data={**form, "text": "请说明为何两次告知"})
    assert opened.status_code == 200
    address = opened.url.path
    assert stranger.get(address).status_code == 404
    assert "再次要求补正材料" in officer.get("/supervision/orders").text
    assert "示办1" not in stranger.get("/supervision/orders").text
    assert auditor.post(f"{address}/close", data={"text": "x"}).status_code == 409
    assert officer.post(f"{address}/explain", data={"text": "首次告知漏项"}).status_code == 200
    assert auditor.post(f"{address}/return", data={"text": "请写明责任人"}).status_code == 200
    for move, text in (("explain", "窗口人员甲"), ("correct", "已培训")):
        assert officer.post(f"{address}/{move}", data={"text": text}).status_code == 200
    assert stranger.post(f"{address}/explain", data={"text": "x"}).status_code == 409
    closed = auditor.post(f"{address}/close", data={"text": "已核实"})
    assert "已销号" in closed.text
    with town.database.read() as session:
        order = session.scalar(select(SupervisionOrder))
        assert order is not None
        assert [each.move for each in order.remarks] == ["open", "explain", "return", "explain", "correct", "close"]
        kinds = session.scalars(select(AuditEntry.kind).where(AuditEntry.subject.like("supervision:%"))).all()
    assert kinds.count("supervision.move") == 2
    assert {"supervision.open", "supervision.explain", "supervision.close"} <= set(kinds)


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("move", [*MOVES, "delete"])
@pytest.mark.parametrize("who", [Person("a", "x", True), Person("o", "approvals", False), Person("s", "x", False)])
def test_every_move_in_every_state_by_everybody(state: OrderState, move: str, who: Person) -> None:
    allowed = {
        (OrderState.OPENED, "explain", "o"), (OrderState.EXPLAINED, "correct", "o"),
        (OrderState.EXPLAINED, "return", "a"), (OrderState.CORRECTED, "return", "a"),
        (OrderState.CORRECTED, "close", "a"),
    }  # fmt: skip
    if (state, move, who.id) in allowed:
        assert next_state(state, move, who, "approvals") is MOVES[move].after
    else:
        with pytest.raises(OrderRefused):
            next_state(state, move, who, "approvals")
