"""The panel that brings votes and answers of a file, and how imported rounds are shown."""

import json
import warnings

import gradio as gr
import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.services.rating import rounds
from engine.services.rating.vote_import import VoteImport, add
from tests import helpers
from tests.rating.test_vote_import import bare, file_of, whole
from ui.pages.rating import import_panel, tab
from ui.pages.rating.import_panel import ANSWERS, ROLES, VOTES, HeldFile, Wanted

PLACES = ["report", "kind", "columns", "asked", "answers", *ROLES, "options", "new", "overlap",
          "go", "rows"]  # fmt: skip


def held(path):
    return HeldFile(str(path), path.name)


def asked(path, kind=VOTES, roles=(), **values):
    given = {
        "purpose": "train_pairs", "new": "", "overlap": 1, "name": "", "asked": "", "answers": [],
        **values,
    }  # fmt: skip
    named = dict(roles)
    columns = [named.get(role, "") for role in ROLES]
    return import_panel.wanted(held(path) if path else None, kind, *given.values(), *columns)


def named(updates):
    assert len(updates) == len(PLACES)
    return dict(zip(PLACES, updates, strict=True))


@pytest.fixture
def place(ws):
    return helpers.project(ws)


def test_dropped_file_of_votes_says_what_was_understood(ws, place, tmp_path):
    rows = whole()
    rows[3]["winner"] = "perhaps"
    shown = named(import_panel.dropped(ws, place.id, held(file_of(tmp_path, rows))))
    assert "48 rows, 47 votes on two answers, 2 named raters" in shown["report"]
    assert "Row 5 has the choice &#x27;perhaps&#x27;." in shown["report"]
    assert shown["left_model"].value == "model_left"
    assert [value for _, value in shown["new"].choices] == ["", "llama", "gpt"]
    assert (shown["go"].visible, shown["go"].value, shown["overlap"].visible) == (
        True, "Add the votes", False,
    )  # fmt: skip
    assert "shop number 0" in shown["rows"]
    assert rounds.list_all(ws, LOCAL, place.id) == []


def test_dropped_file_of_answers_offers_a_round(ws, place, tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(
        json.dumps({"prompt": f"Q{n}?", "answers": [f"a {n}", f"b {n}", f"c {n}"]})
        for n in range(4)
    ))  # fmt: skip
    shown = named(import_panel.dropped(ws, place.id, held(path)))
    assert (shown["kind"].value, shown["go"].value) == (ANSWERS, "Open the round")
    assert "4 prompts make 8 comparisons" in shown["report"]
    made = import_panel.start_import(ws, place.id, asked(path, ANSWERS, overlap=2))
    one = rounds.get(ws, LOCAL, made)
    assert (one.status, one.plan.overlap) == ("open", 2)


def test_file_with_other_names_asks_for_its_columns(ws, place, tmp_path):
    rows = [{"frage": "Wo?", "x": "neu", "y": "alt", "wahl": "left"}]
    path = file_of(tmp_path, rows)
    shown = named(import_panel.dropped(ws, place.id, held(path)))
    assert "no columns of votes that are known" in shown["report"]
    assert (shown["columns"].visible, shown["columns"].open) == (True, True)
    assert [value for _, value in shown["choice"].choices] == ["", "frage", "x", "y", "wahl"]
    assert not shown["go"].visible
    roles = {"prompt": "frage", "left_model": "x", "right_model": "y", "choice": "wahl"}
    shown = named(import_panel.look(ws, place.id, asked(path, roles=roles)))
    assert "1 votes on two answers" in shown["report"]
    assert shown["go"].visible
    assert import_panel.start_import(ws, place.id, asked(path, roles=roles)) is not None


def test_file_that_is_none_leaves_the_panel_empty(ws, place, tmp_path):
    path = tmp_path / "x.pdf"
    path.write_bytes(b"%PDF-1.7")
    shown = named(import_panel.dropped(ws, place.id, held(path)))
    assert "The file is a PDF." in shown["report"]
    assert (shown["go"].visible, shown["columns"].visible) == (False, False)
    assert named(import_panel.dropped(ws, place.id, None))["report"] == import_panel.GUIDE
    with pytest.raises(UserError, match="No file"):
        import_panel.start_import(ws, place.id, asked(None))


@pytest.mark.parametrize("odd", [None, [], {}, 7, "x" * 10_000, [["a"]]])
def test_whatever_the_browser_sends_becomes_values(odd):
    found = import_panel.wanted(None, odd, odd, odd, odd, odd, odd, odd, *[""] * len(ROLES))
    assert isinstance(found, Wanted)
    assert found.kind == VOTES
    assert 1 <= found.overlap <= 5
    assert len(found.name) <= 60


def test_text_of_a_file_is_never_markup(ws, place, tmp_path):
    rows = [{**row, "prompt": "<img src=x onerror=alert(1)>", "rater": "<b>r</b>"}
            for row in whole(2)]  # fmt: skip
    shown = named(import_panel.dropped(ws, place.id, held(file_of(tmp_path, rows))))
    assert "<img" not in shown["rows"] + shown["report"]
    assert "<b>r" not in shown["rows"]


def test_imported_round_shows_its_verdict_or_why_it_has_none(ws, place, tmp_path):
    path = file_of(tmp_path, whole())
    with_sides = add(ws, LOCAL, place.id, path, path.name, VoteImport(new="gpt")).rounds[0].id
    shown = tab.read(ws, place.id, with_sides)
    assert "gpt" in shown["outcome"]
    assert "Can I trust it?" in shown["outcome"]
    assert "imported" in shown["about"]
    assert shown["collect"]
    path = file_of(tmp_path, bare(whole(20)), "bare.csv")
    without = add(ws, LOCAL, place.id, path, path.name, VoteImport()).rounds[0].id
    shown = tab.read(ws, place.id, without)
    assert "not known to be blind" in shown["about"]
    assert "Not known to be blind" in shown["outcome"]
    assert "better: llama" in shown["outcome"]
    assert "left answer" not in shown["outcome"]


def test_panel_of_a_file_starts_with_a_model_that_it_offers():
    """Gradio warns of a value that is no choice, in the terminal of whoever starts the server."""
    with gr.Blocks(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        panel = import_panel.build()
    assert panel.new.value in [value for _, value in panel.new.choices]
