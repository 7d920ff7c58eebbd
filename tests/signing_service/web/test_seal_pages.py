"""/seals over a whole home: a seal's life by two administrators, the holder's orders, break-glass, the stop switch."""

import io
import json
import re

import httpx
import pikepdf
import pypdfium2
import pytest
from PIL import Image

from cli.main import app
from cli.seal_making import make_structure
from signing_service.custody.ledger import REGISTER
from signing_service.pki.rules import Actor
from signing_service.seals.authorisation_errors import AuthorisationWithdrawn
from signing_service.seals.structures import read_seal

APPLICATION = {
    "name": "示例市行政审批局", "bottom_line": "审批专用章", "kind": "special", "owner": "approvals", "shape": "round",
    "diameter": "42", "years": "3", "holder": "seal-holder", "per_day": "5", "types": "批复、函", "reason": "新设窗口",
    "basis": "示例政发〔2026〕1号",
}  # fmt: skip


def apply_for(first, seal_id, **changed):
    return first.post("/seals/-/new", data={"id": seal_id, **APPLICATION, **changed})


def make(seals, seal_id):
    """What `zhengyin seals make` does on custody's machine."""
    register, actor = seals.stage.seal_register(), Actor("seal-admin-1", frozenset({"seal_administrator"}))
    with register.database.read() as session:
        row = register.find(session, seal_id)
    register.make(seal_id, make_structure(seals.settings, register, row), actor)


def activate(seals, first, second, seal_id, **changed):
    assert apply_for(first, seal_id, **changed).status_code == 200
    second.post(f"/seals/{seal_id}/acts/approve")
    make(seals, seal_id)
    first.post(f"/seals/{seal_id}/acts/file", data={"basis": "示例备案 2026-0001"})
    return first.post(f"/seals/{seal_id}/acts/activate")


@pytest.fixture(scope="module")
def officers(whole_home):
    """Logged-in browsers of the first and the second administrator, the holder and a reviewer."""
    whole_home.activate()
    names = ("seal-admin-1", "seal-admin-2", "seal-holder", "reviewer-1")
    opened = [whole_home.browser(name) for name in names]
    yield opened
    for browser in opened:
        browser.close()


def sign(seals, officer, order, tmp_path, capsys):
    """The officer on the own PC: the file is read, consented to and signed; gives the signed file."""
    source, signed = tmp_path / "order.json", tmp_path / f"signed-{officer}.json"
    source.write_bytes(order)
    arguments = ["seals", "order", "sign", str(source), "-o", str(signed), "--key", seals.key_uri(officer)]
    app([*arguments, "--module", seals.settings.token_module, "--yes", "--json"], standalone_mode=False)
    capsys.readouterr()
    return signed.read_bytes()


def test_a_seal_from_application_to_use_and_back_by_two_administrators(seals, officers):
    first, second, holder, _ = officers
    page = apply_for(first, "permits")
    assert (page.status_code, page.url.path) == (200, "/seals/permits")
    own = first.post("/seals/permits/acts/approve")
    assert own.status_code == 422
    assert "申请人不能自行审批" in own.text
    assert "已批准" in second.post("/seals/permits/acts/approve").text
    assert "zhengyin --home HOME seals make permits" in first.get("/seals/permits/acts/make").text
    make(seals, "permits")
    missing = first.post("/seals/permits/acts/file", data={"reason": "按规定"})
    assert "必须写明依据" in missing.text
    assert 'value="按规定"' in missing.text
    first.post("/seals/permits/acts/file", data={"basis": "示例备案 2026-0001"})
    shown = first.post("/seals/permits/acts/activate").text
    for fact in ("示例备案 2026-0001", "印章管理员乙", "示例政发〔2026〕1号", "ECDSA-SHA256", "完好", "批复、函"):
        assert fact in shown, fact
    seal = read_seal(first.get("/seals/permits/seal.esl").content)
    assert (seal.version, seal.es_id) == (4, "permits")
    assert first.get("/seals/permits/picture.png").content == seal.picture
    assert first.get("/seals/permits/picture.svg").text.startswith("<svg")
    assert "permits" in holder.get("/seals").text


