"""Projects of visitors who did not come back: files and rows go, votes and audit entries stay."""

import shutil
from collections import namedtuple
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select, text, update

from engine.core.actor import LOCAL
from engine.core.errors import NotFound, UserError
from engine.core.job import State
from engine.services import projects
from engine.services.jobs import lifecycle
from engine.services.people import visitor_projects, visitors
from engine.services.rating import invites
from engine.store import tables
from engine.store.connect import reading, writing
from engine.worker import Worker
from tests import helpers
from tests.people.test_visitors import browser, training, visitor
from tests.people.visitor_tokens import ADA, BEN, held
from tests.ui import seed
from ui import server

DAY = visitor_projects.DAY_S
Usage = namedtuple("Usage", "total used free")
ROWS = ("job", "dataset", "model", "evaluation", "event", "last_visit", "rating_round")
RECORD = ("vote", "assignment", "comparison", "audit", "rating_round", "model")


def count(ws, *names, project=None):
    """The rows of tables, of one project where it is named."""
    found = {}
    with reading(ws.db) as conn:
        for name in names:
            table = tables.metadata.tables[name]
            query = select(func.count()).select_from(table)
            if project and "project_id" in table.c:
                query = query.where(table.c.project_id == project)
            found[name] = conn.execute(query).scalar_one()
    return found


def away(ws, project, days):
    """Let the last visit of a project's maker be so long ago; the time of now."""
    with writing(ws.db) as conn:
        row = tables.project.c.created_at
        made = conn.execute(select(row).where(tables.project.c.id == project.id)).scalar_one()
        seen = update(tables.project).where(tables.project.c.id == project.id)
        conn.execute(seen.values(seen_at=made - days * DAY))
    return made


@pytest.fixture
def left(ws, tmp_path):
    """A visitor's project with a dataset, a run that is over, a voted and an unvoted round."""
    mine = projects.create(ws, visitor(ws), "Mine")
    base = helpers.model(ws, tmp_path)
    data = helpers.dataset(ws, mine.id, tmp_path)
    job = lifecycle.submit(ws, visitor(ws), mine.id, training(base, data))
    lifecycle.cancel(ws, visitor(ws), job.id)
    for folder in (ws.files / "jobs" / job.id, ws.files / data.file):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kept.bin").write_bytes(b"x" * 1000)
    rated, bare = (tmp_path / name for name in ("rated", "bare"))
    rated.mkdir()
    bare.mkdir()
    seed.prefer_new(ws, seed.open_round(ws, rated, project=mine.id))
    seed.open_round(ws, bare, project=mine.id)
    with writing(ws.db) as conn:
        conn.execute(update(tables.job).values(state=State.DONE))
    return mine


def test_project_of_a_visitor_who_stayed_away_goes_and_its_votes_stay(ws, left):
    with reading(ws.db) as conn:
        votes = conn.execute(text("SELECT * FROM vote ORDER BY id")).all()
        audit = conn.execute(text("SELECT * FROM audit ORDER BY id")).all()
    rounds = count(ws, "rating_round", project=left.id)["rating_round"]
    now = away(ws, left, 31)
    assert visitor_projects.sweep(ws, now) == 1
    with reading(ws.db) as conn:
        assert conn.execute(text("SELECT * FROM vote ORDER BY id")).all() == votes
        assert conn.execute(text("SELECT * FROM audit ORDER BY id")).all() == audit
    assert votes
    after = count(ws, *ROWS, project=left.id)
    assert (rounds, after["rating_round"]) == (2, 1)
    assert (after["dataset"], after["event"], after["last_visit"]) == (0, 0, 0)
    with reading(ws.db) as conn:  # the run that made the answers of the rated round stays
        jobs = conn.execute(select(tables.job.c.id)).scalars().all()
        assert jobs == conn.execute(select(tables.rating_round.c.job_id)).scalars().all()
    assert not list(ws.files.rglob("kept.bin"))
    assert projects.list_all(ws, LOCAL) == []
    assert visitor(ws).projects == frozenset()
    with pytest.raises(NotFound):
        projects.get(ws, LOCAL, left.id)
    assert visitor_projects.sweep(ws, now) == 0


def test_votes_of_a_removed_project_can_still_be_read_with_what_they_are_about(ws, left):
    before = count(ws, *RECORD)
    visitor_projects.sweep(ws, away(ws, left, 31))
    with reading(ws.db) as conn:
        joined = conn.execute(
            select(func.count())
            .select_from(tables.vote)
            .join(tables.assignment)
            .join(tables.comparison)
            .join(tables.rating_round, tables.rating_round.c.id == tables.comparison.c.round_id)
            .join(tables.model, tables.model.c.id == tables.rating_round.c.arm_new)
        ).scalar_one()
    assert joined == before["vote"] > 0


