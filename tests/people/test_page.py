"""A server that asks who somebody is: what strangers reach, and the pages of an account."""

import html
import re
import time

import pytest
from fastapi.testclient import TestClient
from starlette.routing import Mount, Route

from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.people import accounts, sign_in
from engine.services.rating import invites
from engine.store import sessions, votes
from engine.store.connect import reading, writing
from tests import signed_in
from tests.signed_in import HERE, WORDS, browser
from tests.ui import seed
from ui import server
from ui.web.security import CLOSED
from ui.web.session import BROWSER, COOKIE
from ui.web.sign_in_gate import is_open


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    """One workspace for all tests of this file: the page takes a while to build."""
    with signed_in.workspace(tmp_path_factory.mktemp("account")) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def app(ws):
    return server.create_app(ws)


@pytest.fixture(scope="module")
def people(ws):
    """Somebody of each role, by what their browser holds; the trainer and the rater are in one."""
    one = projects.create(ws, LOCAL, "One <b>project</b>")
    others = {"Ada": ("trainer", [one.id]), "Ben": ("rater", [one.id])}
    held = signed_in.sessions(ws, others)
    return {"owner": held["Olga"], "trainer": held["Ada"], "rater": held["Ben"]}


@pytest.fixture
def browse(app, people):
    """A browser of somebody, or of a stranger."""

    def opened(role=None):
        return browser(app, people[role] if role else None)

    return opened


def every_path(routes, before=""):
    """(method, path) of each route, of apps mounted and routers included as well."""
    for route in routes:
        if isinstance(route, Mount):
            yield from every_path(route.routes, before + route.path)
        elif isinstance(route, Route):
            path = re.sub(r"\{[^}]*\}", "x", before + route.path)
            yield from ((method, path) for method in route.methods or ())
        else:  # FastAPI keeps an included router as one route; its paths have their prefix
            included = route.original_router
            prefix = route.include_context.prefix.removeprefix(included.prefix)
            yield from every_path(included.routes, before + prefix)


def test_stranger_reaches_the_sign_in_only(app, browse):
    """Every route that any library brought along, and every event of the page by all its doors."""
    stranger = browse()
    paths = {pair for pair in every_path(app.routes) if not is_open(pair[1])}
    events = app.state.demo.get_config_file()["dependencies"]
    names = {one["api_name"] for one in events if one["api_name"]}
    for name in [*names, "x"]:
        paths |= {("POST", f"/gradio_api/{door}/{name}") for door in ("run", "call", "api")}
    assert {("POST", "/gradio_api/queue/join"), ("GET", "/gradio_api/file=x")} <= paths
    assert len(paths) > 100
    reached = {}
    for method, path in sorted(paths):
        got = stranger.request(method, path, json={} if method == "POST" else None)
        nobodys = any(part in path for part in CLOSED)
        if got.status_code != (404 if nobodys else 401):
            reached[method, path] = got.status_code
    assert reached == {}


def test_open_routes_reveal_nothing(browse):
    stranger = browse()
    assert stranger.get("/health").json().keys() == {"ok", "version", "worker"}
    assert stranger.get("/account").headers["location"] == "/account/sign-in?then=/account"
    for path in ("/rate/open", "/rate/round-1"):
        assert stranger.get(path).headers["location"].startswith("/account/sign-in")
    for path in ("/api/rate/rounds?project=x", "/api/rate/round-1/next"):
        assert stranger.get(path).status_code == 401
    assert stranger.post("/api/rate/vote", json={}).status_code == 401


