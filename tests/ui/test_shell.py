"""The shell: who may ask, what a page holds, and what a person reads when something is wrong."""

import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import gradio as gr
import pytest
from fastapi.testclient import TestClient

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.event import MetricEvent, ProgressEvent
from engine.core.job import Job, State
from engine.core.job_result import DemoReport
from engine.core.project import LoopStatus, NextAction, Step
from engine.services import projects
from engine.services.people import accounts
from engine.workspace import Settings, Workspace, open_workspace
from tests.serving import free_port
from tests.ui import results
from ui import server
from ui.components import charts, event_cursor, loop_words, markup
from ui.components.live_plot import LivePlot
from ui.components.page import NavigationTarget
from ui.pages.home import loop_picture
from ui.pages.home import render as home_view
from ui.pages.home import tab as home_tab
from ui.web.default_model_download import Setup
from ui.web.errors import BUG, shows_errors

HERE = "http://127.0.0.1:7860"


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory):
    """One workspace for all tests of this file: the page takes a while to build."""
    home = tmp_path_factory.mktemp("shell")
    workspace = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'test.db'}"))
    before = os.environ.get("GRADIO_TEMP_DIR")
    yield workspace
    workspace.close()
    if before is None:
        os.environ.pop("GRADIO_TEMP_DIR", None)
    else:
        os.environ["GRADIO_TEMP_DIR"] = before


@pytest.fixture(scope="module")
def app(ws: Workspace):
    return server.create_app(ws)


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app, base_url=HERE) as ours:
        yield ours


@pytest.fixture(scope="module")
def space(ws: Workspace):
    with TestClient(server.create_app(ws, space=True), base_url="https://a-b.hf.space") as ours:
        yield ours


def test_event_that_shows_no_progress_names_no_component_to_show_it_on(app, client):
    """Gradio's page would look for each of them in its whole tree, at every change of an event."""
    events = client.get("/config").json()["dependencies"]
    hidden = [one for one in events if one["show_progress"] == "hidden"]
    assert len(hidden) > 100
    assert all(one["show_progress_on"] == [] for one in hidden)


def test_new_project_is_loaded_by_the_open_tab_only(client):
    """Nine tabs that draw themselves at once keep a browser busy for seconds."""
    config = client.get("/config").json()
    project = next(
        one["id"] for one in config["components"] if one["props"].get("elem_id") == "project"
    )
    told = [one for one in config["dependencies"] if [project, "change"] in one["targets"]]
    turns = {one["id"] for one in config["components"] if one["type"] == "state"}
    drawn = [out for one in told for out in one["outputs"] if out not in turns]
    assert len(drawn) <= 3  # the project that is remembered, and a dataset that is closed


# the guard


def test_page_and_its_health_are_served(client):
    assert client.get("/").status_code == 200
    assert client.get("/health").json() == {"ok": True, "version": "0.1.0", "worker": False}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[", ""])
def test_foreign_host_is_refused(client, host):
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:80", "[::1]:7860", "localhost"])
def test_every_name_of_this_machine_is_served(client, host):
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": HERE, "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/upload", "/api/rate/vote"])
def test_cross_site_writes_are_refused(client, path, headers):
    assert client.post(path, json={}, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"origin": HERE}, {"sec-fetch-site": "same-origin"}])
def test_same_origin_requests_and_programs_are_allowed(client, headers):
    assert client.post("/gradio_api/queue/join", json={}, headers=headers).status_code == 422


def test_cross_origin_reads_are_refused(client):
    for origin in ("https://evil.example", "null"):
        got = client.get("/config", headers={"origin": origin})
        assert "access-control-allow-origin" not in got.headers


@pytest.mark.parametrize("path", ["/", "/health", "/static/tuneloop.css", "/gradio_api/info"])
def test_every_answer_carries_the_security_headers(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]


