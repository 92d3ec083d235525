"""Fixes as new versions: what they change, what they leave, and how they are taken back."""

import json
import time

import pytest

from engine import plugins
from engine.core import ids
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound, UserError
from engine.core.examples import Message, Preference, Prompt, Text, Unpaired
from engine.core.model import Model
from engine.services.data import cleaning, datasets, versions
from engine.store import models
from engine.store.connect import writing
from tests import helpers

WRITTEN = "write to me@example.com"


@pytest.fixture
def spoilt(ws, tmp_path):
    """Forty rows of which 5 repeats row 4, 11 is empty and 21 names an address."""
    rows = [{"prompt": f"question {n}?", "completion": f"answer {n}."} for n in range(40)]
    rows[5] = rows[4]
    rows[11]["completion"] = " "
    rows[21]["completion"] = WRITTEN
    path = tmp_path / "faq.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return datasets.add(ws, LOCAL, helpers.project(ws).id, path, path.name, held_out=0.25)


FIXES = ["drop_exact_duplicates", "drop_empty_turns", "mask_personal_data"]


def test_preview_counts_what_goes_and_what_changes_and_stores_nothing(ws, spoilt):
    change = cleaning.preview(ws, LOCAL, spoilt.id, FIXES)
    assert change[:4] == (2, 1, 40, 38)
    assert [(s.row, s.after is None) for s in change.samples] == [
        (6, True),
        (12, True),
        (22, False),
    ]
    assert change.samples[2].before.answer == WRITTEN
    assert change.samples[2].after.answer == "write to [e-mail]"
    assert datasets.list_all(ws, LOCAL, spoilt.project_id) == [spoilt]


def test_fixes_make_the_next_version_and_keep_every_row_in_its_split(ws, spoilt):
    mended = cleaning.apply(ws, LOCAL, spoilt.id, FIXES)
    assert (mended.label, mended.rows) == ("faq@2", 38)
    assert mended.origin == {"mended": spoilt.id, "fixes": FIXES}
    before = {r.example.source_row: r.split for r in datasets.rows(ws, LOCAL, spoilt.id)}
    after = {r.example.source_row: r.split for r in datasets.rows(ws, LOCAL, mended.id)}
    assert after.items() <= before.items()
    assert {f.id for f in spoilt.findings} - {f.id for f in mended.findings} == {
        "exact_duplicates",
        "empty_answers",
        "personal_data",
    }


def test_same_fixes_again_are_the_same_version(ws, spoilt):
    assert cleaning.apply(ws, LOCAL, spoilt.id, FIXES) == cleaning.apply(
        ws, LOCAL, spoilt.id, FIXES
    )


def test_undo_removes_the_version_with_its_rows_and_returns_the_earlier_one(ws, spoilt):
    mended = cleaning.apply(ws, LOCAL, spoilt.id, FIXES)
    assert cleaning.undo(ws, LOCAL, mended.id) == spoilt
    assert not (ws.files / mended.file).exists()
    with pytest.raises(NotFound):
        datasets.get(ws, LOCAL, mended.id)
    assert len(datasets.rows(ws, LOCAL, spoilt.id)) == 40


def trained_on(ws, dataset, tmp_path):
    base = helpers.model(ws, tmp_path)
    tuned = Model(
        id=ids.new("model"), project_id=dataset.project_id, name="Run 7", kind="adapter",
        source="trained", path="x", base_id=base.id, dataset_id=dataset.id, created_at=time.time(),
    )  # fmt: skip
    with writing(ws.db) as conn:
        models.add(conn, tuned)


def test_version_that_a_model_was_trained_on_stays(ws, spoilt, tmp_path):
    mended = cleaning.apply(ws, LOCAL, spoilt.id, FIXES)
    trained_on(ws, mended, tmp_path)
    with pytest.raises(Conflict, match="the model 'Run 7'"):
        cleaning.undo(ws, LOCAL, mended.id)
    assert len(datasets.rows(ws, LOCAL, mended.id)) == 38


def test_version_that_another_was_made_from_stays(ws, spoilt):
    cleaning.apply(ws, LOCAL, spoilt.id, FIXES)
    with pytest.raises(Conflict, match="the version 'faq@2'"):
        cleaning.remove(ws, LOCAL, spoilt.id)


def test_version_that_a_round_took_its_questions_from_names_its_uses(ws, tmp_path):
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path)
    used = versions.used_by(ws, LOCAL, one.plan.dataset)
    assert {(u.kind, u.name) for u in used} >= {
        ("round", one.name),
        ("run", f"Answers for {one.name}"),
    }


def test_upload_that_nothing_uses_can_be_removed(ws, spoilt):
    cleaning.remove(ws, LOCAL, spoilt.id)
    assert datasets.list_all(ws, LOCAL, spoilt.project_id) == []


