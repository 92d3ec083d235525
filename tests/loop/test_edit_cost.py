"""How much of the answers raters still change, round by round."""

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden
from engine.services.loop.edit_cost import edit_costs
from engine.services.rating.paused_raters import pause
from tests import helpers
from tests.rating.votes_in_tables import a_pair, a_round, arms, cast, retract
from ui.pages.loop import edit_chart


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def both(ws, tmp_path):
    return arms(ws, tmp_path)


def edited(ws, one, prompt, text, rater="r", side="left", left_is="a"):
    pair = a_pair(ws, one, prompt, "abcdefghij", "0123456789")
    return cast(ws, pair, rater, side, left_is=left_is, edit={"side": side, "text": text})


def test_cost_is_the_share_of_characters_changed_and_none_for_an_accepted_answer(ws, project, both):
    one = a_round(ws, project.id, both)
    edited(ws, one, "first", "abcdefghXY")  # 2 of 10
    edited(ws, one, "second", "01234", side="right")  # 5 of 10
    pair = a_pair(ws, one, "third", "abc", "def")
    cast(ws, pair, "r", "left", acceptable_left=True)
    silent = a_pair(ws, one, "fourth", "abc", "def")
    cast(ws, silent, "r", "left")
    refused = a_pair(ws, one, "fifth", "abc", "def")
    cast(ws, refused, "r", "left", acceptable_left=False)
    (found,) = edit_costs(ws, LOCAL, project.id)
    assert (found.round_id, found.model_id) == (one.id, both[0].id)
    assert (found.improved, found.accepted, found.questions) == (2, 1, 3)
    assert found.share == pytest.approx((0.2 + 0.5 + 0) / 3)
    assert 0 <= found.low < found.share < found.high <= 1


def test_cost_finds_the_answer_on_whichever_side_it_stood(ws, project, both):
    one = a_round(ws, project.id, both)
    edited(ws, one, "first", "0123456789!", left_is="b")  # the left answer is the second text
    (found,) = edit_costs(ws, LOCAL, project.id)
    assert found.share == pytest.approx(1 / 11)


def test_two_raters_of_a_question_count_as_one_question(ws, project, both):
    one = a_round(ws, project.id, both)
    pair = a_pair(ws, one, "first", "abcdefghij", "other")
    for rater, text in (("r", "abcdefghiX"), ("s", "abcdefgXYZ")):
        cast(ws, pair, rater, "left", edit={"side": "left", "text": text})
    (found,) = edit_costs(ws, LOCAL, project.id)
    assert (found.improved, found.questions, found.share) == (2, 1, pytest.approx(0.2))


def test_retracted_votes_and_paused_raters_cost_nothing(ws, project, both):
    one = a_round(ws, project.id, both)
    edited(ws, one, "kept", "abcdefghiX")
    _, token = edited(ws, one, "taken back", "X")
    retract(ws, token)
    edited(ws, one, "of a paused rater", "Y", rater="p")
    pause(ws, LOCAL, one.id, "p")
    (found,) = edit_costs(ws, LOCAL, project.id)
    assert (found.improved, found.share) == (1, pytest.approx(0.1))


def test_rounds_come_oldest_first_without_tests_and_those_without_edits(ws, project, both):
    first, blind, silent, last = (
        a_round(ws, project.id, both, purpose)
        for purpose in ("train_pairs", "blind_eval", "train_pairs", "train_pairs")
    )
    for one in (first, blind, last):
        edited(ws, one, "asked", "abcdefghiX")
    cast(ws, a_pair(ws, silent, "asked", "abc", "def"), "r", "left", acceptable_left=True)
    assert [one.round_id for one in edit_costs(ws, LOCAL, project.id)] == [first.id, last.id]


def test_costs_are_refused_to_raters(ws, project):
    with pytest.raises(Forbidden):
        edit_costs(ws, Actor(name="r", role=Role.RATER), project.id)


def test_picture_names_round_and_model_escaped_with_bar_and_interval(ws, project, both):
    one = a_round(ws, project.id, both)
    edited(ws, one, "first", "abcdefghXY")
    (found,) = edit_costs(ws, LOCAL, project.id)
    drawn = edit_chart.picture([found], {both[0].id: "<i>new"})
    assert "&lt;i&gt;new" in drawn
    assert "<b>20 %</b>" in drawn
    assert "1 improved, 0 accepted as they were" in drawn
    assert edit_chart.picture([], {}) == ""
