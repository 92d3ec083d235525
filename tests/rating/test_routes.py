"""The rating routes over HTTP: who may vote, what is one vote, and what never leaves the server."""

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from engine.core.actor import LOCAL
from engine.services.rating import invites, rounds
from engine.services.rating.plans import RoundRecipe
from engine.store import pair_exports
from engine.store import rounds as round_store
from engine.store import votes as vote_store
from engine.store.connect import reading, writing
from tests.ui import seed
from ui.components.safe_text import TAGS
from ui.pages.rating import routes


@pytest.fixture
def app(ws):
    app = FastAPI()
    app.include_router(routes.router(ws))
    return app


@pytest.fixture
def client(app):
    return TestClient(app)


@pytest.fixture
def one(ws, tmp_path):
    return seed.open_round(ws, tmp_path)


def pair(client, one):
    answer = client.get(f"/api/rate/{one.id}/next")
    assert answer.status_code == 200, answer.text
    return answer.json()["comparison"]


def vote(client, shown, key="key-00000001", choice="left", **more):
    body = {"token": shown["token"], "key": key, "choice": choice, "active_ms": 1200, "via": "key"}
    return client.post("/api/rate/vote", json=body | more)


def standing(ws, one):
    with reading(ws.db) as conn:
        return vote_store.live(conn, [one.id])


def test_reload_shows_the_same_pair_on_the_same_sides(client, one):
    assert pair(client, one) == pair(client, one)


def test_cookie_is_unreadable_for_scripts_and_set_once(client, one):
    first = client.get(f"/api/rate/{one.id}/next").headers["set-cookie"]
    assert "HttpOnly" in first
    assert "SameSite=Lax" in first
    assert "set-cookie" not in client.get(f"/api/rate/{one.id}/next").headers


def test_cookie_that_this_server_never_made_is_replaced(app, one):
    client = TestClient(app, cookies={"tl_rater": "local'; drop"})
    assert "set-cookie" in client.get(f"/api/rate/{one.id}/next").headers


def test_rater_cookie_works_in_the_frame_of_a_space(ws, one):
    app = FastAPI()
    app.include_router(routes.router(ws, space=True))
    client = TestClient(app, base_url="https://a.hf.space")
    made = client.get("/rate/open").headers["set-cookie"]
    assert "SameSite=None; Secure; Partitioned" in made


def test_vote_in_a_space_needs_an_invitation_to_the_project(ws, one):
    app = FastAPI()
    app.include_router(routes.router(ws, space=True))
    here = "https://a.hf.space"
    passer, invited = TestClient(app, base_url=here), TestClient(app, base_url=here)
    assert passer.get(f"/api/rate/{one.id}/next").status_code == 404
    assert passer.get(f"/api/rate/{one.id}/progress").status_code == 404
    invited.get(f"/rate/join/{invites.make(ws, LOCAL, one.project_id, 'Ada')}")
    vote(invited, pair(invited, one))
    assert invited.get(f"/api/rate/{one.id}/progress").json()["guest"] is False
    assert [each.rater[:5] for each in standing(ws, one)] == ["Ada ("]
    held = pair(invited, one)
    assert vote(passer, held, f"key-{secrets.token_hex(8)}").status_code == 404


def test_local_rater_is_no_guest(client, ws, one):
    vote(client, pair(client, one))
    assert client.get(f"/api/rate/{one.id}/progress").json()["guest"] is False
    assert len(standing(ws, one)) == 1


def test_two_raters_never_hold_the_same_pair(app, one):
    shown = [pair(TestClient(app), one) for _ in range(4)]
    assert len({each["prompt_html"] for each in shown}) == 4


def test_same_key_five_times_at_once_is_one_vote_with_one_answer(ws, client, one):
    shown = pair(client, one)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: vote(client, shown), range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(standing(ws, one)) == 1


def test_second_key_on_a_voted_pair_is_a_conflict_and_the_first_vote_stays(ws, client, one):
    shown = pair(client, one)
    vote(client, shown)
    refused = vote(client, shown, key="key-00000002", choice="right")
    assert refused.status_code == 409
    assert set(refused.json()) == {"problem", "fix"}
    assert [v.choice for v in standing(ws, one)] == ["left"]


def test_vote_is_kept_with_the_time_it_took(ws, client, one):
    vote(client, pair(client, one), active_ms=1234)
    assert [v.active_ms for v in standing(ws, one)] == [1234]


