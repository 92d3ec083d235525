"""The whole loop against the running server: its owner, its worker, and three people who rate.

Everybody is signed in with an account of their own, but for one who came by an invitation. The
owner clicks on the page, the people vote in what their accounts open, and every answer and training
is made by the worker that the server started.
"""

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import combinations
from typing import NamedTuple

import httpx
import pytest
from gradio_client.exceptions import AppError

from engine.core.actor import LOCAL, Actor
from engine.core.errors import Forbidden
from engine.core.job import State
from engine.methods import dpo
from engine.services import projects
from engine.services.jobs import lifecycle
from engine.services.people import accounts, sign_in
from engine.services.preferences import build, export
from engine.services.rating import invites, report, rounds
from engine.store import invites as stored_invites
from engine.store import votes
from engine.store.connect import reading
from tests.closed_loop import loop_steps
from tests.closed_loop.page_client import Owner
from tests.serving import serving
from ui.web.session import COOKIE

pytestmark = pytest.mark.train
NAMES = ("Ada", "Ben", "Cleo")


class Person(NamedTuple):
    """A browser of its own, and who that is to the services."""

    name: str
    browser: httpx.Client
    actor: Actor

    def ask(self, path):
        return self.browser.get(path)

    def rate(self, round_id):
        """Vote for the shorter answer until nothing is left; how many votes."""
        shown, cast = self.ask(f"/api/rate/{round_id}/next").json()["comparison"], 0
        while shown:
            left, right = (len(shown[side].split()) for side in ("left_text", "right_text"))
            choice = "tie" if left == right else "left" if left < right else "right"
            token = shown["token"]
            body = {"token": token, "key": loop_steps.key_of(token), "choice": choice,
                    "active_ms": 900, "via": "button"}  # fmt: skip
            answer = self.browser.post("/api/rate/vote", json=body)
            assert answer.status_code == 200, answer.text
            shown, cast = answer.json()["comparison"], cast + 1
        return cast


@pytest.fixture(scope="module")
def lap(start):
    return start()


@pytest.fixture(scope="module")
def server(lap):
    home = lap.ws.settings.home
    asks = {"TUNELOOP_HOME": str(home), "TUNELOOP_SIGN_IN": "1", "PYTHONUNBUFFERED": "1"}
    with serving(asks, home / "log") as running:
        yield running


@pytest.fixture(scope="module")
def owner(lap, server):
    link = re.search(r"/account/welcome/\S+", (lap.ws.settings.home / "log").read_text())[0]
    olga = came(server.url, link, "Olga")
    found = Owner(server.url, {"cookie": f"{COOKIE}={olga.cookies[COOKIE]}"})
    found.load()
    assert found["project"] == lap.project
    found.on("select", "tab-rating")
    yield found
    found.client.close()  # the server would wait for it


@pytest.fixture(scope="module")
def people(lap, owner, server):
    """A trainer and a rater with accounts, and somebody who opened the owner's invitation."""
    found = []
    for name, role in zip(NAMES, ("trainer", "rater"), strict=False):
        _, token = accounts.add(lap.ws, LOCAL, name, role, [lap.project])
        browser = came(server.url, f"/account/welcome/{token}", name)
        found.append(Person(name, browser, sign_in.actor(lap.ws, browser.cookies[COOKIE])))
    owner["rate-invite-name"] = NAMES[2]
    owner.on("click", "rate-invite-make")
    browser = visitor(server.url)
    assert browser.get(owner["rate-invite-link"]).status_code == 200
    with reading(lap.ws.db) as conn:
        invite = stored_invites.list_all(conn, lap.project)[0]
    yield [*found, Person(NAMES[2], browser, invites.rater_of(invite))]
    for each in (*found, browser):
        getattr(each, "browser", each).close()


@pytest.fixture(scope="module")
def rated(lap, owner, people):
    """The rating round that the owner began, and how many votes each cast: (round, votes)."""
    owner.fill(rate_prompts=120, rate_overlap=2, rate_longest=32)
    one = begun(lap, owner)
    return one, all_rate(people, one)


def visitor(url):
    """A browser that nobody knows yet."""
    return httpx.Client(base_url=url, follow_redirects=True, timeout=60)


def came(url, link, name):
    """The browser of somebody who opened their link and set a password."""
    browser, words = visitor(url), "four words in a row"
    form = {"name": name, "password": words, "again": words}
    assert browser.post(link, data=form).status_code == 200
    return browser


def begun(lap, owner):
    """The round that a click on the button starts, once its answers are written."""
    owner.on("click", "rate-start")
    one = rounds.list_all(lap.ws, LOCAL, lap.project)[0]
    until(lambda: rounds.get(lap.ws, LOCAL, one.id).status == "open")
    return one


