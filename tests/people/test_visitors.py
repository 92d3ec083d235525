"""An open Space: each browser is a visitor, who sees and changes nothing of another's."""

import io
import itertools
import multiprocessing
import os
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from engine import plugins
from engine.core.actor import LOCAL, Role
from engine.core.errors import Conflict, Forbidden, NotFound, SignedOut, UserError
from engine.files import bytes_in
from engine.services import projects
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.loop import demo_start
from engine.services.people import accounts, acting, visitor_cookies, visitors
from engine.services.rating import invites
from engine.store import jobs as job_store
from engine.store import tables
from engine.store.connect import reading, writing
from tests import helpers
from tests.people.visitor_tokens import ADA, BEN, held, use_key
from tests.ui import seed
from ui import server
from ui.web.session import VISITOR

HERE = "https://a-b.hf.space"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def visitor(ws, token=ADA):
    """The visitor as they are now: a project that they made since is theirs."""
    use_key(ws)
    return visitors.require(ws, token)


@pytest.fixture
def app(ws, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    use_key(ws)
    return server.create_app(ws, space=True)


def browser(app, token=None, **options):
    cookies = {VISITOR: token} if token else {}
    return TestClient(app, base_url=HERE, cookies=cookies, follow_redirects=False, **options)


def handler(app, wanted):
    """The number of the event whose function has this name."""
    return next(n for n, fn in app.state.demo.fns.items() if wanted in repr(fn.fn))


def event(client, number, values, session="session-0001"):
    body = {"data": values, "fn_index": number, "session_hash": session}
    return client.post("/gradio_api/run/predict", json=body)


def test_visitor_has_the_projects_that_they_made_and_no_other(ws):
    projects.create(ws, LOCAL, "Of before")
    mine = projects.create(ws, visitor(ws), "Mine")
    theirs = projects.create(ws, visitor(ws, BEN), "Theirs")
    assert [one.id for one in projects.list_all(ws, visitor(ws))] == [mine.id]
    assert visitor(ws).projects == {mine.id}
    with pytest.raises(NotFound):
        projects.get(ws, visitor(ws), theirs.id)


def test_visitor_is_no_owner_and_their_name_opens_nothing(ws):
    who = visitor(ws)
    assert who.role is Role.TRAINER
    assert ADA[:8] not in who.name
    assert visitors.actor(ws, who.name) is None
    assert visitor(ws, held(who.name.removeprefix("visitor-").ljust(43, "A"))).name != who.name
    with pytest.raises(UserError):
        accounts.check_name(who.name)


@pytest.mark.parametrize(
    "made_up",
    ["", "A" * 42, "A" * 43, "A" * 44, "A" * 42 + "\n", "A" * 42 + "é", "%", "local",
     f"{'A' * 43}..{'A' * 43}", f"{'A' * 43}.{'A' * 11}.{'A' * 43}", f"{ADA}\n", ADA[:-1],
     f"{'C' * 43}{ADA[43:]}", f"{'A' * 43}.{'A' * 11}{ADA[44:]}"],
)  # fmt: skip
def test_visitor_cookie_that_the_server_did_not_give_out_stands_for_nobody(ws, made_up):
    assert visitor(ws).projects == frozenset()
    with pytest.raises(SignedOut):
        visitors.require(ws, made_up)


def test_job_of_a_visitor_acts_in_their_project_alone(ws, tmp_path):
    mine = projects.create(ws, visitor(ws), "Mine")
    base = helpers.model(ws, tmp_path)
    data = helpers.dataset(ws, mine.id, tmp_path)
    job = lifecycle.submit(ws, visitor(ws), mine.id, training(base, data))
    acts = acting.owner_of(ws, job.id)
    assert (acts.name, acts.role, acts.projects) == (
        visitor(ws).name, Role.TRAINER, frozenset({mine.id}),
    )  # fmt: skip
    theirs = projects.create(ws, visitor(ws, BEN), "Theirs")
    with reading(ws.db) as conn, pytest.raises(Forbidden):
        acting.as_now(conn, visitor(ws).name, theirs.id)


def training(base, data, **values):
    return plugins.load("jobs", "sft").Recipe(model=base.id, dataset=data.id, **values)


def test_demo_that_a_visitor_starts_is_theirs(ws, tmp_path):
    helpers.model(ws, tmp_path)
    project, job = demo_start.start(ws, visitor(ws))
    other, _ = demo_start.start(ws, visitor(ws, BEN))
    assert other.id != project.id
    assert [one.id for one in projects.list_all(ws, visitor(ws))] == [project.id]
    with pytest.raises(NotFound):
        lifecycle.get(ws, visitor(ws, BEN), job.id)


# limits


def test_visitor_makes_five_projects_at_most(ws):
    for number in range(visitors.MOST_PROJECTS):
        projects.create(ws, visitor(ws), f"Project {number}")
    with pytest.raises(Conflict, match="5 projects at most"):
        projects.create(ws, visitor(ws), "One more")
    projects.create(ws, visitor(ws, BEN), "Another visitor's")
    projects.create(ws, LOCAL, "The owner's")


def test_visitor_queues_four_jobs_at_most_and_loops_go_on(ws, tmp_path):
    mine = projects.create(ws, visitor(ws), "Mine")
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, mine.id, tmp_path)
    seeds = itertools.count(1)

    def submit(who):
        return lifecycle.submit(ws, who, mine.id, training(base, data, seed=next(seeds)))

    made = [submit(visitor(ws)) for _ in range(visitors.MOST_JOBS)]
    with pytest.raises(Conflict, match="4 jobs waiting or running"):
        submit(visitor(ws))
    submit(acting.owner_of(ws, made[0].id))
    for job in lifecycle.list_all(ws, visitor(ws), mine.id)[:2]:
        lifecycle.cancel(ws, visitor(ws), job.id)
    submit(visitor(ws))


