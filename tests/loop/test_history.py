"""The loop on one line: what each generation is measured against, and what is said of it."""

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import Conflict
from engine.services.evaluation import blind_round_gate
from engine.services.loop import champion
from engine.services.loop.history import history
from tests import helpers
from tests.loop import loop_in_tables


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def sft(ws, project, tmp_path):
    return loop_in_tables.trained(ws, project, "first", helpers.model(ws, tmp_path), "sft")


def look(ws, project, **more):
    return history(ws, LOCAL, project.id, **more)


def test_empty_project_has_nothing_to_measure_against(ws, project):
    found = look(ws, project)
    assert (found.baseline, found.generations) == (None, ())
    assert "nothing to measure" in found.sentence


def test_baseline_before_any_vote_is_the_newest_trained_model(ws, project, sft):
    found = look(ws, project)
    assert found.baseline.id == sft.id
    assert "first is the baseline" in found.sentence


def test_start_of_the_first_preference_training_stays_the_baseline(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    two = loop_in_tables.trained(ws, project, "two", one)
    found = look(ws, project)
    assert found.baseline.id == sft.id
    assert [g.model.id for g in found.generations] == [one.id, two.id]
    assert "not been compared with the baseline yet" in found.sentence


def test_each_generation_has_its_round_against_baseline_and_predecessor(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    two = loop_in_tables.trained(ws, project, "two", one)
    a = loop_in_tables.blind(ws, project, one, sft, 30, 10)
    b = loop_in_tables.blind(ws, project, two, sft, 34, 6)
    c = loop_in_tables.blind(ws, project, two, one, 22, 18)
    first, second = look(ws, project).generations
    assert first.against_baseline.round_id == first.against_previous.round_id == a.id
    assert (second.against_baseline.round_id, second.against_previous.round_id) == (b.id, c.id)
    assert second.against_baseline.report.verdict.win_rate == 34 / 40


def test_sentence_holds_the_numbers_of_the_newest_result(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.blind(ws, project, one, sft, 30, 10, 4, raters=3)
    said = look(ws, project).sentence
    assert said.startswith(
        "Generation 1 beats the baseline on 44 held-out questions: it wins 72.7 %"
    )
    assert "wins 90, losses 30, ties 12, both bad 0, 3 raters who agree on 100 % of what" in said


def test_verdict_without_a_difference_names_the_detectable_win_rate(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.blind(ws, project, one, sft, 52, 48)
    said = look(ws, project).sentence
    assert "shows no difference from the baseline on 100" in said
    assert "this test could see a win rate of 64.5 % or more" in said


def test_open_round_is_waited_for_and_tells_nothing(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    waiting = loop_in_tables.blind(ws, project, one, sft, 5, 5, close=False)
    (only,) = look(ws, project).generations
    assert only.waiting == waiting.id
    assert only.against_baseline is None
    assert "hidden until the round is closed" in only.sentence


def test_win_of_one_generation_is_corrected_for_their_number(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.blind(ws, project, one, sft, 61, 39)
    assert "luck" not in look(ws, project).sentence
    for name in ("two", "three"):
        model = loop_in_tables.trained(ws, project, name, sft)
        loop_in_tables.blind(ws, project, model, sft, 50, 50)
    first = look(ws, project).generations[0]
    assert first.against_baseline.p == pytest.approx(3 * first.against_baseline.report.verdict.p)
    assert "could be luck" in first.sentence


def test_repeated_rounds_of_one_model_are_counted_and_said(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.blind(ws, project, one, sft, 50, 50)
    assert "blind rounds of these two models" not in look(ws, project).sentence
    loop_in_tables.blind(ws, project, one, sft, 52, 48)
    loop_in_tables.blind(ws, project, one, sft, 61, 39)
    seen = look(ws, project)
    found = seen.generations[0].against_baseline
    assert len(found.earlier) == 2
    assert found.p == pytest.approx(3 * found.report.verdict.p)
    assert "It is the newest of 3 blind rounds of these two models" in seen.sentence
    assert "With so many rounds tested, one such result could be luck" in seen.sentence


def test_repeated_round_without_a_winner_is_counted_too(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    for wins in (51, 50):
        loop_in_tables.blind(ws, project, one, sft, wins, 100 - wins)
    said = look(ws, project).sentence
    assert "shows no difference" in said
    assert said.endswith(
        "newest of 2 blind rounds of these two models; all of them are allowed for."
    )


def test_fresh_prompts_exclude_those_of_earlier_blind_rounds(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.blind(ws, project, one, sft, 5, 5, rows=range(10))
    two = loop_in_tables.trained(ws, project, "two", one)
    loop_in_tables.blind(ws, project, two, sft, 5, 5, rows=range(7, 17))
    first, second = look(ws, project).generations
    assert (first.against_baseline.fresh, second.against_baseline.fresh) == (10, 7)


def test_model_against_itself_gives_the_band_of_no_difference(ws, project, sft):
    loop_in_tables.blind(ws, project, sft, sft, 10, 10)
    control = look(ws, project).control
    assert control.even
    assert control.low < control.rate == 0.5 < control.high


def test_regression_closes_the_gate_and_is_shown_on_the_generation(ws, project, sft, tmp_path):
    source = helpers.dataset(ws, project.id, tmp_path)
    one = loop_in_tables.trained(ws, project, "one", sft)
    blind_round_gate.check(ws, LOCAL, project.id, one.id)
    loop_in_tables.evaluated(ws, project, source, sft, one, regressed=True)
    with pytest.raises(Conflict, match="regressed"):
        blind_round_gate.check(ws, LOCAL, project.id, one.id)
    found = look(ws, project)
    assert "not shown to people" in found.sentence
    assert [rule.name for rule in found.rules if rule.stop] == ["regression"]


def test_regression_that_is_not_ruled_out_asks_for_a_decision(ws, project, sft, tmp_path):
    """Exact match of .531 to .367 on 49 rows is no "nothing fell"."""
    source = helpers.dataset(ws, project.id, tmp_path)
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.evaluated(ws, project, source, sft, one, regressed=False, bounds=(-0.35, 0.02))
    with pytest.raises(Conflict, match=r"0\.35") as refused:
        blind_round_gate.check(ws, LOCAL, project.id, one.id)
    assert "1 of 1 checks rule no loss out. BLEU" in str(refused.value)
    blind_round_gate.check(ws, LOCAL, project.id, one.id, accept_unproven=True)
    rule = next(each for each in look(ws, project).rules if each.name == "regression")
    assert not rule.stop
    assert "may have lost as much as 0.35" in rule.sentence


def test_healthy_evaluation_leaves_the_gate_open(ws, project, sft, tmp_path):
    source = helpers.dataset(ws, project.id, tmp_path)
    one = loop_in_tables.trained(ws, project, "one", sft)
    loop_in_tables.evaluated(ws, project, source, sft, one, regressed=False)
    blind_round_gate.check(ws, LOCAL, project.id, one.id)
    assert look(ws, project).generations[0].evaluation_id


def test_loop_stops_after_two_rounds_without_a_gain(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    two = loop_in_tables.trained(ws, project, "two", one)
    loop_in_tables.blind(ws, project, one, sft, 200, 205)
    loop_in_tables.blind(ws, project, two, one, 200, 205)
    stopped = [rule.name for rule in look(ws, project, most_votes=810).rules if rule.stop]
    assert stopped == ["gain", "budget"]


def test_generations_chart_marks_the_champion(ws, project, sft):
    one = loop_in_tables.trained(ws, project, "one", sft)
    champion.promote(ws, LOCAL, project.id, one.id)
    assert look(ws, project).champion_id == one.id