def test_suspension_reaches_custody_and_resuming_lifts_it(seals, officers):
    first, second, holder, _ = officers
    activate(seals, first, second, "paused")
    assert "停用" in holder.post("/seals/paused/acts/suspend", data={"reason": "USB Key 遗失"}).text
    stops = {stop.scope: stop for stop in seals.stage.custody.frozen()}
    assert stops[f"{REGISTER}paused"].actor == "seal-holder"
    assert holder.post("/seals/paused/acts/resume", data={"reason": "找到了"}).status_code == 422
    second.post("/seals/paused/acts/resume", data={"reason": "已查明"})
    assert f"{REGISTER}paused" not in {stop.scope for stop in seals.stage.custody.frozen()}


def test_what_cannot_be_undone_asks_for_the_seals_id(seals, officers):
    first, second, *_ = officers
    activate(seals, first, second, "ended")
    data = {"reason": "机构撤销", "basis": "示例政发〔2026〕9号"}
    refused = first.post("/seals/ended/acts/cancel", data={**data, "typed": "wrong"})
    assert (refused.status_code, "请输入印章编号确认" in refused.text) == (422, True)
    assert "已注销" in first.post("/seals/ended/acts/cancel", data={**data, "typed": "ended"}).text
    assert f"{REGISTER}ended" in {stop.scope for stop in seals.stage.custody.frozen()}


def test_a_new_seal_takes_an_old_ones_place(seals, officers):
    first, second, *_ = officers
    activate(seals, first, second, "older")
    assert "没有可以接替的新印章" in first.get("/seals/older/replace").text
    apply_for(first, "newer", replaces="older")
    second.post("/seals/newer/acts/approve")
    make(seals, "newer")
    first.post("/seals/newer/acts/file", data={"basis": "示例备案 2026-0002"})
    page = first.post("/seals/older/replace", data={"new": "newer", "reason": "印模磨损", "typed": "older"})
    assert "已换发" in page.text
    assert 'href="/seals/newer"' in page.text
    status = httpx.get(f"{seals.origin}/api/v1/seals/older/status").json()
    assert (status["state"], status["replaced_by"], status["usable"]) == ("replaced", "newer", False)


def test_conditions_are_changed_by_two(seals, officers):
    first, second, holder, _ = officers
    activate(seals, first, second, "limited")
    proposed = {"per_day": "9", "hour_from": "08:30", "two_persons": "yes", "reason": "业务调整"}
    page = first.post("/seals/limited/conditions", data=proposed)
    number = re.search(r"limited/conditions/(\d+)/approve", second.get("/seals/limited/conditions").text)[1]
    assert "/approve" not in page.text
    assert first.post(f"/seals/limited/conditions/{number}/approve").status_code == 422
    second.post(f"/seals/limited/conditions/{number}/approve")
    assert "08:30" in holder.get("/seals/limited").text
    bad = first.post("/seals/limited/conditions", data={"per_day": "many", "reason": "业务再调整"})
    assert bad.status_code == 422
    assert 'value="many"' in bad.text
    assert 'value="业务再调整"' in bad.text