def test_forged_token_and_that_of_another_rater_are_not_found(app, ws, one):
    shown = pair(TestClient(app), one)
    other = TestClient(app)
    pair(other, one)
    assert vote(other, shown).status_code == 404
    assert vote(other, {"token": "forged"}).status_code == 404
    assert other.post("/api/rate/skip", json={"token": shown["token"]}).status_code == 404
    assert standing(ws, one) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"choice": "new"},
        {"key": "short"},
        {"key": "k" * 65},
        {"via": "script"},
        {"active_ms": "long"},
        {"model": "secret-new"},
    ],
)
def test_vote_that_is_invalid_is_refused_in_two_sentences(client, ws, one, wrong):
    refused = vote(client, pair(client, one), **wrong)
    assert refused.status_code == 422
    assert set(refused.json()) == {"problem", "fix"}
    assert standing(ws, one) == []


def test_closed_round_takes_no_vote_no_skip_and_no_undo(client, ws, one):
    first = pair(client, one)
    second = vote(client, first).json()["comparison"]
    rounds.close(ws, LOCAL, one.id)
    assert vote(client, second, key="key-00000002").status_code == 409
    assert client.post("/api/rate/skip", json={"token": second["token"]}).status_code == 409
    assert client.post(f"/api/rate/{one.id}/undo").status_code == 409
    assert client.get(f"/api/rate/{one.id}/next").status_code == 409
    assert len(standing(ws, one)) == 1


def test_undo_shows_the_same_pair_on_the_same_sides_and_the_vote_is_gone(client, ws, one):
    shown = pair(client, one)
    vote(client, shown)
    again = client.post(f"/api/rate/{one.id}/undo").json()["comparison"]
    parts = ("token", "prompt_html", "left_html", "right_html", "done")
    assert [again[part] for part in parts] == [shown[part] for part in parts]
    assert standing(ws, one) == []


def test_skip_moves_on_and_can_be_taken_back(client, one):
    shown = pair(client, one)
    following = client.post("/api/rate/skip", json={"token": shown["token"]}).json()["comparison"]
    assert following["token"] != shown["token"]
    assert client.post(f"/api/rate/{one.id}/undo").json()["comparison"]["token"] == shown["token"]


def test_progress_counts_this_raters_votes_and_all_votes(app, ws, tmp_path):
    one = seed.open_round(ws, tmp_path, pairs=6, overlap=2)
    for votes_cast, client in ((6, TestClient(app)), (1, TestClient(app))):
        shown = pair(client, one)
        for n in range(votes_cast):
            shown = vote(client, shown, key=f"key-{votes_cast}-{n:07d}").json()["comparison"]
    found = client.get(f"/api/rate/{one.id}/progress").json()
    assert (found["done"], found["total"]) == (1, 6)
    assert (found["all_done"], found["all_total"]) == (7, 12)


def test_next_comparison_after_the_last_is_none(client, ws, tmp_path):
    one = seed.open_round(ws, tmp_path, pairs=2)
    shown = pair(client, one)
    for n in range(2):
        shown = vote(client, shown, key=f"key-{n:08d}").json()["comparison"]
    assert shown is None
    assert pair(client, one) is None


@pytest.mark.parametrize("purpose", ["blind_eval", "train_pairs"])
def test_response_holds_no_byte_that_identifies_a_model(app, ws, tmp_path, purpose):
    answers = [(f"question {n}?", f"one {n}", f"two {n}") for n in range(8)]
    one = seed.open_round(ws, tmp_path, purpose=purpose, answers=answers)
    client = TestClient(app)
    heard = [
        client.get(f"/rate/{one.id}"),
        client.get("/rate/round-of-nobody"),
        client.get("/api/rate/rounds", params={"project": one.project_id}),
        client.get("/api/rate/rounds", params={"project": "nobody"}),
        client.get(f"/api/rate/{one.id}/progress"),
        client.get(f"/api/rate/{one.id}/next"),
        vote(client, {"token": "forged"}),
        client.post("/api/rate/vote", json={"token": 1}),
    ]
    shown = pair(client, one)
    for n in range(8):
        heard.append(vote(client, shown, key=f"key-{n:08d}"))
        heard.append(vote(client, shown, key=f"other-{n:08d}"))
        if n == 3:
            heard.append(client.post(f"/api/rate/{one.id}/undo"))
            heard.append(client.post("/api/rate/skip", json={"token": shown["token"]}))
        shown = pair(client, one)
    rounds.close(ws, LOCAL, one.id)
    heard += [client.get(f"/api/rate/{one.id}/next"), client.get(f"/rate/{one.id}")]
    said = "\n".join(f"{answer.headers}\n{answer.text}" for answer in heard)
    secrets = [one.arm_new, one.arm_base, "secret-new", "secret-old", "model-", "model_"]
    secrets += ["pair-", "job-", "left_is", one.plan_sha256, one.job_id or "job-"]
    assert [secret for secret in secrets if secret in said] == []
    # words of their own: the letters may stand inside a token, which is drawn by chance
    assert re.findall(r"(?<![A-Za-z0-9])(?:arm|plan)(?![A-Za-z0-9])", said) == []