def test_visitors_together_queue_forty_jobs_at_most(ws, tmp_path, monkeypatch):
    monkeypatch.setattr(visitors, "MOST_WAITING", 1)
    base = helpers.model(ws, tmp_path)
    first, second = (projects.create(ws, visitor(ws, each), "P") for each in (ADA, BEN))
    data = helpers.dataset(ws, first.id, tmp_path), helpers.dataset(ws, second.id, tmp_path)
    lifecycle.submit(ws, visitor(ws), first.id, training(base, data[0]))
    with pytest.raises(Conflict, match="Too many jobs"):
        lifecycle.submit(ws, visitor(ws, BEN), second.id, training(base, data[1]))
    lifecycle.submit(ws, LOCAL, first.id, training(base, data[0], seed=9))


def at_once(*calls):
    """What each call said, the calls begun together, in threads of their own."""
    begin = threading.Barrier(len(calls))

    def run(call):
        begin.wait()
        try:
            return call()
        except UserError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def slowly(function):
    """The function, and time for others to come between it and what follows."""

    def slow(*given, **values):
        found = function(*given, **values)
        time.sleep(0.2)
        return found

    return slow


def test_visitor_who_queues_many_jobs_at_once_gets_four(ws, tmp_path, monkeypatch):
    base, made = helpers.model(ws, tmp_path), []
    for number in range(2):
        one = projects.create(ws, visitor(ws), f"Project {number}")
        made.append((one, helpers.dataset(ws, one.id, tmp_path)))
    monkeypatch.setattr(visitors, "check_room", slowly(visitors.check_room))

    def submits(number):
        one, data = made[number % 2]
        recipe = training(base, data, seed=number + 1)
        return lambda: lifecycle.submit(ws, visitor(ws), one.id, recipe)

    said = at_once(*map(submits, range(6)))
    assert sum(isinstance(each, Conflict) for each in said) == 2
    assert sum(len(lifecycle.list_all(ws, visitor(ws), one.id)) for one, _ in made) == 4


def test_visitor_who_makes_many_projects_at_once_gets_five(ws, monkeypatch):
    monkeypatch.setattr(visitors, "check_room", slowly(visitors.check_room))
    said = at_once(*[lambda n=n: projects.create(ws, visitor(ws), f"P {n}") for n in range(7)])
    assert sum(isinstance(each, Conflict) for each in said) == 2
    assert len(projects.list_all(ws, visitor(ws))) == 5


def test_recipe_that_is_submitted_twice_at_once_is_one_job(ws, tmp_path, monkeypatch):
    mine = projects.create(ws, LOCAL, "Mine")
    recipe = training(helpers.model(ws, tmp_path), helpers.dataset(ws, mine.id, tmp_path))
    monkeypatch.setattr(job_store, "twin", slowly(job_store.twin))
    said = at_once(*[lambda: lifecycle.submit(ws, LOCAL, mine.id, recipe)] * 3)
    assert len({each.id for each in said}) == 1