def test_a_holder_gives_a_standing_order_with_the_usb_key_and_takes_it_back(seals, officers, tmp_path, capsys):
    first, _, holder, _ = officers
    draft = {"seal": "default", "document_type": "批复", "count": "3", "days": "30"}
    assert first.post("/seals/-/orders", data=draft).status_code == 422
    page = holder.post("/seals/-/orders", data=draft)
    order_id = page.url.path.rsplit("/", 1)[1]
    order = holder.get(f"/seals/-/orders/{order_id}/order.json").content
    stranger = sign(seals, "seal-admin-1", order, tmp_path, capsys)
    refused = holder.post(f"/seals/-/orders/{order_id}/signed", files={"file": ("s.json", stranger)})
    assert "不是该印章持有人" in refused.text
    signed = sign(seals, "seal-holder", order, tmp_path, capsys)
    assert "已签署" in holder.post(f"/seals/-/orders/{order_id}/signed", files={"file": ("s.json", signed)}).text
    now = seals.stage.clock.now()
    assert [each.id for each in seals.stage.order_book().standing("default", "批复", now)] == [order_id]
    assert "批复" in holder.get("/seals/-/mine").text
    holder.post(f"/seals/-/orders/{order_id}/withdraw", data={"reason": "不再需要"})
    assert seals.stage.order_book().standing("default", "批复", now) == []
    with pytest.raises(AuthorisationWithdrawn):
        seals.stage.custody.seal("default", *_attributes(seals, signed))


def _attributes(seals, signed):
    from hardware.ports import Mechanism
    from signing_service.pdf.cms_attributes import build_signed_attributes

    certificate = seals.stage.custody.seal_certificates("default")[0]
    return build_signed_attributes(b"d" * 32, certificate), signed, Mechanism.ECDSA_SHA256


def test_break_glass_takes_two_persons_and_the_holder_sees_it(seals, officers, tmp_path, capsys):
    first, second, holder, _ = officers
    form = {"document_type": "批复", "reason": "持有人住院", "hours": "2", "place": "corner"}
    nothing = first.post("/seals/default/emergency", data=form, files={"file": ("x.pdf", b"no pdf")})
    assert nothing.status_code == 422
    page = first.post("/seals/default/emergency", data=form, files={"file": ("急件.pdf", one_page())})
    order_id = page.url.path.rsplit("/", 1)[1]
    address = f"/seals/-/orders/{order_id}"
    for browser, name, signatures in ((first, "seal-admin-1", "1 / 2"), (second, "seal-admin-2", "2 / 2")):
        signed = sign(seals, name, browser.get(f"{address}/order.json").content, tmp_path, capsys)
        assert signatures in browser.post(f"{address}/signed", files={"file": ("s.json", signed)}).text
    assert holder.post(f"{address}/seal").status_code == 403
    assert "已办结" in second.post(f"{address}/seal").text
    sealed = holder.get(f"{address}/sealed.pdf").content
    _seal_prints_and_shows_nobodys_number(sealed)
    assert seals.stage.judge(sealed).as_json()["signatures"][0]["integrity"] == "intact"
    assert "您不在时的应急用印" in holder.get("/seals/-/mine").text
    assert "持有人住院" in holder.get(address).text
    assert second.post(f"{address}/seal").status_code == 409


def _seal_prints_and_shows_nobodys_number(sealed):
    """Field reports B33 and B54: printed, not hidden, red on paper; outlines alone, no text of a certificate."""
    with pikepdf.open(io.BytesIO(sealed)) as document:
        (widget,) = document.pages[0].Annots
        assert int(widget.F) & 4
        assert not int(widget.F) & 0b100011
        assert str(widget.V.Name) == "示例市行政审批局"
        assert "/ContactInfo" not in widget.V
    page = pypdfium2.PdfDocument(sealed)
    page.init_forms()
    bitmap = page[0].render(scale=1, may_draw_forms=True, optimize_mode="print").to_pil().convert("RGB")
    red = sum(1 for r, g, b in bitmap.getdata() if r > 180 and g < 90 and b < 90)
    assert red > 500
    assert page[0].get_textpage().get_text_range() == ""