class Inert(HTMLParser):
    """Collects all that is not plain, safe text."""

    def __init__(self):
        super().__init__()
        self.faults = []

    def handle_starttag(self, tag, attrs):
        if tag not in TAGS:
            self.faults.append(tag)
        for name, value in attrs:
            link = name == "href" and urlsplit(value or "").scheme in ("http", "https")
            if not link and (name, value) != ("rel", "noopener noreferrer nofollow"):
                self.faults.append(f"{tag} {name}={value}")


def test_hostile_answers_come_out_as_text_in_all_three_places(client, ws, tmp_path):
    answers = seed.hostile()
    one = seed.open_round(ws, tmp_path, answers=answers)
    shown = pair(client, one)
    seen = []
    for n in range(len(answers)):
        for part in ("prompt_html", "left_html", "right_html"):
            parser = Inert()
            parser.feed(shown[part])
            assert parser.faults == []
            seen.append(shown[part])
        shown = vote(client, shown, key=f"key-{n:08d}").json()["comparison"]
    assert len(seen) == 3 * len(answers)
    text = "".join(seen)
    for shown_as in ("&lt;script&gt;", "${globalThis.hit=1}", "{{constructor", "${x", "&lt;svg"):
        assert shown_as in text
    assert "\u202e" not in text


def test_name_of_a_round_is_text_on_its_page(client, ws, one):
    with writing(ws.db) as conn:
        round_store.change(conn, one.id, name="<img src=x onerror=hit()>")
    page = client.get(f"/rate/{one.id}")
    assert "<img" not in page.text
    assert "&lt;img" in page.text


def test_page_of_a_round_that_does_not_exist_says_so(client):
    page = client.get("/rate/round-1")
    assert page.status_code == 404
    assert "Nothing to rate here" in page.text


def test_rating_page_loads_nothing_from_elsewhere(client, one):
    page = client.get(f"/rate/{one.id}").text
    asked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert asked
    assert all(address.startswith(("/static/", "/guide", "data:")) for address in asked)


def test_rating_responses_are_not_cached(client, one):
    for path in (f"/api/rate/{one.id}/next", "/api/rate/x/next", f"/rate/{one.id}"):
        assert client.get(path).headers["cache-control"] == "no-store"


def test_response_holds_the_next_comparison_and_no_third(app, client, one):
    first = client.get(f"/api/rate/{one.id}/next").json()
    after = vote(client, first["comparison"]).json()
    assert after["comparison"]["token"] == first["ahead"]["token"]
    assert first["ahead"]["done"] == after["comparison"]["done"] == 1
    assert after["ahead"]["token"] not in (first["comparison"]["token"], first["ahead"]["token"])


def test_heartbeat_of_a_foreign_token_is_not_found(client, one):
    shown = pair(client, one)
    assert client.post("/api/rate/beat", json={"token": shown["token"]}).json() == {"ok": True}
    assert client.post("/api/rate/beat", json={"token": "forged"}).status_code == 404


def test_flag_leads_on_and_one_of_an_unknown_kind_is_refused(client, one):
    shown = pair(client, one)
    body = {"token": shown["token"], "target": "left", "kind": "pii", "note": "a phone number"}
    wrong = client.post("/api/rate/flag", json={**body, "kind": "ugly"})
    assert wrong.status_code == 422
    following = client.post("/api/rate/flag", json=body).json()
    assert following["comparison"]["token"] != shown["token"]


