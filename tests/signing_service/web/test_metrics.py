"""Requests are counted by route and logged by it; metrics are on a listener of their own; readiness is kept."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from signing_service.app import Parts, create_app
from signing_service.kernel.database import Database
from signing_service.settings import Settings, SettingsUnreadable, load_settings
from signing_service.web.health_endpoints import Readiness, Slow
from signing_service.web.metrics import Metrics, Reading

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
SECRET = "CODE-1234"  # stands in an address


class SetClock:
    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> datetime:
        return self.instant


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(lambda: [Reading("zhengyin_ready", "1 where it passes.", 1.0, (("check", "database"),))])


@pytest.fixture
def client(database: Database, tmp_path: Path, metrics: Metrics) -> TestClient:
    routes = APIRouter()

    @routes.get("/c/{payload}")
    def read(payload: str) -> str:
        return payload

    @routes.get("/broken")
    def broken() -> str:
        raise ValueError("nobody named this")

    settings = Settings(tmp_path, "demo", str(database.url), "", "示例市", "http://testserver", frozenset())
    return TestClient(
        create_app(settings, Parts(database=database, clock=SetClock(), routers=[routes], metrics=metrics))
    )


def scraped(metrics: Metrics) -> str:
    with (
        metrics.listening("127.0.0.1", 0) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        return str(answer.read().decode())


def test_requests_are_counted_by_route_never_by_address(client: TestClient, metrics: Metrics) -> None:
    client.get(f"/c/{SECRET}")
    client.get("/broken")
    client.get("/nowhere/at/all")
    text = scraped(metrics)
    assert 'zhengyin_http_requests_total{method="GET",route="/c/{payload}",status="200"} 1.0' in text
    assert 'route="/broken",status="500"' in text
    assert 'route="-",status="404"' in text
    assert SECRET not in text
    assert 'zhengyin_ready{check="database"} 1.0' in text


def test_the_public_side_serves_no_metrics(client: TestClient) -> None:
    assert client.get("/metrics").status_code == 404


def test_a_request_is_one_line_with_its_route_and_id(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "signing_service.web.middleware"):
        answer = client.get(f"/c/{SECRET}?name=secret")
    (line,) = [record for record in caplog.records if record.message == "request"]
    assert (line.route, line.status, line.method) == ("/c/{payload}", 200, "GET")
    assert len(answer.headers["X-Request-ID"]) == 16
    assert SECRET not in str(line.__dict__)


def test_a_costly_check_is_kept_long_while_it_passes_and_asked_again_soon_when_it_fails() -> None:
    clock, asked, works = SetClock(), [], True

    def costly() -> None:
        asked.append(clock.instant)
        if not works:
            raise OSError

    readiness = Readiness({"tsa": Slow(costly), "plain": lambda: None}, clock)
    for minutes in (0, 1, 4.9, 5):
        clock.instant = NOW + timedelta(minutes=minutes)
        assert readiness.answer() == {"tsa": "ok", "plain": "ok"}
    assert len(asked) == 2
    works = False
    clock.instant = NOW + timedelta(minutes=10)
    assert readiness.answer()["tsa"] == "failed"
    works = True
    clock.instant += timedelta(seconds=9)
    assert readiness.answer()["tsa"] == "failed"
    clock.instant += timedelta(seconds=1)
    assert readiness.answer()["tsa"] == "ok"


@pytest.mark.parametrize("listen", ["0.0.0.0:9464", "8.8.8.8:9464", "metrics:9464", "127.0.0.1"])
def test_metrics_are_not_offered_to_the_world(tmp_path: Path, listen: str) -> None:
    lines = ['profile = "demo"', 'database_url = "sqlite://"', 'token_module = ""', 'city = "示例市"']
    lines += ['base_url = "http://127.0.0.1:1"', "outbound_hosts = []", f'metrics_listen = "{listen}"']
    (tmp_path / "settings.toml").write_text("\n".join(lines))
    with pytest.raises(SettingsUnreadable, match="metrics_listen"):
        load_settings(tmp_path)
