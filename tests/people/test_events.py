"""Every event of the page, called by whoever may not: made from the page's own list of handlers.

The handlers are called as Gradio calls them, after the check of what a page can send; the doors in
front of them are tested in test_page and test_visitors. What a service alone does is
test_other_projects.
"""

import inspect
import logging
from collections import Counter

import gradio as gr
import pytest
from sqlalchemy import select

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services import projects
from engine.services.models import registry
from engine.services.people import visitors
from engine.store import tables
from engine.store.connect import reading
from tests import signed_in
from tests.people import page_events
from tests.people.test_other_projects import theirs  # noqa: F401  a fixture
from tests.people.visitor_tokens import BEN, use_key
from ui import server
from ui.web import errors, sent
from ui.web.errors import LONGEST_TEXT
from ui.web.session import COOKIE, VISITOR

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ODD = [
    None, "", "nonsense", "-1", -1, 0, 1.5, 10**30, True, float("nan"), float("inf"), "x" * 100_000,
    "\x00", "\ud800", "../x", "' OR 1=1 --", [], [None], ["a"], [["a"]], {}, {"a": 1},
]  # fmt: skip
CLICKS = ("step", "page", "aim", "pick", "row_value")
# Gradio refuses a choice that a part with fixed choices does not offer
FIXED = (gr.Radio, gr.CheckboxGroup)


def trainer(ws):
    """Trains in a project of their own."""
    mine = projects.create(ws, LOCAL, "Mine")
    ws.settings = ws.settings.model_copy(update={"sign_in": True})
    held = signed_in.sessions(ws, {"Bob": ("trainer", [mine.id])})
    return mine.id, {COOKIE: held["Bob"]}, server.create_app(ws)


def rater(ws):
    """Rates in a project of their own."""
    mine = projects.create(ws, LOCAL, "Mine")
    ws.settings = ws.settings.model_copy(update={"sign_in": True})
    held = signed_in.sessions(ws, {"Rita": ("rater", [mine.id])})
    return mine.id, {COOKIE: held["Rita"]}, server.create_app(ws)


def nobody(ws):
    """Is not signed in."""
    mine = projects.create(ws, LOCAL, "Mine")
    ws.settings = ws.settings.model_copy(update={"sign_in": True})
    return mine.id, {}, server.create_app(ws)


def visitor(ws):
    """Has a project of their own in an open Space."""
    use_key(ws)
    mine = projects.create(ws, visitors.require(ws, BEN), "Mine")
    return mine.id, {VISITOR: BEN}, server.create_app(ws, space=True)


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    """What Gradio takes from the environment stays as it was, and a bug is always written down."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setattr(errors, "WRITTEN_S", 0.0)


def rows(ws):
    """Every row of every table as text, but for who came when; what it refers to by id."""
    with reading(ws.db) as conn:
        return {
            f"{table.name} {tuple(row)!r}": [
                value for name, value in row._mapping.items() if table.c[name].foreign_keys
            ]
            for table in tables.metadata.sorted_tables
            if table.name not in ("session", "last_visit", "worker")
            for row in conn.execute(select(table))
        }


def outcome(event, values, of_click):
    """What a browser sees: `shown`, `refused` or `broken`, and the text."""
    try:
        return "shown", page_events.shown(page_events.call(event, values, of_click))
    except (gr.Error, UserError) as error:
        text = str(getattr(error, "message", error))
        return ("broken" if text == errors.BUG else "refused"), text
    except Exception as error:
        return "broken", f"{type(error).__name__}: {error}"


def without(words, text):
    """The text less what was sent, and what is everybody's."""
    for one in words:
        text = text.replace(one, "")
    return text


def reaches(part, value):
    """Whether Gradio lets a value through to the handler: no path that was not uploaded."""
    if isinstance(part, (gr.File, gr.UploadButton)):
        return value is None
    known = [each for _, each in part.choices] if isinstance(part, FIXED) else []
    return not known or value is None or value in known


def clicked(value):
    """What a click may say of itself: the same everywhere."""
    return {**dict.fromkeys(CLICKS, value), "index": [0, 0], "value": value}


def each_call(app, fills):
    """The events with the values of their inputs for each fill, and what a click says.

    Where a part could not hold a value it keeps its own, so many fills are one: a call that was
    made is not made again.
    """
    made = set()
    for event in page_events.all_events(app):
        for fill in fills:
            values = page_events.filled(
                event,
                lambda place, part, fill=fill: (
                    value if sent.fits(part, value := fill(place)) and reaches(part, value)
                    else part.value
                ),
            )  # fmt: skip
            of_click = clicked(fill(1)) if page_events.hears_clicks(event) else None
            same = (event.handler, page_events.sent_by(event, values), repr(of_click))
            if same not in made:
                made.add(same)
                yield event, values, of_click