def one_page():
    document = pypdfium2.PdfDocument.new()
    document.new_page(595, 842)
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def test_the_stop_switch_stops_a_bureau_and_says_how_to_lift_it(seals, officers):
    first, _, holder, _ = officers
    data = {"scope": "bureau:housing", "reason": "怀疑失控"}
    assert first.post("/seals/-/stops", data={**data, "typed": "no"}).status_code == 422
    shown = first.post("/seals/-/stops", data={**data, "typed": "停止"}).text
    assert "bureau:housing" in shown
    assert "zhengyin seals thaw" in shown
    assert holder.post("/seals/-/stops", data={**data, "typed": "停止"}).status_code == 403


def test_a_preview_is_drawn_exported_and_refused_by_name(seals, officers):
    first, _, holder, _ = officers
    query = "name=示例市行政审批局&bottom_line=审批专用章&diameter=45.0"
    assert "45.0 × 45.0 mm" in first.get(f"/seals/-/preview?{query}").text
    picture = Image.open(io.BytesIO(first.get(f"/seals/-/preview.png?{query}").content))
    assert picture.size == (1063, 1063)
    assert first.get(f"/seals/-/preview.svg?{query}&save=true").headers["content-disposition"]
    assert "名称应为 1 至 30 个字" in first.get("/seals/-/preview?name=" + "示" * 31).text
    assert holder.get("/seals/-/preview").status_code == 403


def test_the_list_filters_sorts_and_exports(seals, officers):
    first, *_ = officers
    apply_for(first, "listed", bottom_line="收文专用章")
    assert "listed" in first.get("/seals?q=LISTED&state=requested&kind=special&sort=until").text
    assert "没有符合条件的印章" in first.get("/seals?q=listed&state=void").text
    table = first.get("/seals/-/list.csv?q=listed").content.decode("utf-8-sig").splitlines()
    assert table[0] == "id,name,owner,code,state,valid_until"
    assert [line.split(",")[0] for line in table[1:]] == ["listed"]


def test_nobody_sees_what_is_not_theirs(seals, officers):
    first, _, holder, reviewer = officers
    apply_for(first, "foreign", holder="reviewer-1")
    assert reviewer.get("/seals").status_code == 403
    for address in ("/seals/default", "/seals/nothing", "/seals/-/orders/" + "0" * 32):
        assert reviewer.get(address).status_code == 404
    assert holder.get("/seals/foreign").status_code == 404
    assert holder.get("/seals/-/new").status_code == 403
    assert httpx.get(f"{seals.origin}/seals/default", headers={"accept": "text/html"}).status_code == 303
    elsewhere = first.post("/seals/default/acts/suspend", data={"reason": "x"}, headers={"origin": "https://evil"})
    assert elsewhere.status_code == 403


def test_a_succession_is_drafted_and_reviewed_on_the_page(seals, officers):
    first, second, *_ = officers
    activate(seals, first, second, "housing-old", owner="housing", name="示例市住房和城乡建设局")
    form = "old=housing&new=approvals&day=2099-01-01&basis=示例政发〔2026〕9号"
    assert "housing-old" in first.get(f"/seals/-/successions/new?{form}").text
    draft = {"old": "housing", "new": "approvals", "day": "2099-01-01", "basis": "示例政发〔2026〕9号"}
    incomplete = first.post("/seals/-/successions", data=draft)
    assert "清单与在用印章不一致" in incomplete.text
    listed = first.post("/seals/-/successions", data={**draft, "seal": "housing-old", "instead": ""})
    number = re.search(r"successions/(\d+)/review", second.get("/seals/-/successions").text)[1]
    assert "/review" not in listed.text
    assert "已复核,待生效" in second.post(f"/seals/-/successions/{number}/review").text


def test_the_openapi_document_shows_the_status_with_an_example(seals):
    document = json.loads(httpx.get(f"{seals.origin}/api/openapi.json").text)
    operation = document["paths"]["/api/v1/seals/{seal_id}/status"]["get"]
    assert {"200", "400", "404", "429"} <= set(operation["responses"])
    assert document["components"]["schemas"]["SealStatus"]["example"]["seal"] == "permits"
