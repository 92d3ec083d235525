"""Improved and accepted answers become rows of supervised fine-tuning; mere winners do not."""

from collections import Counter

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.examples import Message
from engine.services.data import datasets
from engine.services.preferences import build
from engine.services.preferences.accepted_answers import accepted_rows
from engine.services.preferences.judgements import Item
from engine.services.preferences.rules import Rules
from engine.services.rating.vote_reading import ImprovedAnswer, Judgement
from tests import helpers
from tests.rating.votes_in_tables import WORDS, a_pair, a_round, arms, cast


def item(asked, *judgements, texts=("first try", "second try")):
    return Item((Message(role="user", content=asked),), *texts, ("c",), judgements)


def vote(rater="r", better="a", edit=None, **liked):
    where = ImprovedAnswer(*edit) if edit else None
    return Judgement(rater, better, liked=tuple(liked.items()), edit=where)


def rows(*items, rules=None, counts=None):
    counts = Counter() if counts is None else counts
    families = {one.question: one.question for one in items}
    return accepted_rows(items, families, rules or Rules(), counts)


def test_winner_that_nobody_accepted_is_no_row():
    counts = Counter()
    assert rows(item("q", vote()), counts=counts) == []
    assert counts["not_accepted"] == 1


def test_newest_improved_text_is_learned_and_the_others_are_references():
    asked = item(
        "q",
        vote("r", edit=("a", "first try, mended")),
        vote("s", edit=("b", "second try, mended")),
        vote("t", b=True),
    )
    (row,) = rows(asked)
    assert row.answer == "second try, mended"
    assert row.accepted == ("second try, mended", "first try, mended", "second try")


def test_answer_that_most_raters_accept_is_learned_without_references():
    (row,) = rows(item("q", vote("r", a=True), vote("s", a=True), vote("t", a=False, b=False)))
    assert (row.answer, row.references) == ("first try", ())


def test_answer_on_whose_acceptance_raters_disagree_is_no_row():
    assert rows(item("q", vote("r", a=True), vote("s", a=False))) == []


def test_edit_that_changes_too_little_is_counted_and_left_out():
    counts = Counter()
    text = "x" * 200
    edited = item("q", vote(edit=("a", text + "y")), texts=(text, "other"))
    assert rows(edited, counts=counts) == []
    assert counts["edit"] == 1


def test_edits_are_left_out_by_the_rule():
    assert rows(item("q", vote(edit=("a", "first try, mended"))), rules=Rules(edits=False)) == []


def test_same_question_of_two_items_is_one_row_and_the_same_text_stands_once():
    (row,) = rows(
        item("Where?", vote(a=True)), item("where? ", vote(a=True), texts=("First  try", "third"))
    )
    assert (row.answer, row.references) == ("first try", ())


def test_questions_of_one_family_share_a_group():
    items = [item("one", vote(a=True)), item("two", vote(a=True)), item("three", vote(a=True))]
    families = {items[0].question: "f", items[1].question: "f", items[2].question: "g"}
    made = accepted_rows(items, families, Rules(), Counter())
    assert [row.group for row in made] == ["f", "f", None]


@pytest.fixture
def project(ws):
    return helpers.project(ws)


def rated(ws, project, folder, number):
    one = a_round(ws, project.id, arms(ws, folder))
    for n in range(number):
        pair = a_pair(ws, one, WORDS[n], f"start {n}", f"other {n}")
        cast(ws, pair, "r", "left", edit={"side": "left", "text": f"start {n}, mended"})
    return one


def test_accepted_answers_are_a_dataset_version_to_fine_tune_on(ws, project, tmp_path):
    rated(ws, project, tmp_path, 22)
    made = build.make(ws, LOCAL, project.id, of="accepted")
    assert (made.pairs, made.rows) == (22, "accepted")
    kept = datasets.get(ws, LOCAL, made.dataset_id)
    assert (kept.kind, kept.origin["rounds"]) == ("sft", list(made.rounds))
    assert kept.held_out_rows == 0
    assert build.list_all(ws, LOCAL, project.id) == []
    assert build.make(ws, LOCAL, project.id, of="accepted") == made


def test_too_few_accepted_answers_are_refused_with_what_to_do(ws, project, tmp_path):
    rated(ws, project, tmp_path, 3)
    with pytest.raises(UserError, match="3 votes make 3 accepted answers; SFT needs") as refused:
        build.make(ws, LOCAL, project.id, of="accepted")
    assert refused.value.fix.startswith("Improve answers while you rate")


@pytest.mark.parametrize(("others", "share"), [(0, 100), (8, 64), (12, None)])
def test_answers_that_rest_on_one_rater_are_told(ws, project, tmp_path, others, share):
    one = a_round(ws, project.id, arms(ws, tmp_path))
    for n in range(22):
        pair = a_pair(ws, one, WORDS[n], f"start {n}", f"other {n}")
        edit = {"side": "left", "text": f"start {n}, mended"}
        cast(ws, pair, f"s{n % 3}" if n < others else "r", "left", edit=edit)
    made = build.make(ws, LOCAL, project.id, of="accepted")
    told = [each for each in build.about(ws, LOCAL, made.id)["warnings"] if "one rater" in each]
    assert [each.split(" of ")[0] for each in told] == ([f"{share} %"] if share else [])