def test_upload_cannot_be_undone(ws, spoilt):
    with pytest.raises(Conflict, match="was not made by fixes"):
        cleaning.undo(ws, LOCAL, spoilt.id)


@pytest.mark.parametrize(
    ("fixes", "problem"),
    [
        ([], "No fix was chosen"),
        (["make_it_good"], "no fix named 'make_it_good'"),
        (["keep_main_language"], "needs none of these fixes"),
    ],
)
def test_fixes_that_do_nothing_are_refused(ws, spoilt, fixes, problem):
    with pytest.raises(UserError, match=problem):
        cleaning.apply(ws, LOCAL, spoilt.id, fixes)


def test_rater_may_apply_no_fix(ws, spoilt):
    rater = Actor(name="r", role=Role.RATER)
    for call in (cleaning.apply, cleaning.preview):
        with pytest.raises(Forbidden):
            call(ws, rater, spoilt.id, FIXES)
    for call in (cleaning.undo, cleaning.remove, versions.used_by):
        with pytest.raises(Forbidden):
            call(ws, rater, spoilt.id)


def test_every_fix_can_be_listed_with_what_it_does():
    listed = cleaning.fixes()
    assert [fix.name for fix in listed] == plugins.names("fixes")
    assert all(fix.does.endswith(".") for fix in listed)


def test_diff_of_a_version_and_its_cleaned_one(ws, spoilt):
    mended = cleaning.apply(ws, LOCAL, spoilt.id, FIXES)
    found = versions.diff(ws, LOCAL, spoilt.id, mended.id)
    assert [part.rows for part in found] == [0, 2, 1, 37, 0]
    old, new = found.changed.samples[0]
    assert (old.example.answer, new.example.answer) == (WRITTEN, "write to [e-mail]")
    back = versions.diff(ws, LOCAL, mended.id, spoilt.id)
    assert [part.rows for part in back] == [2, 0, 1, 37, 0]


def test_diff_of_two_uploads_matches_rows_by_prompt(ws, tmp_path):
    project = helpers.project(ws).id
    rows = [{"prompt": f"question {n}?", "completion": f"answer {n}."} for n in range(40)]
    later = [{"prompt": "what is new?", "completion": "this"}, *map(dict, rows[:30])]
    later[4]["completion"] = "other"
    kept = []
    for lines in (rows, later):
        path = tmp_path / "faq.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)))
        kept.append(datasets.add(ws, LOCAL, project, path, path.name, held_out=0.25))
    found = versions.diff(ws, LOCAL, kept[0].id, kept[1].id)
    assert [part.rows for part in found][:4] == [1, 10, 1, 29]


def test_system_prompt_is_added_to_every_row_without_one_and_sides_stay(ws, tmp_path):
    rows = [{"prompt": f"question {n}?", "completion": f"answer {n}."} for n in range(20)]
    rows[3]["system"] = "Its own."
    path = tmp_path / "faq.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    before = datasets.add(ws, LOCAL, helpers.project(ws).id, path, path.name, held_out=0.25)
    fix = cleaning.system_prompt(" Be brief. ")
    assert cleaning.preview(ws, LOCAL, before.id, [fix])[:4] == (0, 19, 20, 20)
    after = cleaning.apply(ws, LOCAL, before.id, [fix])
    systems = [row.example.messages[0].content for row in datasets.rows(ws, LOCAL, after.id)]
    assert systems.count("Be brief.") == 19
    assert systems[3] == "Its own."
    sides = [row.split for row in datasets.rows(ws, LOCAL, before.id)]
    assert [row.split for row in datasets.rows(ws, LOCAL, after.id)] == sides
    with pytest.raises(UserError, match="needs none of these fixes"):
        cleaning.apply(ws, LOCAL, after.id, [fix])
    assert cleaning.undo(ws, LOCAL, after.id) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("system_prompt:", "is empty"),
        ("system_prompt:  ", "is empty"),
        ("system_prompt:" + "x" * 4001, "4,001 characters"),
        ("nothing:text", "no fix named 'nothing:text'"),
        ("system_prompt", "no fix named"),
    ],
)
def test_fix_with_a_text_that_cannot_be_used_is_refused(ws, spoilt, name, said):
    with pytest.raises(UserError, match=said):
        cleaning.preview(ws, LOCAL, spoilt.id, [name])


def test_system_prompt_goes_to_every_kind_but_plain_text():
    asked = (Message(role="user", content="why?"),)
    (pair, one, prompt, text) = plugins.load("fix_factories", "system_prompt")("Be brief.")(
        [
            Preference(prompt=asked, chosen="a", rejected="b"),
            Unpaired(prompt=asked, completion="a", label=True),
            Prompt(prompt=asked),
            Text(text="a"),
        ]
    )
    assert {each.prompt[0].content for each in (pair, one, prompt)} == {"Be brief."}
    assert text == Text(text="a")