def test_refused_request_carries_the_security_headers(client):
    refused = client.get("/", headers={"host": "evil.example"})
    assert refused.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/gradio_api/proxy=https://a.b/c", "/gradio_api/file=http://a.b"])
def test_server_fetches_no_address_for_a_visitor(client, path):
    assert client.get(path).status_code == 404


def test_space_answers_under_its_name_but_still_not_to_other_sites(space):
    page = space.get("/")
    assert page.status_code == 200
    assert "https://huggingface.co" in page.headers["content-security-policy"]
    joined = space.post(
        "/gradio_api/queue/join", json={}, headers={"origin": "https://evil.example"}
    )
    assert joined.status_code == 403


def test_scripts_that_slow_frames_and_polls_run_before_any_other(client):
    page = client.get("/").text
    for name, part in (("slow_frames", "requestAnimationFrame"), ("poll_pace", "setInterval")):
        at = page.index(f"static/{name}.js")
        assert at < page.index("<script>") < page.index('type="module"')
        assert part in client.get(f"/static/{name}.js").text


def test_space_says_that_data_is_lost_on_restart(space, client):
    assert "lost on restart" in space.get("/config").text
    assert "lost on restart" not in client.get("/config").text


# how Gradio is mounted


def test_mounted_page_checks_file_paths_and_keeps_errors_and_runs_to_itself(app, client):
    demo = app.state.demo
    assert demo.has_launched is True
    assert demo.show_error is False
    assert client.get("/gradio_api/runs").status_code == 404
    assert client.get("/monitoring/summary").status_code in (403, 404)
    assert client.get("/gradio_api/mcp/sse").status_code == 404


def test_every_event_of_the_page_is_private(app):
    public = [fn.api_name for fn in app.state.demo.fns.values() if fn.api_visibility != "private"]
    assert public == []


def _takes_a_file(app):
    for number, fn in app.state.demo.fns.items():
        for place, part in enumerate(fn.inputs):
            if isinstance(part, (gr.File, gr.UploadButton)) and fn.fn:
                # a slider without a value would be refused before the file is looked at
                others = [p.value if isinstance(p, gr.Slider) else None for p in fn.inputs]
                yield number, place, others


def test_path_outside_the_uploads_is_refused(app, client, tmp_path, capfd):
    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"prompt": "a", "completion": "b"}')
    found = list(_takes_a_file(app))
    assert found, "the Data page takes a file"
    for number, place, others in found:
        data: list[object] = list(others)
        data[place] = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
        body = {"data": data, "fn_index": number, "session_hash": "abcdefghij"}
        got = client.post("/gradio_api/run/predict", json=body)
        assert got.json() == {"error": None}
        assert "was not uploaded by a user" in capfd.readouterr().err, number


def test_uploads_lie_in_the_workspace(ws, client):
    got = client.post("/gradio_api/upload", files={"files": ("a.jsonl", b"{}")})
    assert got.status_code == 200
    assert Path(got.json()[0]).is_relative_to(ws.settings.home / "uploads")


def test_database_and_the_models_cannot_be_fetched(ws, client):
    secret = ws.files / "secret.txt"
    secret.write_text("x")
    for path in (secret, ws.settings.home / "test.db", "/etc/passwd"):
        assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)


def test_plotly_is_served_locally_and_cached(client):
    got = client.get("/static/plotly.min.js")
    assert got.status_code == 200
    assert "max-age" in got.headers["cache-control"]


@pytest.mark.parametrize("name", ["../server.py", "%2e%2e/server.py", "nothing.js"])
def test_only_the_named_files_are_served(client, name):
    assert client.get(f"/static/{name}").status_code in (403, 404)


def test_fonts_of_the_theme_are_served_from_here(client):
    style = client.get("/theme.css").text
    assert "googleapis" not in style
    fonts = re.findall(r"url\('?(static/fonts/[^')]+)", style)
    assert fonts
    assert all(client.get(f"/{font}").status_code == 200 for font in fonts)


