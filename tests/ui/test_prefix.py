"""Tuneloop under a path of a host: links, redirects, cookies, and who is believed about it."""

import re
import secrets

import pytest
from fastapi.testclient import TestClient

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services import projects
from engine.services.rating import invites
from tests import signed_in
from tests.signed_in import browser
from ui import server
from ui.web.prefix import Prefix, cleaned

UNDER = "/tools/tuneloop"
HERE = "https://example.org"
PROXY = "10.1.2.3"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with signed_in.workspace(tmp_path_factory.mktemp("prefix")) as ws:
        held = signed_in.sessions(ws)[signed_in.OWNER]
        yield ws, server.create_app(ws), held


@pytest.fixture(params=["stripped", "left"])
def browse(world, request):
    """A browser of Olga, or of a stranger; the proxy strips the prefix, or leaves it."""
    _, app, held = world

    def opened(known=True, peer=PROXY, **how):
        wall = Prefix(app, **(how or {"root_path": UNDER}))
        at = f"{HERE}{UNDER if request.param == 'left' else ''}"
        return browser(wall, held if known else None, base_url=at, client=(peer, 1))

    return opened


def addresses(page):
    """Every address that a page leads to, but for pictures in it and places on it."""
    found = re.findall(r"\b(?:href|src|action)=[\"']([^\"']*)[\"']", page)
    return {each for each in found if not each.startswith(("data:", "#", "http"))}


@pytest.mark.parametrize("path", ["/account", "/guide", "/guide/data", "/rate/open"])
def test_plain_page_leads_to_addresses_under_the_prefix(browse, path):
    got = browse().get(path)
    assert got.status_code == 200
    found = addresses(got.text)
    assert len(found) > 3
    assert {each for each in found if not each.startswith(f"{UNDER}/")} == set()


def test_every_address_of_a_plain_page_is_there(browse):
    client = browse()
    for path in ("/account", "/guide/operators", "/rate/open"):
        for each in addresses(client.get(path).text):
            inside = each.removeprefix(UNDER).partition("#")[0]
            if inside.endswith("/sign-out"):
                continue
            got = client.get(inside)
            if inside.endswith(("/password", "/people")):  # where forms go
                got = client.post(inside, data={}, headers={"origin": HERE})
                assert "The form was not complete" in got.text
            assert got.status_code in (200, 422), each


def test_page_names_nothing_at_the_root_of_the_host(browse):
    client = browse()
    page = client.get("/").text
    assert '"root":"https://example.org/tools/tuneloop"' in page
    own = {each for each in addresses(page) if re.match(r"/(static|account|guide|rate)\b", each)}
    assert own == set()
    assert client.get("/static/rate.js").status_code == 200
    config = client.get("/config").json()
    assert config["root"] == f"{HERE}{UNDER}"
    said = str(config["components"])
    assert not re.findall(r"(?:href|src)=[\"']/\w+", said)


def test_redirects_and_cookies_stay_under_the_prefix(browse):
    stranger = browse(known=False)
    page = stranger.get("/", headers={"accept": "text/html"})
    assert page.headers["location"] == f"{UNDER}/account/sign-in?then=%2F"
    form = {"name": "Olga", "password": signed_in.WORDS, "then": "/account"}
    got = stranger.post("/account/sign-in", data=form, headers={"origin": HERE})
    assert (got.status_code, got.headers["location"]) == (303, f"{UNDER}/account")
    cookies = got.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert all(f"; Path={UNDER};" in each for each in cookies)


def test_gate_and_limits_see_the_path_of_the_app(browse):
    stranger = browse(known=False)
    assert stranger.get("/health").status_code == 200
    assert stranger.get("/config").status_code == 401
    assert stranger.get("/gradio_api/file=/etc/passwd").status_code == 404
    large = stranger.post("/api/rate/vote", content=b"x" * 300_000)
    assert large.status_code == 413


def test_invitation_opens_under_the_prefix(browse, world):
    ws = world[0]
    project = projects.create(ws, LOCAL, "Shared")
    token = invites.make(ws, LOCAL, project.id, "Ada")
    client = browse(known=False)
    got = client.get(f"/rate/join/{token}")
    assert got.headers["location"] == f"{UNDER}/rate/open"
    assert f"; Path={UNDER};" in got.headers["set-cookie"]


def test_sign_in_link_of_a_person_has_the_prefix(browse):
    form = {"name": f"Person {secrets.token_hex(4)}", "role": "trainer"}
    page = browse().post("/account/people", data=form, headers={"origin": HERE})
    assert f"value='{HERE}{UNDER}/account/welcome/" in page.text


def test_prefix_without_its_slash_leads_to_the_page(world):
    client = TestClient(Prefix(world[1], root_path=UNDER), base_url=HERE, follow_redirects=False)
    got = client.get(UNDER)
    assert (got.status_code, got.headers["location"]) == (308, f"{UNDER}/")


def test_prefix_is_believed_of_a_trusted_proxy_alone(browse):
    headers = {"x-forwarded-prefix": UNDER}
    trusted = browse(proxies=["10.1.0.0/16"]).get("/guide", headers=headers)
    assert trusted.status_code == 200
    assert f'href="{UNDER}/static/guide.css"' in trusted.text


def test_guide_page_that_is_kept_holds_the_prefix_of_no_earlier_request(world):
    client = TestClient(Prefix(world[1], proxies=[PROXY]), base_url=HERE, client=(PROXY, 1))
    for under in ("/first", "", "/second", "/first"):
        told = {"x-forwarded-prefix": under} if under else {}
        text = client.get("/guide", headers=told).text
        assert f'href="{under}/static/guide.css"' in text
        assert f'href="{under}/guide/' in text
        assert not any(f"{other}/" in text for other in {"/first", "/second"} - {under})


@pytest.mark.parametrize(
    ("peer", "told"),
    [
        ("10.9.9.9", UNDER),
        (PROXY, "https://evil.example"),
        (PROXY, "//evil.example"),
        (PROXY, '/a"><script>'),
        (PROXY, "/" + "a/" * 20),
        (PROXY, ""),
    ],
)
def test_prefix_of_a_stranger_or_of_no_path_is_ignored(world, peer, told):
    wall = Prefix(world[1], proxies=[PROXY])
    client = TestClient(wall, base_url=HERE, client=(peer, 1), follow_redirects=False)
    page = client.get("/guide", headers={"x-forwarded-prefix": told})
    assert 'href="/static/guide.css"' in page.text
    assert "evil" not in page.text


@pytest.mark.parametrize("given", ["/tools/tuneloop", "tools/tuneloop/", "/tools/tuneloop/"])
def test_root_path_is_read_with_and_without_slashes(given):
    assert cleaned(given) == UNDER


@pytest.mark.parametrize("given", ["/a b", "https://x.example/a", "/a?b", "/../..//x"])
def test_root_path_that_is_none_is_refused(given):
    with pytest.raises(UserError, match="public path"):
        cleaned(given)
