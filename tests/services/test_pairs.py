"""Votes -> pairs: direction, what is left out, same votes same bytes, no leak of blind prompts."""

from itertools import count

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import UserError
from engine.services import datasets
from engine.services.rating import pairs, votes
from tests import helpers

keys = (f"pair-{n:08d}" for n in count())


def vote(ws, one, choose, name="r"):
    who = Actor(name=name, role=Role.RATER)
    shown = votes.next_pair(ws, who, one.id)
    number = 0
    while shown:
        shown = votes.vote(ws, who, shown.token, next(keys), choose(shown, number))
        number += 1


def new_side(shown, _):
    return "left" if "new" in shown.left_html else "right"


def test_the_preferred_answer_is_the_chosen_one(ws, tmp_path):
    project = helpers.project(ws)
    one = helpers.open_round(ws, project.id, tmp_path)
    vote(ws, one, new_side)
    made = pairs.make(ws, LOCAL, project.id)
    rows = datasets.rows(ws, LOCAL, made.dataset_id)
    assert made.pairs == len(rows) == 24
    assert all(r.example.chosen.startswith("new") for r in rows)
    assert all(r.example.rejected.startswith("old") for r in rows)


def test_ties_and_both_bad_make_no_pair_and_are_counted(ws, tmp_path):
    project = helpers.project(ws)
    one = helpers.open_round(ws, project.id, tmp_path)
    vote(ws, one, lambda s, n: ("tie", "both_bad")[n] if n < 2 else new_side(s, n))
    made = pairs.make(ws, LOCAL, project.id)
    assert (made.pairs, made.counts["tie"], made.counts["votes"]) == (22, 2, 24)


def test_raters_who_disagree_make_no_pair(ws, tmp_path):
    project = helpers.project(ws)
    one = helpers.open_round(ws, project.id, tmp_path, overlap=2)
    vote(ws, one, new_side, "a")
    vote(
        ws,
        one,
        lambda s, n: new_side(s, n) if n < 22 else ("right", "left")[new_side(s, n) == "right"],
        "b",
    )
    made = pairs.make(ws, LOCAL, project.id)
    assert (made.pairs, made.counts["contested"]) == (22, 2)


def test_the_same_votes_are_the_same_version_and_one_more_vote_is_another(ws, tmp_path):
    project = helpers.project(ws)
    one = helpers.open_round(ws, project.id, tmp_path)
    who = Actor(name="r", role=Role.RATER)
    shown = votes.next_pair(ws, who, one.id)
    for _ in range(22):
        shown = votes.vote(ws, who, shown.token, next(keys), new_side(shown, 0))
    first = pairs.make(ws, LOCAL, project.id)
    assert pairs.make(ws, LOCAL, project.id) == first
    votes.vote(ws, who, shown.token, next(keys), new_side(shown, 0))
    second = pairs.make(ws, LOCAL, project.id)
    assert second.content_sha256 != first.content_sha256
    assert len(datasets.rows(ws, LOCAL, first.dataset_id)) == 22


def test_too_few_pairs_are_refused_with_the_number_that_is_missing(ws, tmp_path):
    project = helpers.project(ws)
    one = helpers.open_round(ws, project.id, tmp_path)
    vote(ws, one, lambda s, n: new_side(s, n) if n < 5 else "tie")
    with pytest.raises(UserError, match="Rate 15 or more"):
        pairs.make(ws, LOCAL, project.id)
    assert pairs.list_all(ws, LOCAL, project.id) == []


def test_a_held_out_prompt_never_enters_also_in_other_case_and_spacing(ws, tmp_path):
    project = helpers.project(ws)
    one = helpers.open_round(ws, project.id, tmp_path)
    vote(ws, one, new_side)
    rows = [
        '{"prompt": "  PROMPT   3 ", "completion": "x"}',
        '{"prompt": "prompt 3", "completion": "y"}',
    ]
    rows += [f'{{"prompt": "other {i}", "completion": "z"}}' for i in range(10)]
    path = tmp_path / "test.jsonl"
    path.write_text("\n".join(rows))
    for seed in range(20):  # until the split holds that prompt out
        kept = datasets.add(ws, LOCAL, project.id, path, f"t{seed}.jsonl", held_out=0.3, seed=seed)
        held = datasets.rows(ws, LOCAL, kept.id, "held_out")
        if any("3" in r.example.prompt[-1].content for r in held):
            break
    made = pairs.make(ws, LOCAL, project.id)
    assert made.counts["blind"] == 1
    prompts = [r.example.prompt[0].content for r in datasets.rows(ws, LOCAL, made.dataset_id)]
    assert "prompt 3" not in prompts