def test_web_process_never_imports_torch():
    code = (
        "import sys, ui.server; print(sorted({'torch', 'transformers', 'trl'} & set(sys.modules)))"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# serving


@pytest.fixture
def served(monkeypatch):
    """The apps that `serve` would serve until stopped."""
    found = []
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # create_app sets it; put back at the end
    kept = SimpleNamespace(
        Config=lambda app, **_: app,  # the real one takes over the log of this process
        Server=lambda app: SimpleNamespace(run=lambda: found.append(app)),
    )
    monkeypatch.setattr(server, "uvicorn", kept)
    monkeypatch.setattr(server.worker, "start", lambda _: SimpleNamespace(terminate=lambda: None))
    monkeypatch.setattr(Setup, "start", lambda *_: None)
    return found


@pytest.mark.parametrize(("host", "asks"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_server_on_a_public_address_asks_for_sign_in(tmp_path, served, capsys, host, asks):
    server.serve(tmp_path, host, free_port())
    said = capsys.readouterr().out
    assert ("/account/welcome/" in said) == asks
    got = TestClient(served[0], base_url=HERE).get("/config")
    assert got.status_code == (401 if asks else 200)


def test_server_with_accounts_asks_for_sign_in_on_loopback_too(tmp_path, served):
    made = open_workspace(Settings.in_home(tmp_path))
    accounts.add(made, LOCAL, "Ada", "owner")
    made.close()
    server.serve(tmp_path, "127.0.0.1", free_port())
    assert TestClient(served[0], base_url=HERE).get("/config").status_code == 401


def test_taken_port_is_a_readable_error(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port}"):
            server.serve(tmp_path, "127.0.0.1", port)


def test_missing_first_model_is_explained_in_words(ws, monkeypatch, tmp_path):
    monkeypatch.setenv("TUNELOOP_MODEL", str(tmp_path))
    setup = Setup()
    setup.fetch(ws)
    assert setup.failed
    assert "no config.json" in setup.words


# handlers


def test_user_error_reaches_the_page_and_a_bug_stays_in_the_log(caplog):
    @shows_errors
    def told(_: int) -> None:
        raise UserError("Nothing there.", "Add a file.")

    @shows_errors
    def broken():
        yield 1
        raise RuntimeError("secret path")

    with pytest.raises(gr.Error, match=r"Nothing there\. Add a file\."):
        told(1)
    steps = broken()
    assert next(steps) == 1
    with pytest.raises(gr.Error, match=re.escape(BUG)):
        next(steps)
    assert "secret path" in caplog.text


# the kit


EVIL = "<img src=x onerror=alert(1)>\"'{{1}}${2}"


@pytest.mark.parametrize(
    "made",
    [
        markup.head(EVIL, EVIL),
        markup.empty(EVIL, EVIL),
        markup.badge(EVIL, "bad"),
        markup.notice(EVIL, "warn"),
        markup.stat(EVIL, EVIL, EVIL),
        markup.progress(1, 2, EVIL),
    ],
)
def test_shell_shows_text_never_as_markup(made):
    assert "<img" not in made
    assert "&lt;img" in made


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min"), (200, "3 min 20 s"), (3900, "1 h 5 min"), (200000, "2 days")],
)
def test_duration_reads_naturally(seconds, words):
    assert markup.duration(seconds) == words


def test_time_of_today_has_no_date():
    assert markup.when(time.time()).startswith("today ")
    assert markup.when(0).endswith("1970")


def test_bar_stays_between_nothing_and_all():
    assert "100 %" in markup.progress(9, 3, "x")
    assert "0 %" in markup.progress(0, 0, "x")
    assert "about 1 min 30 s left" in markup.progress(1, 3, "x", 90)


@pytest.mark.parametrize(("tiles", "columns"), [(1, 1), (4, 4), (5, 5), (6, 3), (7, 4), (11, 4)])
def test_tiles_stand_in_rows_of_about_equal_length(tiles, columns):
    assert f"--tl-columns:{columns}" in markup.stats([markup.stat("Time", "1 s")] * tiles)


def test_loss_curve_marks_the_lowest_held_out_loss():
    said = [
        (1, {"loss": 3.0}),
        (2, {"eval_loss": 2.0}),
        (3, {"eval_loss": 1.5}),
        (4, {"eval_loss": 1.7}),
    ]
    events = [MetricEvent(job_id="j", seq=n, at=0.0, step=n, data=data) for n, data in said]
    drawn = charts.loss_curves(events)
    assert [list(trace.y) for trace in drawn.data] == [[3.0], [2.0, 1.5, 1.7], [1.5]]
    assert (drawn.data[2].name, list(drawn.data[2].x)) == ("best: 1.500", [3])
    assert not drawn.layout.annotations  # words over the chart would hide the curves
    assert LivePlot().postprocess(drawn) == drawn.to_json()


# home


def _steps(**states: str) -> tuple[Step, ...]:
    return tuple(
        Step(name=name, state=states.get(name, "todo"), label=EVIL if name == "train" else "")
        for name in home_tab.STEPS
    )


def test_loop_picture_labels_each_state_and_escapes_names():
    drawn = loop_picture.picture(_steps(data="done", train="done", evaluate="running", rate="next"))
    assert "2 of 8" in drawn
    for words in ("done", "running now", "next", "to do"):
        assert f">{words}</text>" in drawn
    assert "<img" not in drawn


def test_loop_picture_shows_the_subject_of_a_step_before_its_result():
    steps = (Step(name="data", state="done", count=1200), Step(name="train", state="todo"))
    drawn = loop_picture.picture(steps, {"data": "your examples", "train": "a first model"})
    assert ">1,200 rows</text>" in drawn
    assert ">a first model</text>" in drawn
    assert "your examples" not in drawn


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Step(name="data", state="done", count=40), "40 rows"),
        (Step(name="train", state="done", label="SFT one"), "SFT one"),
        (Step(name="evaluate", state="done", label="rougeL", value=0.412), "ROUGE-L 0.41"),
        (Step(name="verdict", state="done", value=0.62), "62 % wins"),
        (Step(name="pairs", state="next"), ""),
    ],
)
def test_step_result_is_named_as_people_know_it(step, words):
    assert loop_words.result(step) == words


