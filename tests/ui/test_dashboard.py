"""The dashboard of Home: each card from its numbers, empty states, and news since a visit."""

import time

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound
from engine.core.evaluation import Mean
from engine.services import dashboard as dashboards
from engine.services.dashboard import Changes, ModelScore, NewestScores, Queue, WinRate
from engine.services.jobs import lifecycle
from engine.services.loop import champion
from engine.store import last_visits, votes
from engine.store.connect import reading, writing
from engine.store.last_visits import LastVisit
from tests import helpers
from tests.loop import loop_in_tables
from tests.rating import votes_in_tables as cast
from tests.ui import results
from ui.pages.home import dashboard, tab
from ui.web.default_model_download import Setup

EVIL = "<img src=x onerror=alert(1)>"
DAY_S = 24 * 3600


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def sft(ws, project, tmp_path):
    return loop_in_tables.trained(ws, project, "first", helpers.model(ws, tmp_path), "sft")


def told(ws, project):
    return dashboards.dashboard(ws, LOCAL, project.id)


def test_dashboard_lists_every_generation_tested_against_the_baseline(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    two = loop_in_tables.trained(ws, project, "two", one)
    first = loop_in_tables.blind(ws, project, one, sft, 30, 8, 2)
    loop_in_tables.blind(ws, project, two, sft, 5, 5, close=False)
    found = told(ws, project)
    assert found.generations == 2
    (rate,) = found.win_rates
    assert (rate.generation, rate.round_id, rate.decision) == (1, first.id, "better")
    assert rate.rate == pytest.approx(31 / 40)
    assert 0 < rate.low < rate.rate < rate.high < 1


def test_dashboard_counts_votes_of_the_week_by_rater(ws, project, sft):
    one = cast.a_round(ws, project.id, (sft, sft))
    pair = cast.a_pair(ws, one, "q", "a", "b")
    other = cast.a_pair(ws, one, "r", "a", "b")
    now = time.time()
    for comparison, rater, at in (
        (pair, "ada", now), (other, "ada", now), (pair, "bob", now), (pair, "old", now - 8 * DAY_S),
    ):  # fmt: skip
        _vote(ws, comparison, rater, at)
    retracted = _vote(ws, other, "eve", now)
    cast.retract(ws, retracted)
    assert told(ws, project).votes == {"ada": 2, "bob": 1}


def _vote(ws, pair, rater, at):
    token = f"{rater}-{pair.id}"
    seat = votes.Assignment(token, pair.id, pair.round_id, rater, "a", "voted", at, at + 600)
    with writing(ws.db) as conn:
        votes.lease(conn, seat)
        votes.append(
            conn, f"v-{token}", token, "vote", {}, choice="left", active_ms=900, via="api",
            created_at=at,
        )  # fmt: skip
    return token


def test_dashboard_scores_are_base_and_newest_model_of_the_newest_evaluation(ws, project, tmp_path):
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project.id, tmp_path)
    assert told(ws, project).scores is None
    tuned = results.adapter(ws, project.id, base, data)
    results.evaluated(ws, project.id, data, base, tuned, {3: ("no", 0.1, "yes", 0.9)})
    found = told(ws, project).scores
    assert [line.model_id for line in found.lines if not line.baseline] == [base.id, tuned.id]
    assert found.metric == "rougeL"


def test_dashboard_is_for_trainers_of_the_project(ws, project):
    rita = Actor(name="Rita", role=Role.RATER)
    bob = Actor(name="Bob", role=Role.TRAINER, projects=frozenset({"p-1"}))
    for call in (dashboards.dashboard, dashboards.visit, dashboards.scores):
        with pytest.raises(Forbidden):
            call(ws, rita, project.id)
        with pytest.raises(NotFound):
            call(ws, bob, project.id)


def test_changes_begin_with_the_second_visit(ws, project, sft):
    assert dashboards.visit(ws, LOCAL, project.id) == 0.0
    assert told(ws, project).changes == Changes(since=None)
    with writing(ws.db) as conn:
        last_visits.put(conn, project.id, LOCAL.name, LastVisit(0.0, time.time() - DAY_S))
    since = dashboards.visit(ws, LOCAL, project.id)
    assert since == pytest.approx(time.time() - DAY_S, abs=600)
    champion.promote(ws, LOCAL, project.id, sft.id)
    found = told(ws, project).changes
    assert (found.since, found.models, found.promotions, found.votes) == (since, 1, 1, 0)


def test_changes_stay_while_a_visit_lasts_and_are_each_persons_own(ws, project):
    now = time.time()
    with writing(ws.db) as conn:
        last_visits.put(conn, project.id, LOCAL.name, LastVisit(now - DAY_S, now - 300))
    assert dashboards.visit(ws, LOCAL, project.id) == now - DAY_S
    with reading(ws.db) as conn:
        assert last_visits.get(conn, project.id, LOCAL.name).seen_at >= now
    ada = Actor(name="Ada", role=Role.OWNER)
    assert dashboards.visit(ws, ada, project.id) == 0.0