def test_visitor_whose_files_are_too_large_adds_no_more(ws, tmp_path, monkeypatch):
    mine = projects.create(ws, visitor(ws), "Mine")
    file = helpers.chat_file(tmp_path)

    def add(name):
        return datasets.add(ws, visitor(ws), mine.id, file, name)

    kept = add("first.jsonl")
    monkeypatch.setattr(visitors, "MOST_BYTES", 100)
    with pytest.raises(Conflict, match="take more than"):
        add("second.jsonl")
    with pytest.raises(Conflict, match="take more than"):
        projects.create(ws, visitor(ws), "Another")
    assert add("first.jsonl").id == kept.id  # it is there already
    folders = {one.name for one in (ws.files / "datasets").iterdir()}
    assert folders == {kept.id}  # nothing is left of what was refused


def test_nearly_full_disk_is_kept_from_visitors(ws, monkeypatch):
    monkeypatch.setattr(visitors, "LEAST_FREE", 2**62)
    with pytest.raises(Conflict, match="disk is nearly full"):
        projects.create(ws, visitor(ws), "Mine")
    projects.create(ws, LOCAL, "The owner's")


def test_job_of_a_visitor_ends_after_an_hour(ws, tmp_path):
    mine = projects.create(ws, visitor(ws), "Mine")
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, mine.id, tmp_path)
    theirs = lifecycle.submit(ws, visitor(ws), mine.id, training(base, data))
    owners = lifecycle.submit(ws, LOCAL, mine.id, training(base, data, seed=2))
    now = theirs.created_at
    with writing(ws.db) as conn:
        for job in (theirs, owners):
            conn.execute(
                job_store.job.update()
                .where(job_store.job.c.id == job.id)
                .values(state="running", started_at=now)
            )
    visitors.sweep(ws, now + visitors.LONGEST_JOB_S)
    assert not lifecycle.get(ws, LOCAL, theirs.id).cancel_requested
    visitors.sweep(ws, now + visitors.LONGEST_JOB_S + 1)
    assert lifecycle.get(ws, LOCAL, theirs.id).cancel_requested
    assert not lifecycle.get(ws, LOCAL, owners.id).cancel_requested


def test_visitors_of_one_network_queue_half_of_the_jobs(ws, tmp_path, monkeypatch):
    monkeypatch.setattr(visitors, "MOST_OF_NETWORK", 2)
    use_key(ws)
    base, said = helpers.model(ws, tmp_path), []
    for number, address in enumerate(["1.2.3.4", "1.2.3.4", "1.2.3.4", "5.6.7.8", "10.0.0.1"]):
        who = held(str(number) * 43, address)
        mine = projects.create(ws, visitor(ws, who), "P")
        data = helpers.dataset(ws, mine.id, tmp_path)
        try:
            lifecycle.submit(ws, visitor(ws, who), mine.id, training(base, data))
            said.append("")
        except Conflict as error:
            said.append(error.problem)
    assert said[:2] + said[3:] == [""] * 4
    assert said[2] == "Visitors of your network have 2 jobs waiting or running at most."


def test_new_visitors_of_a_network_are_counted_and_others_are_not_kept_out():
    counted, most = visitor_cookies.NewVisitors(), visitor_cookies.NEW_AT_ONCE
    assert [counted.take("2001:db9::1", 0.0) for _ in range(most + 1)] == [True] * most + [False]
    assert not counted.take("2001:db9::ffff:2", 60.0)  # of the same /64
    assert counted.take("2001:db9:0:1::1", 0.0)
    assert counted.take("2001:db9::1", 2 * visitor_cookies.ONE_MORE_S)
    for address in ("10.0.0.1", "127.0.0.1", "::1", "testclient", ""):  # proxies, who are many
        assert all(counted.take(address, 0.0) for _ in range(most + 5))
    assert visitor_cookies.public_network("::ffff:1.2.3.4") == "1.2.3.4"
    for number in range(visitor_cookies.MOST_NETWORKS + 5):
        counted.take(f"1.{number // 62500}.{number // 250 % 250}.{number % 250}", 0.0)
    assert len(counted._levels) == visitor_cookies.MOST_NETWORKS


# over HTTP


def cookie_of(answer):
    return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]