def test_next_action_has_words_and_a_page_for_every_value():
    assert set(loop_words.ACTIONS) == set(get_args(NextAction))
    for action in get_args(NextAction):
        status = LoopStatus(steps=(), next_action=action)
        title, _, page, purpose = loop_words.ACTIONS[action]
        assert title in loop_words.next_action(status)
        assert home_tab.known_page(page) == page
        target, tabs = loop_words.follow(action)
        assert (target.purpose, tabs.selected) == (purpose, page)
        assert purpose is None or page == "rating"


def test_every_station_opens_a_page():
    pages = {home_tab.page_of(name) for name in home_tab.STEPS}
    assert pages == {"data", "training", "evaluation", "rating"}
    assert home_tab.page_of(EVIL) == "home"


def test_home_card_links_to_the_item_that_it_shows():
    assert home_tab.target("evaluation", "e-1") == NavigationTarget(evaluation="e-1")
    assert home_tab.target("jobs", "j-1") == NavigationTarget(run="j-1")
    assert home_tab.target("models", "m-1") == NavigationTarget()
    assert home_tab.known_page(EVIL) == "home"


def drawn(setup, ws, project, seen):
    view, *updates = home_tab.on_poll(ws, setup, project, seen)
    return view, dict(zip(home_tab.HomeParts._fields, updates, strict=True))