def all_rate(people, one):
    """All rate at the same time: name to votes."""
    with ThreadPoolExecutor(len(people)) as pool:
        return dict(zip(NAMES, pool.map(lambda each: each.rate(one.id), people), strict=True))


def until(found, seconds=900):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)


def standing(lap, one):
    with reading(lap.ws.db) as conn:
        return votes.live(conn, [one.id])


def test_votes_are_counted_for_each_person_and_nobody_gets_a_pair_twice(lap, rated):
    one, cast = rated
    found = standing(lap, one)
    counted = Counter(vote.rater.split(" (")[0] for vote in found)
    assert counted == cast
    assert len({(vote.comparison_id, vote.rater) for vote in found}) == len(found)
    assert set(Counter(vote.comparison_id for vote in found).values()) == {2}


def test_people_who_want_the_same_agree_whichever_side_they_saw(lap, rated):
    one, _ = rated
    said = {}
    for vote in standing(lap, one):
        said.setdefault(vote.comparison_id, []).append(vote)
    sides = [a.left_is != b.left_is for both in said.values() for a, b in combinations(both, 2)]
    assert 0 < sum(sides) < len(sides)  # some pairs were seen the other way round
    assert all(a.preferred == b.preferred for a, b in said.values())


def test_rater_is_refused_what_belongs_to_owners(lap, people, rated):
    one, _ = rated
    for person in people[1:]:
        rater = person.actor
        for refused in (
            lambda rater=rater: rounds.tally(lap.ws, rater, one.id),
            lambda rater=rater: rounds.close(lap.ws, rater, one.id),
            lambda rater=rater: report.report(lap.ws, rater, one.id),
            lambda rater=rater: build.make(lap.ws, rater, lap.project),
            lambda rater=rater: export.files(lap.ws, rater, "any", "trl"),
            lambda rater=rater: invites.make(lap.ws, rater, lap.project, "Eve"),
        ):
            with pytest.raises(Forbidden):
                refused()
        for path in ("tally", "verdict", "report", "pairs", "export", "close"):
            assert person.ask(f"/api/rate/{one.id}/{path}").status_code == 404
        assert person.ask("/config").status_code in (401, 403)
    assert rounds.get(lap.ws, LOCAL, one.id).status == "open"


def test_person_of_another_project_finds_nothing_of_this_one(lap, server, rated):
    one, _ = rated
    mine = projects.create(lap.ws, LOCAL, "Elsewhere")
    _, token = accounts.add(lap.ws, LOCAL, "Eve", "trainer", [mine.id])
    with closing(came(server.url, f"/account/welcome/{token}", "Eve")) as browser:
        page = Owner(server.url, {"cookie": f"{COOKIE}={browser.cookies[COOKIE]}"})
        page.load()
        assert page["project"] == mine.id
        page["project"] = lap.project  # as a forged request would
        for tab in ("data", "jobs", "evaluation", "rating", "loop"):
            with pytest.raises(AppError, match=r"There is no project|nothing that the page"):
                page.on("select", f"tab-{tab}")
        assert one.name not in str(page.values)
        page.client.close()
        assert browser.get(f"/api/rate/{one.id}/next").status_code == 404


def test_votes_of_people_train_a_model_that_they_prefer(lap, owner, people, rated):
    """Measured: 104 pairs of 240 votes; 156 votes won, none lost, 8 equal answers, so .933."""
    owner.on("click", "rate-make")
    made = build.list_all(lap.ws, LOCAL, lap.project)[0]
    assert made.rounds == (rated[0].id,)
    assert made.counts["votes"] == sum(rated[1].values())
    recipe = dpo.Recipe(
        model=lap.base, dataset=made.dataset_id, **{**loop_steps.DPO, **loop_steps.SHORT}
    )
    job = lifecycle.submit(lap.ws, LOCAL, lap.project, recipe)
    until(lambda: lifecycle.get(lap.ws, LOCAL, job.id).over)
    done = lifecycle.get(lap.ws, LOCAL, job.id)
    assert done.state is State.DONE, done.error

    owner.fill(rate_purpose="blind_eval", rate_prompts=60, rate_overlap=3)
    owner.on("change", "rate-purpose")
    owner.fill(rate_new=done.result.model_id, rate_base=lap.base)
    blind = begun(lap, owner)
    cast = all_rate(people, blind)
    assert len(set(cast.values())) == 1  # everybody saw every pair
    with pytest.raises(Forbidden, match="blind until it is closed"):
        rounds.tally(lap.ws, LOCAL, blind.id)
    owner.on("select", "tab-rating")
    assert "The result is hidden while people vote" in owner["rate-outcome"]
    assert "better" not in owner["rate-outcome"]
    owner.on("click", "rate-close-yes")
    verdict = report.report(lap.ws, LOCAL, blind.id).verdict
    assert (verdict.decision, verdict.low > 0.5) == ("better", True)
    assert "The new model is better" in owner["rate-outcome"]