@on_sqlite
def test_first_page_gives_a_cookie_that_works_in_a_frame(app):
    got = browser(app).get("/")
    made = got.headers["set-cookie"]
    assert made.startswith(f"{VISITOR}=")
    assert "HttpOnly" in made
    assert "SameSite=None; Secure; Partitioned" in made
    assert got.headers["cache-control"] == "no-store"
    assert visitor_cookies.FORM.fullmatch(cookie_of(got))
    assert len(cookie_of(got)) > 43


@on_sqlite
def test_cookie_on_plain_http_is_lax(app):
    with TestClient(app, base_url="http://127.0.0.1") as plain:
        made = plain.get("/").headers["set-cookie"]
    assert "SameSite=Lax" in made
    assert "Secure" not in made


@on_sqlite
def test_second_page_keeps_the_visitor_and_a_made_up_one_is_replaced(app):
    assert cookie_of(browser(app, ADA).get("/")) == ADA
    assert cookie_of(browser(app, "owner").get("/")) != "owner"
    fresh = {cookie_of(browser(app).get("/")) for _ in range(20)}
    assert len(fresh) == 20


@on_sqlite
def test_cookie_that_was_made_up_is_replaced_and_opens_nothing_meanwhile(app, ws):
    number = handler(app, "_new_project.<locals>.create")
    made_up = "C" * 43
    got = event(browser(app, made_up), number, ["Mine"])
    assert (got.status_code, got.headers["x-tuneloop"]) == (401, "no-cookie")
    fresh = cookie_of(browser(app, made_up).get("/"))
    assert not fresh.startswith(made_up)
    assert event(browser(app, fresh), number, ["Mine"]).status_code == 200
    assert len(projects.list_all(ws, visitor(ws, fresh))) == 1


@on_sqlite
@pytest.mark.parametrize("before", [ADA[:43], ADA], ids=["older version", "lost key"])
def test_visitor_with_a_project_keeps_it_where_the_mark_is_not_known(app, ws, before):
    mine = projects.create(ws, visitor(ws), "Mine")
    (ws.settings.home / visitor_cookies.KEY_FILE).write_bytes(b"n" * visitor_cookies.KEY_BYTES)
    visitor_cookies._keys.pop(ws.settings.home)
    with pytest.raises(SignedOut):
        visitors.require(ws, before)
    again = cookie_of(browser(app, before).get("/"))
    assert visitors.require(ws, again).projects == {mine.id}
    assert cookie_of(browser(app, BEN).get("/"))[:43] != BEN[:43]  # who has none begins anew


@on_sqlite
def test_page_is_kept_from_the_new_visitors_of_a_network_that_sends_too_many(app, monkeypatch):
    monkeypatch.setattr(visitors, "_new_visitors", visitor_cookies.NewVisitors())
    monkeypatch.setattr(visitor_cookies, "NEW_AT_ONCE", 2)

    def page(address, token=None):
        cookies = {VISITOR: token} if token else {}
        client = TestClient(app, base_url=HERE, cookies=cookies, client=(address, 1))
        return client.get("/").status_code

    assert [page("1.2.3.4") for _ in range(3)] == [200, 200, 429]
    assert (page("1.2.3.4", ADA), page("5.6.7.8")) == (200, 200)


def test_key_of_visitors_is_made_once_and_read_by_its_owner_alone(ws):
    first = visitor_cookies.sign(ws, "A" * 43)
    path = ws.settings.home / visitor_cookies.KEY_FILE
    assert path.stat().st_mode & 0o077 == 0
    assert len(path.read_bytes()) == visitor_cookies.KEY_BYTES
    visitor_cookies._keys.pop(ws.settings.home)
    assert visitor_cookies.sign(ws, "A" * 43) == first
    path.write_bytes(b"")  # a disk that was full: an empty key would be everybody's
    visitor_cookies._keys.pop(ws.settings.home)
    assert visitor_cookies.sign(ws, "A" * 43) != first
    assert len(path.read_bytes()) == visitor_cookies.KEY_BYTES


@on_sqlite
@pytest.mark.parametrize(
    "path",
    ["/gradio_api/queue/data?session_hash=a", "/gradio_api/heartbeat/a", "/downloads/runs/a/trl",
     "/downloads/evaluations/a/csv", "/downloads/exports/a"],
)  # fmt: skip
def test_nobody_without_a_cookie_gets_an_answer(app, path):
    got = browser(app).get(path)
    assert (got.status_code, got.headers["x-tuneloop"]) == (401, "no-cookie")