def test_home_welcomes_then_shows_the_loop_and_sends_no_more(ws):
    setup = Setup()
    seen, first = drawn(setup, ws, None, home_tab.HomeView())
    assert first["welcome"].visible is True
    assert "No worker" in first["notes"]
    project = projects.create(ws, LOCAL, "Mine")
    seen, then = drawn(setup, ws, project.id, seen)
    assert then["here"].visible is True
    assert then["go"].value == "Add your examples"
    assert seen.action == "add_data"
    again, still = drawn(setup, ws, project.id, seen)
    assert set(map(str, still.values())) == {str(gr.skip())}
    assert again == seen


def test_home_poll_without_news_reads_no_history(ws, monkeypatch):
    project = projects.create(ws, LOCAL, "Quiet")
    seen, _ = drawn(Setup(), ws, project.id, home_tab.HomeView())
    monkeypatch.setattr(home_tab, "status", lambda *_: pytest.fail("read again"))
    drawn(Setup(), ws, project.id, seen)


def test_home_draws_another_project_after_a_change(ws):
    one, two = (projects.create(ws, LOCAL, name) for name in ("One", "Two"))
    seen, _ = drawn(Setup(), ws, one.id, home_tab.HomeView())
    later, _ = drawn(Setup(), ws, two.id, seen)
    assert later.revision != seen.revision


def test_home_says_that_the_model_is_on_its_way(ws):
    setup = Setup()
    setup.words = "Fetching the first model."
    drawn = home_tab.on_poll(ws, setup, None, home_tab.HomeView())
    assert "Fetching the first model." in str(drawn)


def test_missing_project_is_replaced_by_the_newest(ws):
    newest = projects.create(ws, LOCAL, "Newest")
    assert home_tab.project_choice(ws, "gone").value == newest.id


def _job(state: State, **more: object) -> Job:
    return Job(
        id="job", project_id="p", kind="demo", lane="loop", name="The whole loop", recipe={},
        state=state, owner="local", created_at=0.0, **more,
    )  # fmt: skip


def test_running_demo_shows_its_part_and_a_failed_one_says_why():
    said = {"done": 1.4, "total": 9, "label": "Training on the examples (SFT)"}
    event = ProgressEvent(job_id="job", seq=1, at=0.0, data=said)
    running = home_view.demo_on_its_way(
        _job(State.RUNNING), event_cursor.taken(event_cursor.Track(), results.stored(event))
    )
    assert "Part 2 of 9: Training on the examples (SFT)" in running
    assert "16 %" in running
    failed = home_view.demo_on_its_way(
        _job(State.FAILED, error="The disk is full."), event_cursor.Track()
    )
    assert "The disk is full." in failed


def test_report_reads_win_rate_scores_and_who_rated():
    mean = {"score": 0.41, "low": 0.36, "high": 0.46, "n": 50}
    found = DemoReport.model_validate({
        "sentence": "The new model won 62 % of the votes.", "decision": "better",
        "win_rate": 0.62, "low": 0.54, "high": 0.70,
        "votes": {"wins": 118, "losses": 72, "ties": 20, "both_bad": 6},
        "before": {"bleu": mean}, "sft": {"bleu": mean}, "after": {"bleu": mean}, "gains": {},
        "facts": "Exact match: 0.53 to 0.51: no loss shown, but it may have lost as much as 0.11.",
        "example": {"question": EVIL, "before": "At nine.", "after": "At nine. See you soon!",
                    "differing": 31},
        "held_out_rows": 50, "rated": 72, "pairs": 58, "left_out": {},
        "rater": {"rule": "expert", "stated": EVIL}, "stages": [],
        "seconds": 584.0, "cores": 2, "cost_note": "No price was given.",
    })  # fmt: skip
    card = home_view.report(found)
    for text in (
        "62 %",
        "54 % to 70 %",
        "9 min 44 s",
        "0.41",
        "0.36 to 0.46",
        "simulated",
        "wins 118",
        "as much as 0.11",
        "At nine. See you soon!",
        "The first of 31 held-out questions",
    ):
        assert text in card
    assert "<img" not in card