def test_visit_is_noted_at_most_once_a_minute(ws, project):
    dashboards.visit(ws, LOCAL, project.id)
    with reading(ws.db) as conn:
        first = last_visits.get(conn, project.id, LOCAL.name)
    dashboards.visit(ws, LOCAL, project.id)
    with reading(ws.db) as conn:
        assert last_visits.get(conn, project.id, LOCAL.name) == first


def test_queue_names_the_job_that_runs_and_counts_those_that_wait(ws, project, sft):
    for text in "ab":
        results.submit(ws, project.id, "play", text, models=[sft.id], prompt=text)
    found = dashboards.queue(ws, LOCAL, project.id, worker=True)
    assert (found.running, found.waiting, found.worker) == ("", 2, True)
    oldest = lifecycle.list_all(ws, LOCAL, project.id)[-1]
    helpers.claimed(ws, oldest.id, "play")
    found = dashboards.queue(ws, LOCAL, project.id, worker=True)
    assert (found.running, found.running_id, found.waiting) == (oldest.name, oldest.id, 1)
    other = helpers.project(ws, "Other")
    assert dashboards.queue(ws, LOCAL, other.id, worker=True).waiting == 0


# the cards


def rate(number, share, decision="better"):
    return WinRate(generation=number, model_id=f"m{number}", round_id="r", rate=share,
                   low=share - 0.1, high=share + 0.1, decision=decision)  # fmt: skip


def test_win_rate_card_draws_a_point_and_an_interval_for_each_generation():
    card = dashboard.win_rates([rate(1, 0.45, "worse"), rate(2, 0.7)], {"m2": EVIL})
    assert card.count("<circle") == 2
    assert card.count('class="tl-rate tl-down"') == card.count('class="tl-rate tl-up"') == 1
    assert "70 %" in card
    assert "60 to 80 %" in card
    assert 'data-page="loop"' in card
    assert "<img" not in card


def test_score_card_shows_trivial_baseline_base_and_newest_and_opens_the_evaluation():
    mean = Mean(score=0.41, low=0.36, high=0.46, n=10)
    line = [
        ModelScore(model_id="", name="Always the most frequent answer", baseline=True, mean=mean),
        ModelScore(model_id="m1", name="x", baseline=False, mean=mean),
    ]
    found = NewestScores(evaluation_id="e-1", metric="rougeL", rows=50, lines=tuple(line))
    card = dashboard.scores(found, {"m1": EVIL})
    assert 'data-page="evaluation" data-aim="e-1"' in card
    assert "Always the most frequent answer" in card
    assert "ROUGE-L on 50 held-out questions" in card
    assert "0.36 to 0.46" in card
    assert "<img" not in card


def test_vote_card_names_the_busiest_raters_and_sums_the_rest():
    card = dashboard.votes({EVIL: 9, "b": 4, "c": 3, "d": 2, "e": 1, "f": 1})
    assert "<b>20</b>" in card
    assert ">others</span><i>2</i>" in card
    assert "<img" not in card
    assert 'data-page="rating"' in card


def test_work_card_opens_the_running_job():
    card = dashboard.work(Queue(running_id="j-1", running=EVIL, waiting=1, worker=True, cores=2))
    assert 'data-page="jobs" data-aim="j-1"' in card
    assert "1 job waits" in card
    assert "2 CPU cores, worker ready" in card
    assert "<img" not in card


def test_changes_card_links_every_kind_of_news_to_its_page():
    card = dashboard.changes(Changes(since=time.time(), votes=3, failed_jobs=1, promotions=2))
    assert '<button type="button" data-page="rating">3 votes</button>' in card
    assert '<button type="button" data-page="jobs">1 job failed</button>' in card
    assert '<button type="button" data-page="loop">2 changes of champion</button>' in card
    assert card.count("<li>") == 3


def test_cards_without_numbers_say_what_fills_them():
    assert dashboard.NO_RATES in dashboard.win_rates([], {})
    assert dashboard.NO_SCORES in dashboard.scores(None, {})
    assert dashboard.NO_VOTES in dashboard.votes({})
    assert "next visit" in dashboard.changes(Changes(since=None))
    assert "Nothing new since today" in dashboard.changes(Changes(since=time.time()))
    idle = dashboard.work(Queue(running_id=None, running="", waiting=0, worker=False, cores=2))
    assert "No job is running." in idle
    assert "no worker running" in idle


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_home_shows_the_dashboard_once_a_project_has_begun(ws, project, tmp_path):
    view, *updates = tab.on_poll(ws, Setup(), project.id, tab.HomeView())
    cards = tab.HomeParts._fields.index("cards")
    assert updates[cards] == ""
    helpers.dataset(ws, project.id, tmp_path)
    view, *updates = tab.on_poll(ws, Setup(), project.id, view)
    assert updates[cards].count("<section") == 4
    assert 'data-page="loop"' in updates[cards]