def test_project_whose_job_is_not_over_stays(ws, tmp_path):
    mine = projects.create(ws, visitor(ws), "Mine")
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, mine.id, tmp_path)
    lifecycle.submit(ws, visitor(ws), mine.id, training(base, data))
    assert visitor_projects.sweep(ws, away(ws, mine, 400)) == 0
    assert [one.id for one in projects.list_all(ws, visitor(ws))] == [mine.id]


def test_project_of_somebody_else_than_a_visitor_stays_for_ever(ws, monkeypatch):
    kept = projects.create(ws, LOCAL, "Of the owner")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 0))
    assert visitor_projects.sweep(ws, away(ws, kept, 4000)) == 0
    assert projects.get(ws, LOCAL, kept.id) == kept


def test_visit_is_noted_and_keeps_every_project_of_the_visitor(ws):
    both = [projects.create(ws, visitor(ws), name) for name in ("One", "Two")]
    theirs = projects.create(ws, visitor(ws, BEN), "Theirs")
    now = max(away(ws, one, 31) for one in (*both, theirs))
    visitor(ws)
    assert visitor_projects.sweep(ws, now) == 1
    assert {one.id for one in projects.list_all(ws, LOCAL)} == {one.id for one in both}


def test_full_disk_takes_the_projects_that_nobody_visits_the_longest(ws, monkeypatch):
    ages = {"new": 0.5, "old": 5, "older": 9, "oldest": 20}
    made = {
        name: projects.create(ws, visitor(ws, held(str(n) * 43)), name)
        for n, name in enumerate(ages)
    }
    now = max(away(ws, made[name], days) for name, days in ages.items())
    free = iter([0, 0, 0, visitors.LEAST_FREE])  # there is room once two have gone
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, next(free)))
    assert visitor_projects.sweep(ws, now) == 2
    assert {one.name for one in projects.list_all(ws, LOCAL)} == {"new", "old"}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 0))
    assert visitor_projects.sweep(ws, now) == 1
    assert {one.name for one in projects.list_all(ws, LOCAL)} == {"new"}


def test_removal_that_was_cut_off_is_finished_by_the_next_sweep(ws, left, monkeypatch):
    now = away(ws, left, 31)

    def cut(*_):
        raise OSError("no power")

    with monkeypatch.context() as patched:
        patched.setattr(visitor_projects, "_empty", cut)
        with pytest.raises(OSError, match="no power"):
            visitor_projects.sweep(ws, now)
    with pytest.raises(NotFound):
        projects.get(ws, LOCAL, left.id)
    assert list(ws.files.rglob("kept.bin"))
    visitor_projects.sweep(ws, now)
    assert not list(ws.files.rglob("kept.bin"))
    assert count(ws, "dataset", project=left.id) == {"dataset": 0}


def test_invitation_of_a_removed_project_opens_nothing(ws, left):
    link = invites.make(ws, visitor(ws), left.id, "Eve")
    visitor_projects.sweep(ws, away(ws, left, 31))
    assert count(ws, "invite") == {"invite": 1}
    app = server.create_app(ws, space=True)
    assert browser(app).get(f"/rate/join/{link}").status_code in (403, 404)


@pytest.mark.parametrize("asked", ["0", "-1", "366", "a month", "1.5"])
def test_days_that_are_none_are_refused_with_the_name_of_the_variable(monkeypatch, asked):
    monkeypatch.setenv(visitor_projects.VARIABLE, asked)
    with pytest.raises(UserError, match=visitor_projects.VARIABLE):
        visitor_projects.kept_days()


def test_days_of_the_operator_are_those_of_the_cookie_and_of_the_sentence(ws, monkeypatch):
    monkeypatch.setenv(visitor_projects.VARIABLE, "7")
    app = server.create_app(ws, space=True)
    page = browser(app, ADA).get("/")
    assert f"Max-Age={7 * 24 * 3600};" in page.headers["set-cookie"]
    assert "removed once it stays away for 7 days" in visitor_projects.sentence()
    shown = [
        block.value for block in app.state.demo.blocks.values()
        if getattr(block, "elem_id", "") == "home-visitors"
    ]  # fmt: skip
    assert visitor_projects.sentence() in shown[0]
    mine = projects.create(ws, visitor(ws), "Mine")
    assert visitor_projects.sweep(ws, away(ws, mine, 8)) == 1


@pytest.mark.parametrize(("space", "asked"), [("", 0), ("1", 1)])
def test_worker_looks_for_visitors_only_in_a_space(ws, monkeypatch, space, asked):
    monkeypatch.setenv("TUNELOOP_SPACE", space)
    found = []
    for module in (visitors, visitor_projects):
        monkeypatch.setattr(module, "sweep", lambda *given: found.append(given))
    worker = Worker(ws)
    monkeypatch.setattr(worker, "_attend", lambda running: None)
    worker.running["job"] = SimpleNamespace(job=SimpleNamespace(lane="loop"))
    monkeypatch.setattr(worker, "_renew_leases", lambda now: None)
    worker.poll(1_000_000.0)
    assert len(found) == 2 * asked
