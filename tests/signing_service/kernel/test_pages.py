from datetime import UTC, datetime

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from jinja2 import UndefinedError

from signing_service.errors import Text
from signing_service.kernel.pages import Link, Pages, render, when

INSTANT = datetime(2026, 11, 24, 7, 4, tzinfo=UTC)


@pytest.fixture
def client(tmp_path):
    (tmp_path / "hello.html").write_text(
        '{% extends "shell.html" %}{% block title %}{{ t("你好", "Hello") }}{% endblock %}'
        "{% block content %}<h1>{{ word }}</h1>{{ when(at) }}{% endblock %}"
    )
    app = FastAPI()
    app.state.pages = Pages(tmp_path, name=Text("政印", "Zhengyin"), links=[Link("/desk", Text("待签", "Desk"))])

    @app.get("/hello")
    def hello(request: Request):
        return render(request, "hello.html", word="<b>", at=INSTANT)

    @app.get("/broken")
    def broken(request: Request):
        return render(request, "hello.html", at=INSTANT)

    return TestClient(app)


def test_chinese_is_first(client):
    page = client.get("/hello").text
    assert '<html lang="zh-CN">' in page
    assert "<title>你好 – 政印</title>" in page
    assert "2026年11月24日 15:04 (UTC+8)" in page
    assert "待签" in page


def test_the_language_is_switched_and_stays(client):
    assert "24 November 2026 at 15:04 (UTC+8)" in client.get("/hello?lang=en&page=2").text
    page = client.get("/hello").text
    assert '<html lang="en">' in page
    assert 'href="?lang=zh"' in page


def test_the_switch_keeps_the_rest_of_the_address(client):
    assert 'href="?page=2&amp;lang=en"' in client.get("/hello?page=2").text


def test_values_are_escaped(client):
    assert "<h1>&lt;b&gt;</h1>" in client.get("/hello").text


def test_a_missing_value_is_an_error(client):
    with pytest.raises(UndefinedError):
        client.get("/broken")


def test_dates_are_local_and_say_so():
    assert when(datetime(2026, 1, 1, 16, 30, tzinfo=UTC), "zh") == "2026年1月2日 00:30 (UTC+8)"
