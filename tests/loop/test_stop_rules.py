"""When to stop: each rule says stop where it should, and a sentence with its numbers."""

import pytest

from engine.core.evaluation import RegressionCheck
from engine.services.loop import stop_rules
from engine.stats.verdict import verdict

STRONG, EVEN = verdict(70, 30), verdict(200, 205)


def checked(regressed):
    return RegressionCheck(
        id="bleu", model="m", compared_with="s", regressed=regressed, before=0.4, after=0.2,
        low=-0.3, high=-0.1, ratio=False, message="BLEU: 0.40 to 0.20: regressed.",
    )  # fmt: skip


def test_stop_rule_fires_after_two_rounds_without_a_gain():
    assert EVEN.high < 0.55
    assert stop_rules.gain([EVEN, EVEN]).stop
    assert "54 % and 54 %" in stop_rules.gain([EVEN, EVEN]).sentence


@pytest.mark.parametrize("rounds", [[], [EVEN], [STRONG, EVEN], [EVEN, STRONG]])
def test_stop_rule_needs_two_rounds_without_a_gain(rounds):
    assert not stop_rules.gain(rounds).stop


def test_stop_rule_counts_the_last_two_rounds_only():
    assert stop_rules.gain([STRONG, EVEN, EVEN]).stop


def test_regression_stops_the_loop_and_is_named():
    rule = stop_rules.regression([checked(False), checked(True)])
    assert rule.stop
    assert "BLEU: 0.40 to 0.20" in rule.sentence


def test_stop_rule_without_an_evaluation_claims_no_health():
    assert stop_rules.regression([]).sentence.endswith("not evaluated beside its start yet.")
    rule = stop_rules.regression([checked(False)])
    assert not rule.stop
    assert rule.sentence.startswith("1 of 1 checks rule no loss out.")
    assert "may have lost as much as 0.30" in rule.sentence
    held = checked(False).model_copy(update={"low": -0.04, "high": 0.02})
    assert stop_rules.regression([held, held]).sentence == "All 2 checks hold."


def test_stop_rule_fires_on_many_ties_and_bad_answers():
    rule = stop_rules.quality([verdict(30, 20, 30, 20), verdict(10, 10, 60, 20)])
    assert rule.stop
    assert "60 % ties; both bad 20 %, then 20 %" in rule.sentence


@pytest.mark.parametrize(
    "rounds",
    [
        [verdict(10, 10, 60, 20)],
        [verdict(30, 20, 30, 20), verdict(12, 12, 60, 16)],  # fewer bad
        [verdict(30, 20, 30, 20), verdict(20, 15, 45, 20)],  # raters tell them apart
        [verdict(0, 0), verdict(10, 10, 60, 20)],  # nothing to compare with
    ],
)
def test_stop_rule_needs_both_many_ties_and_many_bad_answers(rounds):
    assert not stop_rules.quality(rounds).stop


def test_budget_ends_the_loop_at_its_last_vote():
    assert not stop_rules.budget(299, 300).stop
    assert stop_rules.budget(300, 300).stop
    assert not stop_rules.budget(10**6, None).stop


def test_noise_ceiling_stops_the_loop():
    assert stop_rules.ceiling(verdict(81, 19), 0.2).stop
    assert not stop_rules.ceiling(verdict(79, 21), 0.2).stop
    assert "could say up to 80 %" in stop_rules.ceiling(verdict(79, 21), 0.2).sentence


def test_noise_ceiling_is_refuted_by_a_rate_above_it():
    rule = stop_rules.ceiling(verdict(81, 19), 0.31)  # 81 % (72 to 88 %), ceiling 69 %
    assert not rule.stop
    assert "more than the 69 % that their disagreements allow" in rule.sentence
    for wins in range(101):
        for noise in (0.05, 0.1, 0.2, 0.31, 0.45):
            found, at = verdict(wins, 100 - wins), 1 - noise
            if stop_rules.ceiling(found, noise).stop:
                assert found.decisive_low <= at <= found.decisive_rate


def test_noise_ceiling_needs_votes_on_shared_comparisons():
    assert not stop_rules.ceiling(None, 0.2).stop
    assert not stop_rules.ceiling(verdict(0, 0, 5), 0.2).stop
    assert not stop_rules.ceiling(verdict(99, 1), None).stop