@on_sqlite
def test_event_without_a_cookie_is_refused(app, ws):
    number = handler(app, "create")
    assert event(browser(app), number, ["Mine"]).status_code == 401
    assert browser(app).post("/gradio_api/queue/join", json={}).status_code == 401
    assert projects.list_all(ws, LOCAL) == []


@on_sqlite
def test_event_acts_for_the_visitor_of_its_cookie(app, ws):
    number = handler(app, "_new_project.<locals>.create")
    for token, name in ((ADA, "Of Ada"), (BEN, "Of Ben")):
        got = event(browser(app, token), number, [name], session=f"session-{token[0]}")
        assert got.status_code == 200, got.text
    assert {one.name for one in projects.list_all(ws, visitor(ws))} == {"Of Ada"}
    assert {one.name for one in projects.list_all(ws, visitor(ws, BEN))} == {"Of Ben"}


@on_sqlite
def test_session_of_a_page_stays_with_the_visitor_who_began_it(app, ws):
    number = handler(app, "_new_project.<locals>.create")
    assert event(browser(app, ADA), number, ["Of Ada"], "session-ada").status_code == 200
    stolen = event(browser(app, BEN), number, ["Of Ben"], "session-ada")
    assert stolen.status_code != 200
    assert projects.list_all(ws, visitor(ws, BEN)) == []
    joined = browser(app, BEN).post(
        "/gradio_api/queue/join",
        json={"data": ["Of Ben"], "fn_index": number, "session_hash": "session-ada"},
    )
    assert joined.status_code == 400
    stream = browser(app, BEN).get("/gradio_api/queue/data?session_hash=session-ada")
    assert stream.status_code == 403
    assert browser(app, BEN).get("/gradio_api/heartbeat/session-ada").status_code == 403


@on_sqlite
def test_upload_waits_while_too_many_bytes_do(app, monkeypatch):
    file = {"files": ("a.jsonl", io.BytesIO(b"{}"))}
    assert browser(app, ADA).post("/gradio_api/upload", files=file).status_code == 200
    monkeypatch.setattr("engine.services.people.visitors.MOST_UPLOADED", 1)
    assert browser(app, ADA).post("/gradio_api/upload", files=file).status_code == 507


@on_sqlite
def test_upload_that_was_cut_off_makes_room_for_another(app, ws, monkeypatch):
    monkeypatch.setattr(visitors, "MOST_UPLOADED", 1000)
    cut_off = ws.settings.uploads / "tmp-as-gradio-leaves-it"
    cut_off.parent.mkdir(exist_ok=True)
    cut_off.write_bytes(b"x" * 2000)
    file = {"files": ("a.jsonl", b"{}")}
    assert browser(app, ADA).post("/gradio_api/upload", files=file).status_code == 507
    os.utime(cut_off, (0, 0))
    assert browser(app, ADA).post("/gradio_api/upload", files=file).status_code == 200
    assert not cut_off.exists()


def test_bytes_of_a_folder_count_what_stays_where_files_go_meanwhile(tmp_path, monkeypatch):
    for name in ("goes", "stays"):
        (tmp_path / name).write_bytes(b"x" * 100)
    look = Path.lstat

    def renamed_meanwhile(path):
        if path.name == "goes":
            path.unlink(missing_ok=True)
        return look(path)

    monkeypatch.setattr(Path, "lstat", renamed_meanwhile)
    assert bytes_in(tmp_path) == 100
    assert not visitors.uploads_full(tmp_path, time.time())


@on_sqlite
def test_rounds_of_another_visitor_do_not_exist_on_the_rating_routes(app, ws, tmp_path):
    mine = projects.create(ws, visitor(ws), "Mine")
    one = seed.open_round(ws, tmp_path, project=mine.id)
    for token in (None, BEN):
        other = browser(app, token)
        assert other.get(f"/api/rate/{one.id}/next").status_code == 404
        assert other.get(f"/api/rate/{one.id}/progress").status_code == 404
        assert other.get(f"/api/rate/rounds?project={mine.id}").status_code == 404
        assert other.get(f"/rate/{one.id}").status_code == 404
        assert one.name not in other.get("/rate/open").text
    shown = browser(app, ADA)
    state = shown.get(f"/api/rate/{one.id}/next").json()
    body = {"token": state["comparison"]["token"], "key": "key-00000001", "choice": "left"}
    assert browser(app, BEN).post("/api/rate/vote", json=body).status_code == 404
    assert shown.post("/api/rate/vote", json=body).status_code == 200
    assert shown.get(f"/api/rate/{one.id}/progress").json()["guest"] is False


