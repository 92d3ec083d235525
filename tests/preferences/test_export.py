"""Exports as files: other programs read them, they come back the same, a page explains them."""

import json

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.formats.read import read_file
from engine.services.data import datasets
from engine.services.preferences import build, export
from engine.workspace import open_workspace
from tests import helpers
from tests.rating.votes_in_tables import WORDS, a_pair, arms, cast, filled, shown

HARD = ' "quoted"\nnext line \u2028 \U0001f600 <im_end> {{x}}, 読む'


@pytest.fixture
def one(ws, tmp_path):
    made = filled(ws, helpers.project(ws).id, arms(ws, tmp_path))
    cast(ws, a_pair(ws, made, f"odd{HARD}", f"good{HARD}", "bad"), "r", "left")
    cast(ws, a_pair(ws, made, "no answer at all", "good enough", ""), "r", "left")
    return made


def content(examples):
    bare = {"source_row": 0, "group": None}
    return [example.model_copy(update=bare) for example in examples]


@pytest.mark.parametrize(("fmt", "layout"), [("trl", "preference"), ("openai", "openai_preference"),
                                             ("kto", "kto"), ("sft", "messages")])  # fmt: skip
def test_export_is_read_again_as_the_same_examples(ws, one, tmp_path, fmt, layout):
    for n in range(build.FEWEST):
        pair = a_pair(ws, one, f"improve {WORDS[n]}", f"a start{HARD}", "another start")
        cast(ws, pair, "r", "left", edit={"side": "left", "text": f"a start, mended {n}{HARD}"})
    made = build.make(ws, LOCAL, one.project_id, of=export.ROWS[fmt])
    path = tmp_path / "out.jsonl"
    path.write_bytes(export.files(ws, LOCAL, made.id, fmt).rows)
    again = read_file(path, "out.jsonl")
    kept = [row.example for row in datasets.rows(ws, LOCAL, made.dataset_id)]
    if fmt == "openai":  # its rows have two answers and no place for an improved one
        assert any(one.improved for one in kept)
        kept = [one.model_copy(update={"improved": None}) for one in kept]
    assert (again.layout, again.broken) == (layout, [])
    assert content(again.examples) == content(kept)


def test_trl_rows_name_their_prompt_and_speak_in_turns(ws, one):
    made = build.make(ws, LOCAL, one.project_id)
    first = json.loads(export.files(ws, LOCAL, made.id, "trl").rows.splitlines()[0])
    assert first == {
        "prompt": [{"role": "user", "content": "renew atlas please"}],
        "chosen": [{"role": "assistant", "content": "good 0"}],
        "rejected": [{"role": "assistant", "content": "bad 0"}],
    }


def test_manifest_explains_the_file_and_names_no_rater_and_no_vote(ws, one):
    cast(ws, shown(ws, one)[0], "maria.secret", "left")
    made = build.make(ws, LOCAL, one.project_id)
    written = export.files(ws, LOCAL, made.id, "trl")
    page = json.loads(written.manifest)
    assert page["content_sha256"] == made.content_sha256
    assert page["watermark"] == made.watermark
    assert page["rows"] == len(written.rows.splitlines()) == made.pairs
    assert page["raters"] == [26, 1]
    assert b"maria" not in written.manifest
    assert b"vote-" not in written.manifest


def test_same_export_has_the_same_bytes(ws, one):
    first = build.make(ws, LOCAL, one.project_id)
    second = build.make(ws, LOCAL, one.project_id)
    assert export.files(ws, LOCAL, first.id, "trl") == export.files(ws, LOCAL, second.id, "trl")


@pytest.mark.parametrize("fmt", ["kto", "xml"])
def test_format_that_does_not_fit_is_refused(ws, one, fmt):
    made = build.make(ws, LOCAL, one.project_id)
    with pytest.raises(UserError):
        export.files(ws, LOCAL, made.id, fmt)


@pytest.fixture
def round_id(home, tmp_path):
    """A round of 24 pairs and a contested one, in the workspace of the command line."""
    ws = open_workspace()
    made = filled(ws, helpers.project(ws).id, arms(ws, tmp_path))
    odd = a_pair(ws, made, "odd question", "first", "second")
    cast(ws, odd, "a", "left")
    cast(ws, odd, "b", "right")
    ws.close()
    return made.id


def test_command_line_writes_pairs_and_their_manifest(tuneloop, round_id, tmp_path):
    out = tmp_path / "pairs.jsonl"
    code, said, _ = tuneloop("pairs", "export", "--format", "openai", "--out", out)
    assert (code, len(out.read_text().splitlines())) == (0, 24)
    assert "24 pairs from 26 votes; left out: 1 contested." in said
    page = json.loads((tmp_path / "pairs.jsonl.manifest.json").read_text())
    assert (page["format"], page["rows"]) == ("openai", 24)


def test_command_line_writes_single_answers(tuneloop, round_id, tmp_path):
    out = tmp_path / "kto.jsonl"
    assert tuneloop("pairs", "export", "--format", "kto", "--out", out)[0] == 0
    labels = [json.loads(line)["label"] for line in out.read_text().splitlines()]
    assert (labels.count(True), labels.count(False)) == (24, 24)


def test_rules_are_listed_and_set(tuneloop, round_id):
    listed = tuneloop("pairs", "rules")[1]
    assert "per_prompt=4" in listed
    assert "on which raters disagreed" in listed
    made = json.loads(tuneloop("pairs", "export", "--set", "soft=true", "--json")[1])
    assert made["rules"]["soft"] is True
    code, _, err = tuneloop("pairs", "export", "--set", "sofft=true")
    assert code == 2
    assert "did you mean 'soft'" in err
    assert tuneloop("pairs", "export", "--set", "soft=[")[0] == 2


def test_contested_pairs_are_listed_and_asked_again(tuneloop, round_id):
    assert "1 : 1 (undecided 0)  odd question" in tuneloop("pairs", "contested")[1]
    assert "open with 1 pairs" in tuneloop("pairs", "again", round_id)[1]
    assert tuneloop("pairs", "again", round_id)[0] == 2


@pytest.mark.parametrize("of", ["pairs", "ratings", "accepted"])
def test_row_with_marks_of_a_chat_template_is_left_out_with_a_count(ws, one, of):
    for n in range(build.FEWEST + 2):
        pair = a_pair(ws, one, f"improve {WORDS[n]}", "a start", "another start")
        text = f"a start, mended {n}{'<|im_end|>' if n < 2 else ''}"
        cast(ws, pair, "r", "left", edit={"side": "left", "text": text})
    seen = build.preview(ws, LOCAL, one.project_id, of=of)
    left = 6 if of == "pairs" else 2  # an edit makes three of an item's pairs
    assert seen.counts["template"] == left
    assert f"{left} with marks of a chat template" in build.left_out(seen.counts)
    assert "<|im_end|>" not in "".join(row.model_dump_json() for row in seen.examples)
    assert [row.source_row for row in seen.examples] == [*range(1, len(seen.examples) + 1)]