def test_vote_stores_its_reasons_and_comment(client, ws, one):
    shown = pair(client, one)
    said = {
        "strength": 2, "acceptable_left": True, "reasons": ["clearer"], "rationale": "because",
        "edit": {"side": "left", "text": "better"}, "layout": "stacked", "via": "touch",
    }  # fmt: skip
    assert vote(client, shown, **said).status_code == 200
    with reading(ws.db) as conn:
        [details] = pair_exports.vote_details(conn, [one.id]).values()
    assert details == {name: value for name, value in said.items() if name != "via"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"reasons": ["it is new"]},
        {"rationale": "x" * 2001},
        {"edit": {"side": "both", "text": "x"}},
        {"edit": {"side": "left", "text": "x" * 20_001}},
        {"strength": 3},
        {"choice": "tie", "strength": 2},
        {"choice": "both_bad", "strength": 1},
        {"choice": "good"},
    ],
)
def test_vote_with_invalid_details_is_refused(client, ws, one, wrong):
    refused = vote(client, pair(client, one), **wrong)
    assert refused.status_code == 422
    assert set(refused.json()) == {"problem", "fix"}
    assert standing(ws, one) == []


def test_progress_says_what_the_page_needs(client, one):
    found = client.get(f"/api/rate/{one.id}/progress").json()
    assert (found["mode"], found["break_every"], found["left_today"]) == ("pair", 25, None)
    assert found["agreement_with_gold"] is None
    assert "clearer" in found["reasons"]
    assert "<strong>" in found["guidelines"]["html"]
    assert len(found["guidelines"]["version"]) == 8


def test_invitation_leads_to_the_open_rounds_of_its_project_alone(app, ws, tmp_path, one):
    other = seed.open_round(ws, tmp_path)
    client = TestClient(app)
    token = invites.make(ws, LOCAL, one.project_id, "Ada")
    there = client.get(f"/rate/join/{token}")
    assert "Every vote is saved at once" in there.text
    assert there.status_code == 200
    assert f"/rate/{one.id}" in there.text
    assert other.id not in there.text
    assert client.get(f"/api/rate/{other.id}/next").status_code == 404
    assert client.get("/api/rate/rounds", params={"project": other.project_id}).status_code == 404
    vote(client, pair(client, one))
    assert standing(ws, one)[0].rater.startswith("Ada (")


def test_withdrawn_invitation_opens_nothing_any_more(app, ws, one):
    client = TestClient(app)
    client.get(f"/rate/join/{invites.make(ws, LOCAL, one.project_id, 'Ada')}")
    invites.revoke(ws, LOCAL, invites.list_all(ws, LOCAL, one.project_id)[0].id)
    assert client.get(f"/api/rate/{one.id}/next").status_code == 403
    assert client.get(f"/rate/{one.id}").status_code == 403
    assert client.get("/rate/join/nothing").status_code == 404


def test_response_holds_no_byte_that_marks_gold_repeat_or_arm(app, ws, tmp_path):
    base = seed.preparing(ws, tmp_path, purpose="blind_eval", pairs=10)
    recipe = RoundRecipe(
        purpose="blind_eval", model=base.arm_new, baseline=base.arm_base,
        dataset=base.plan.dataset, prompts=10, gold=0.3, repeats=0.3,
    )  # fmt: skip
    one = rounds.start(ws, LOCAL, base.project_id, recipe)
    one = seed.answer(ws, one, [(f"q {n}?", f"one {n}", f"two {n}") for n in range(10)])
    client, heard, shapes = TestClient(app), [], set()
    now = client.get(f"/api/rate/{one.id}/next")
    for n in range(16):
        heard.append(now)
        shown = now.json()["comparison"]
        shapes.add((tuple(shown), shown["total"]))
        now = vote(client, shown, key=f"key-{n:08d}")
    assert now.json()["comparison"] is None
    assert len(shapes) == 1
    said = "\n".join(f"{answer.headers}\n{answer.text}" for answer in heard)
    secrets = [one.arm_new, one.arm_base, "secret-", "model-", "gold", "repeat", "calibration"]
    secrets += ["pair-", "left_is", "answer_a", "model_a", "kind", one.plan_sha256]
    assert [secret for secret in secrets if secret in said] == []


@pytest.mark.parametrize(
    "written",
    [{"edit": {"side": "left", "text": "an\0 edit"}}, {"rationale": "be\0cause"}],
)
def test_nul_in_a_text_of_a_rater_is_one_sentence_and_no_vote(ws, client, one, written):
    refused = vote(client, pair(client, one), **written)
    assert refused.status_code == 422
    assert "holds a NUL character" in refused.text
    flag = {"token": pair(client, one)["token"], "target": "left", "kind": "pii"}
    noted = client.post("/api/rate/flag", json={**flag, "note": "od\0d"})
    assert "The note holds a NUL character" in noted.text
    assert standing(ws, one) == []