def raters(ws):
    with reading(ws.db) as conn:
        return set(conn.execute(select(tables.assignment.c.rater)).scalars())


def part_of(secret, name):
    """Whether any six signs of a secret stand in a name."""
    return any(secret[at : at + 6] in name for at in range(len(secret) - 5))


@on_sqlite
@pytest.mark.parametrize("space", [False, True], ids=["here", "space"])
def test_name_of_a_rater_holds_nothing_of_what_their_browser_holds(
    ws, tmp_path, monkeypatch, space
):
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    use_key(ws)
    app = server.create_app(ws, space=space)
    mine = projects.create(ws, visitor(ws), "Mine")
    one = seed.open_round(ws, tmp_path, project=mine.id)
    before = raters(ws)
    client = TestClient(app, base_url=HERE if space else "http://127.0.0.1", cookies={VISITOR: ADA})
    for _ in range(2):  # one browser is one rater
        shown = client.get(f"/api/rate/{one.id}/next").json()
        body = {"token": shown["comparison"]["token"], "key": uuid.uuid4().hex, "choice": "left"}
        assert client.post("/api/rate/vote", json=body).status_code == 200
    (name,) = raters(ws) - before
    assert re.fullmatch(r"rater-[0-9a-f]{12}", name)
    assert not part_of(client.cookies["tl_rater"], name)
    assert not part_of(ADA, name)
    # what stands in the name is no way in: another browser that makes it up is somebody else
    for made_up in (f"{name.removeprefix('rater-')}{'x' * 10}", name.ljust(32, "x")):
        cookies = {VISITOR: ADA, "tl_rater": made_up}
        thief = TestClient(app, base_url=str(client.base_url), cookies=cookies)
        known = raters(ws)
        assert thief.get(f"/api/rate/{one.id}/next").status_code == 200
        assert len(raters(ws) - known) == 1


@on_sqlite
def test_invitation_opens_the_project_of_its_maker_beside_ones_own(app, ws, tmp_path):
    mine = projects.create(ws, visitor(ws), "Mine")
    theirs = projects.create(ws, visitor(ws, BEN), "Theirs")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = seed.open_round(ws, tmp_path / "a", project=mine.id)
    two = seed.open_round(ws, tmp_path / "b", project=theirs.id)
    ben = browser(app, BEN)
    ben.get(f"/rate/join/{invites.make(ws, visitor(ws), mine.id, 'Ben')}")
    assert ben.get(f"/api/rate/{one.id}/next").status_code == 200
    assert ben.get(f"/api/rate/{two.id}/next").status_code == 200
    colleague = browser(app)
    colleague.get(f"/rate/join/{invites.make(ws, visitor(ws), mine.id, 'Eve')}")
    assert colleague.get(f"/api/rate/{one.id}/next").status_code == 200
    assert colleague.get(f"/api/rate/{two.id}/next").status_code == 404


def test_processes_that_begin_at_once_hold_one_key(tmp_path, monkeypatch):
    """Each is slow to make one, so all have looked for it before the first one is there."""
    together = multiprocessing.get_context("fork")
    gate, found = together.Barrier(4), together.Queue()

    def begin(number):
        def slow(count):
            time.sleep(0.2 * number)
            return bytes([number]) * count

        monkeypatch.setattr(visitor_cookies.secrets, "token_bytes", slow)
        gate.wait()
        found.put(visitor_cookies._key(tmp_path))

    begun = [together.Process(target=begin, args=[number]) for number in range(4)]
    for each in begun:
        each.start()
    keys = {found.get(timeout=120) for _ in begun}
    for each in begun:
        each.join()
    assert keys == {(tmp_path / visitor_cookies.KEY_FILE).read_bytes()}


def test_key_that_was_cut_off_is_made_anew(tmp_path):
    (tmp_path / visitor_cookies.KEY_FILE).write_bytes(b"short")
    assert len(visitor_cookies._key(tmp_path)) == visitor_cookies.KEY_BYTES