def test_page_leads_a_stranger_to_the_sign_in_and_a_program_gets_401(browse):
    page = browse().get("/", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/account/sign-in?then=%2F")
    assert browse().get("/config").status_code == 401
    assert browse().get("/config").headers["x-tuneloop"] == "signed-out"


def test_rater_reaches_their_rounds_and_not_the_page(browse):
    ben = browse("rater")
    page = ben.get("/", headers={"accept": "text/html"})
    assert page.headers["location"] == "/rate/open"
    assert ben.get("/config").status_code == 403
    assert ben.post("/gradio_api/queue/join", json={}).status_code == 403
    assert "Your account" in ben.get("/rate/open").text


@pytest.mark.parametrize("role", ["trainer", "owner"])
def test_trainers_and_owners_reach_the_page(browse, role):
    assert browse(role).get("/config").status_code == 200
    assert browse(role).get("/gradio_api/info").status_code == 200


@pytest.mark.parametrize("held", ["x", "x" * 43, "", "' OR 1=1 --"])
def test_made_up_cookie_is_a_stranger(app, held):
    got = TestClient(app, base_url=HERE, cookies={COOKIE: held}).get("/config")
    assert got.status_code == 401


def test_sign_in_leads_to_the_page_that_was_asked_for(browse):
    stranger = browse()
    form = {"name": "ada", "password": WORDS, "then": "/rate/round-1"}
    got = stranger.post("/account/sign-in", data=form)
    assert (got.status_code, got.headers["location"]) == (303, "/rate/round-1")
    cookie = got.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert stranger.get("/config").status_code == 200


@pytest.mark.parametrize(
    "then", ["//evil.example", "https://evil.example", "/\\evil.example", "/rate/../..//x", "/%2f"]
)
def test_sign_in_redirects_to_this_server_only(browse, then):
    form = {"name": "ada", "password": WORDS, "then": then}
    assert browse().post("/account/sign-in", data=form).headers["location"] == "/"


def test_wrong_password_is_said_on_the_same_page_with_the_name_kept(browse):
    got = browse().post("/account/sign-in", data={"name": "Ada", "password": "wrong words here"})
    assert got.status_code == 422
    assert "name or the password is wrong" in got.text
    assert "value='Ada'" in got.text
    assert "wrong words here" not in got.text


def test_session_cookie_is_secure_over_https(app, people):
    safe = TestClient(app, base_url="https://tuneloop.example", follow_redirects=False)
    got = safe.post("/account/sign-in", data={"name": "ada", "password": WORDS})
    assert "; Secure" in got.headers["set-cookie"]
    assert "not encrypted" in browse_page(app, "http://tuneloop.example")
    assert "not encrypted" not in browse_page(app, "https://tuneloop.example")
    assert "not encrypted" not in browse_page(app, "http://127.0.0.1:7860")


def browse_page(app, base):
    return TestClient(app, base_url=base).get("/account/sign-in").text


def test_form_of_another_site_is_refused(browse):
    for path in ("/account/sign-in", "/account/people", "/account/password", "/account/sign-out"):
        got = browse("owner").post(path, data={}, headers={"origin": "https://evil.example"})
        assert got.status_code == 403


def test_owner_lets_somebody_in_by_a_link_that_is_shown_once(browse, ws):
    olga = browse("owner")
    one = projects.list_all(ws, LOCAL)[0]
    form = {"name": "Cleo", "role": "rater", "projects": [one.id]}
    page = olga.post("/account/people", data=form).text
    link = re.search(r"value='(http[^']+)'", page)[1]
    assert link.startswith(f"{HERE}/account/welcome/")
    path = link.removeprefix(HERE)
    made = accounts.find_by_name(ws, LOCAL, "Cleo")
    assert path not in olga.get(f"/account/people/{made.id}").text
    stranger = browse()
    assert "Welcome" in stranger.get(path).text
    wrong = {"name": "Cleo", "password": WORDS, "again": "other words in a row"}
    assert "not the same" in stranger.post(path, data=wrong).text
    came = stranger.post(path, data={**wrong, "again": WORDS})
    assert (came.status_code, came.headers["location"]) == (303, "/rate/open")
    assert stranger.get("/rate/open").status_code == 200
    assert "works once" in browse().get(path).text


def test_person_is_changed_closed_and_opened_again(browse, ws):
    olga = browse("owner")
    made, _ = accounts.add(ws, LOCAL, "Dora", "trainer")
    at = f"/account/people/{made.id}"
    assert "Saved." in olga.post(at, data={"role": "rater"}).text
    assert accounts.get(ws, LOCAL, made.id).role == "rater"
    assert "is closed and signed out" in olga.post(f"{at}/close").text
    assert accounts.get(ws, LOCAL, made.id).status == "closed"
    assert "can sign in again" in olga.post(f"{at}/reopen").text
    assert olga.post(f"{at}/anything").status_code == 422
    assert olga.get("/account/people/person-0").status_code == 404


@pytest.mark.parametrize("role", ["trainer", "rater"])
def test_accounts_are_hidden_from_trainers_and_raters(browse, ws, role):
    other = browse(role)
    made = accounts.find_by_name(ws, LOCAL, "Olga")
    assert "Let somebody in" not in other.get("/account").text
    assert "Olga" not in other.get("/account").text
    forms = {"name": "Eve", "role": "owner"}
    for path in (
        "people",
        f"people/{made.id}",
        f"people/{made.id}/link",
        f"people/{made.id}/close",
    ):
        assert other.post(f"/account/{path}", data=forms).status_code in (403, 405)
    assert other.get(f"/account/people/{made.id}").status_code == 403


def test_password_is_changed_and_other_browsers_are_signed_out(app, ws, browse):
    accounts.add(ws, LOCAL, "Finn", "trainer")
    made = accounts.find_by_name(ws, LOCAL, "Finn")
    token = sign_in.accept(ws, accounts.new_link(ws, LOCAL, made.id), "Finn", WORDS)
    finn = browser(app, token)
    new = {"old": WORDS, "password": "other words in a row", "again": "other words in a row"}
    assert "not right" in finn.post("/account/password", data={**new, "old": "x"}).text
    assert "is changed" in finn.post("/account/password", data=new).text
    assert sign_in.actor(ws, token) is None
    form = {"name": "Finn", "password": "other words in a row"}
    assert browse().post("/account/sign-in", data=form).status_code == 303


def test_signing_out_leads_to_the_sign_in_and_ends_the_session(app, ws):
    token = sign_in.sign_in(ws, "Ada", WORDS)
    ada = browser(app, token)
    assert ada.post("/account/sign-out").headers["location"] == "/account/sign-in"
    assert sign_in.actor(ws, token) is None


def test_sign_in_form_that_is_incomplete_is_a_sentence(browse):
    got = browse().post("/account/sign-in", data={"name": "Ada"})
    assert got.status_code == 422
    assert "not complete" in got.text


def test_names_are_text_on_every_page(browse, ws):
    page = browse("owner").get("/account").text
    assert "<b>project</b>" not in page
    assert html.escape("One <b>project</b>") in page


def test_invitation_opens_its_rounds_without_an_account(browse, ws, tmp_path):
    one = seed.open_round(ws, tmp_path)
    token = invites.make(ws, LOCAL, one.project_id, "Gast")
    invited = browse()
    assert invited.get(f"/rate/join/{token}").status_code == 303
    assert one.name in invited.get("/rate/open").text
    assert "Your account" not in invited.get("/rate/open").text
    assert invited.get(f"/api/rate/{one.id}/next").json()["comparison"]
    assert invited.get("/config").status_code == 401


def test_round_of_a_project_that_is_not_theirs_does_not_exist(browse, ws, tmp_path):
    one = seed.open_round(ws, tmp_path)
    for role in ("rater", "trainer"):
        who = browse(role)
        assert who.get(f"/api/rate/{one.id}/next").status_code == 404
        assert who.get(f"/rate/{one.id}").status_code == 404
        assert who.get("/api/rate/rounds", params={"project": one.project_id}).status_code == 404
        assert one.name not in who.get("/rate/open").text
    assert browse("owner").get(f"/api/rate/{one.id}/next").status_code == 200


def test_votes_carry_the_name_of_the_account(browse, ws, tmp_path):
    one = seed.open_round(ws, tmp_path)
    accounts.add(ws, LOCAL, "Hana", "rater", [one.project_id])
    made = accounts.find_by_name(ws, LOCAL, "Hana")
    token = sign_in.accept(ws, accounts.new_link(ws, LOCAL, made.id), "Hana", WORDS)
    hana = browse()
    hana.cookies.set(COOKIE, token)
    shown = hana.get(f"/api/rate/{one.id}/next").json()["comparison"]
    body = {"token": shown["token"], "key": "key-00000001", "choice": "left", "active_ms": 9,
            "via": "key"}  # fmt: skip
    assert hana.post("/api/rate/vote", json=body).status_code == 200
    with reading(ws.db) as conn:
        assert {vote.rater for vote in votes.live(conn, [one.id])} == {"Hana"}


def set_cookies(answer):
    return {line.partition("=")[0]: line for line in answer.headers.get_list("set-cookie")}


@pytest.mark.parametrize(
    ("headers", "secure"),
    [
        ({}, False),
        ({"x-forwarded-proto": "https"}, True),
        ({"origin": HERE.replace("http:", "https:")}, True),
        ({"origin": HERE}, False),
    ],
)
def test_cookies_are_secure_behind_any_proxy_that_speaks_https(ws, browse, headers, secure):
    form = {"name": "Ada", "password": WORDS, "then": "/"}
    got = set_cookies(browse().post("/account/sign-in", data=form, headers=headers))
    assert set(got) == {COOKIE, BROWSER}
    assert all(("; Secure" in line) is secure for line in got.values())
    assert all("HttpOnly" in line for line in got.values())
    project = projects.create(ws, LOCAL, "With a rater")
    link = f"/rate/join/{invites.make(ws, LOCAL, project.id, 'Gast')}"
    [rater] = set_cookies(browse().get(link, headers=headers)).values()
    assert ("; Secure" in rater) is secure


def test_sign_in_of_a_known_browser_passes_where_strangers_wait(app, ws, people):
    _, token = accounts.add(ws, LOCAL, "Kim", "trainer")
    mine = browser(app)
    form = {"name": "Kim", "password": WORDS, "again": WORDS}
    assert mine.post(f"/account/welcome/{token}", data=form).status_code == 303
    mine.post("/account/sign-out")
    stranger = browser(app)
    wrong = {"name": "Kim", "password": "wrong words here", "then": "/"}
    while stranger.post("/account/sign-in", data=wrong).status_code != 403:
        pass
    right = {"name": "Kim", "password": WORDS, "then": "/"}
    assert stranger.post("/account/sign-in", data=right).status_code == 403
    assert mine.post("/account/sign-in", data=right).status_code == 303
    assert mine.get("/config").status_code == 200


def test_new_sign_in_ends_the_session_before_it_in_that_browser(app, ws, people):
    _, token = accounts.add(ws, LOCAL, "Lea", "trainer")
    held = sign_in.accept(ws, token, "Lea", WORDS)
    lea = browser(app, held)
    with writing(ws.db) as conn:
        sessions.forgive_older(conn, time.time() + 1)  # what other tests of this file counted
    form = {"name": "Lea", "password": WORDS, "then": "/"}
    assert lea.post("/account/sign-in", data=form).status_code == 303
    assert sign_in.actor(ws, held) is None


def test_invitation_for_one_browser_lets_in_one_browser(ws, app):
    project = projects.create(ws, LOCAL, "Limited")
    token = invites.make(ws, LOCAL, project.id, "Gast", most_browsers=1)
    first, second, third = (browser(app) for _ in range(3))
    assert second.get(f"/rate/join/{token}").status_code == 303  # a look at the link counts nothing
    for _ in range(2):
        assert first.get(f"/rate/join/{token}").status_code == 303
        assert first.get("/rate/open").status_code == 200
    assert second.get("/rate/open").status_code == 403
    assert "for one browser" in third.get(f"/rate/join/{token}").text
    assert first.get("/rate/open").status_code == 200