@sqlite
@pytest.mark.parametrize("stranger", [trainer, rater, nobody, visitor])
def test_event_hides_and_keeps_what_is_of_another_project(ws, theirs, stranger, caplog):  # noqa: F811
    mine, cookies, app = stranger(ws)
    known = list(dict.fromkeys(v for v in theirs.values() if isinstance(v, str) and "-1" in v))
    assert len(known) > 10
    bases = [one.name for one in registry.list_all(ws, LOCAL) if one.kind == "base"]
    before, told = rows(ws), {}
    tried = Counter()
    # each id in every place but that of the project, which is one's own; and the foreign project
    fills = [lambda place, one=one: one if place else mine for one in known]
    fills += [lambda place: theirs["project_id"] if not place else known[place % len(known)]]
    with page_events.asked_by(cookies):
        for event, values, of_click in each_call(app, fills):
            how, text = outcome(event, values, of_click)
            tried[how] += 1
            if how == "broken" or "secret" in without([*known, *bases], text).casefold():
                told[event.name] = (how, text[:300], values)
    assert told == {}
    assert tried["refused"] > 500
    now = rows(ws)
    assert before.keys() - now.keys() == set()
    new = {row: now[row] for row in now.keys() - before.keys() if not row.startswith("audit ")}
    assert {row: ids for row, ids in new.items() if set(ids) & set(known)} == {}
    assert "Traceback" not in caplog.text


@sqlite
def test_event_answers_whatever_is_sent_in_one_sentence(ws, theirs, caplog):  # noqa: F811
    caplog.set_level(logging.ERROR)
    _, cookies, app = trainer(ws)
    told, tried = {}, Counter()
    with page_events.asked_by(cookies):
        for event in page_events.all_events(app):
            for odd in ODD:
                values = page_events.filled(event, lambda _place, part, odd=odd: (
                    odd if reaches(part, odd) else part.value
                ))  # fmt: skip
                how, text = outcome(event, values, clicked(odd))
                tried[how] += 1
                if how == "broken" or (how == "refused" and len(text) > LONGEST_TEXT + 1):
                    told[f"{event.name} {odd!r:.30}"] = (how, text[:300])
    assert told == {}
    assert tried["refused"] > 1000
    assert "Traceback" not in caplog.text


@sqlite
def test_value_that_no_page_sends_is_refused_over_http(ws, caplog):
    mine, cookies, app = trainer(ws)
    client = signed_in.browser(app, cookies[COOKIE])
    event = next(one for one in page_events.all_events(app) if "choices" in one.name)
    told = {}
    for value in (None, ["a"], {"a": 1}, 7, "nonsense", "\x00", True):
        data = [mine, *[value] * (len(event.inputs) - 1)]
        body = {"data": data, "fn_index": event.number, "session_hash": "odd-values-0001"}
        got = client.post("/gradio_api/run/predict", json=body)
        refused = got.status_code == 500 and got.json()["error"] == " ".join(sent.NOT_OF_THE_PAGE)
        if got.status_code != 200 and not refused:
            told[repr(value)] = (got.status_code, got.text[:300])
    assert told == {}
    assert "Traceback" not in caplog.text


@sqlite
@pytest.mark.parametrize("click", [None, {}, [], 7, "x", {"index": [0, 0]}], ids=repr)
def test_click_that_no_page_sends_is_refused_over_http(ws, caplog, click):
    mine, cookies, app = trainer(ws)
    client = signed_in.browser(app, cookies[COOKIE])
    clicks = [one for one in page_events.all_events(app) if takes_a_click(one.handler)]
    assert len(clicks) > 8
    for event in clicks:
        data = page_events.filled(event, lambda place, part: mine if not place else part.value)
        body = {"data": data, "fn_index": event.number, "session_hash": "odd-clicks-01",
                "event_data": click}  # fmt: skip
        got = client.post("/gradio_api/run/predict", json={**body, "data": _plain(data)})
        if got.status_code != 200:
            assert got.json()["error"], event.name  # in a sentence of ours
            assert got.json()["error"] != errors.BUG, event.name
    assert "Traceback" not in caplog.text


def takes_a_click(handler):
    """Whether Gradio gives the handler what a click says of itself."""
    kinds = getattr(inspect.unwrap(getattr(handler, "func", handler)), "__annotations__", {})
    return any(inspect.isclass(kind) and issubclass(kind, gr.EventData) for kind in kinds.values())


def _plain(values):
    """States and what JSON does not know stay with the server."""
    return [each if isinstance(each, (str, int, float, list)) else None for each in values]
