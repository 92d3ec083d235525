import csv
import math
from collections import Counter

import evalica
import numpy as np
import pytest

from engine.core.errors import UserError
from engine.stats.ranking import ranking
from engine.stats.rated_pairs import RatedPair
from engine.stats.verdict import verdict


def ballots(won, prompts=None):
    """Votes from {(left, right): (wins, losses, ties)}, each on a prompt of its own."""
    made = []
    for (left, right), counts in won.items():
        for choice, times in zip(("left", "right", "tie"), counts, strict=True):
            for _ in range(times):
                prompt = str(len(made) % prompts if prompts else len(made))
                made.append(RatedPair(prompt, f"r{len(made)}", left, right, choice))
    return made


FOUR = ballots(
    {("A", "B"): (2, 3, 0), ("A", "D"): (1, 4, 0), ("B", "C"): (5, 3, 0), ("C", "D"): (1, 3, 0)}
)
TIED = ballots({("new", "old"): (50, 30, 20)})


def llmfao(folder):
    with (folder / "ratings" / "evalica_llmfao.csv").open(encoding="utf-8") as file:
        return [
            RatedPair(
                row["prompt"], f"{row['worker']}-{n}", row["left"], row["right"], row["winner"]
            )
            for n, row in enumerate(csv.DictReader(file))
        ]


def test_strengths_have_their_published_values():
    found = {model.name: model.strength for model in ranking(FOUR, "A", draws=10).models}
    expected = np.log([0.640, 1.043, 0.660, 2.270])
    assert [found[name] for name in "ABCD"] == pytest.approx(expected - expected[0], abs=2e-3)


def test_strengths_are_those_of_evalica():
    rng = np.random.default_rng(0)
    won = {(a, b): rng.integers(1, 9, 3) for a in "abcde" for b in "abcde" if a < b}
    votes = ballots(won)
    outcome = {"left": evalica.Winner.X, "right": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    theirs = evalica.bradley_terry(
        [v.left for v in votes], [v.right for v in votes], [outcome[v.choice] for v in votes],
        tolerance=1e-10, limit=10_000,
    ).scores  # fmt: skip
    ours = {model.name: model.strength for model in ranking(votes, "c", draws=10).models}
    for name in "abcde":
        assert ours[name] == pytest.approx(math.log(theirs[name] / theirs["c"]), abs=1e-5)


def test_real_votes_on_59_models_get_evalicas_golden_scores(shared_data):
    with (shared_data / "ratings" / "evalica_llmfao_golden.csv").open(encoding="utf-8") as file:
        golden = {
            row["item"]: float(row["score"])
            for row in csv.DictReader(file)
            if row["algorithm"] == "bradley_terry"
        }
    found = ranking(llmfao(shared_data), "Alpaca (7B)", draws=20)
    assert len(found.models) == 59
    assert found.votes == 8931
    for model in found.models:
        expected = math.log(golden[model.name] / golden["Alpaca (7B)"])
        assert model.strength == pytest.approx(expected, abs=1e-5)
    assert found.sentence.startswith("GPT 4 comes first of 59 models and beats the baseline")


def test_davidsons_model_has_its_closed_form_for_two_models():
    found = ranking(TIED, "old", ties="davidson", draws=10)
    assert found.models[0].strength == pytest.approx(math.log(50 / 30), abs=1e-5)
    assert found.tie_strength == pytest.approx(20 / math.sqrt(50 * 30), abs=1e-5)


def test_davidsons_model_recovers_simulated_strengths_and_ties():
    rng = np.random.default_rng(1)
    true, nu = {"a": 0.0, "b": 0.5, "c": -0.7, "d": 1.0}, 0.8
    won = {}
    for left, right in [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]:
        x, y = math.exp(true[left]), math.exp(true[right])
        weights = np.array([x, y, nu * math.sqrt(x * y)])
        won[left, right] = rng.multinomial(4000, weights / weights.sum())
    found = ranking(ballots(won, prompts=200), "a", ties="davidson", draws=5)
    assert found.tie_strength == pytest.approx(nu, abs=0.04)
    for model in found.models:
        assert model.strength == pytest.approx(true[model.name], abs=0.08)


def test_two_models_with_ties_as_half_get_their_win_rate():
    first = ranking(TIED, "old").models[0]
    assert first.win_rate == pytest.approx(0.6, abs=1e-6)
    half = 1.96 * np.std([1] * 50 + [0] * 30 + [0.5] * 20) / 10
    assert (first.win_low, first.win_high) == pytest.approx((0.6 - half, 0.6 + half), abs=0.02)


def test_interval_covers_the_true_strength_where_prompts_differ():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(60):
        rates = rng.beta(1, 1, 40)
        wins = rng.binomial(5, rates)
        votes = [
            RatedPair(str(p), f"r{i}", "new", "old", "left" if i < k else "right")
            for p, k in enumerate(wins)
            for i in range(5)
        ]
        new = next(m for m in ranking(votes, "old", draws=100).models if m.name == "new")
        covered += new.win_low <= 0.5 <= new.win_high
    assert covered >= 52


def test_matrix_shows_who_beat_whom_and_who_never_met():
    found = ranking(FOUR, "A", draws=10)
    names = [model.name for model in found.models]
    assert names == ["D", "B", "C", "A"]
    cell = {(a, b): found.matrix[names.index(a)][names.index(b)] for a in names for b in names}
    assert cell["D", "A"] == pytest.approx(0.8)
    assert cell["A", "D"] == pytest.approx(0.2)
    assert cell["A", "C"] is None
    assert cell["A", "A"] is None


def test_models_that_never_met_are_refused_with_their_groups():
    votes = ballots({("a", "b"): (3, 2, 0), ("c", "d"): (1, 4, 1)})
    with pytest.raises(UserError, match="never met: a, b; c, d"):
        ranking(votes, "a")


@pytest.mark.parametrize("ties", ["half", "davidson"])
@pytest.mark.parametrize("counts", [(9, 0, 0), (0, 0, 9), (1, 0, 0), (0, 0, 1), (4, 0, 4)])
def test_one_sided_votes_give_finite_numbers(ties, counts):
    found = ranking(ballots({("new", "old"): counts}), "old", ties=ties, draws=20)
    for model in found.models:
        assert all(map(math.isfinite, (model.strength, model.win_low, model.win_high)))
        assert 0 <= model.win_low <= model.win_rate <= model.win_high <= 1


def test_ranking_of_one_prompt_has_no_bounds():
    found = ranking(ballots({("new", "old"): (9, 1, 0)}, prompts=1), "old")
    assert (found.models[0].low, found.models[0].high) == (None, None)
    assert "not shown to beat the baseline" in found.sentence


@pytest.mark.parametrize("wins", [2, 3, 5])
@pytest.mark.parametrize("ties", ["half", "davidson"])
def test_perfect_record_of_few_votes_beats_nobody(wins, ties):
    found = ranking(ballots({("new", "old"): (wins, 0, 0)}), "old", ties=ties)
    assert found.p == pytest.approx(2 * 0.5**wins)
    assert "not shown to beat the baseline" in found.sentence
    first = found.models[0]
    assert first.win_high - first.win_low > 0.3
    if ties == "half":
        judged = verdict(wins, 0)
        assert (first.win_low, first.win_high) == pytest.approx((judged.low, judged.high))


def test_perfect_record_of_six_beats_the_baseline_as_the_verdict_says():
    found = ranking(ballots({("new", "old"): (6, 0, 0)}), "old")
    assert (found.p, verdict(6, 0).decision) == (pytest.approx(0.03125), "better")
    assert "and beats the baseline" in found.sentence
    assert found.models[0].win_low < 0.75


def test_two_models_have_the_interval_of_the_verdict_where_raters_share_prompts():
    votes = ballots({("new", "old"): (40, 20, 9)}, prompts=23)
    means = [np.mean([v.score("new") for v in votes if v.prompt == str(p)]) for p in range(23)]
    judged, first = verdict(40, 20, 9, by_prompt=means), ranking(votes, "old").models[0]
    assert (first.win_low, first.win_high) == pytest.approx((judged.low, judged.high))


def test_separable_models_have_no_interval_of_width_zero_and_few_votes_show_nothing():
    few = ballots({("a", "b"): (2, 0, 0), ("b", "c"): (2, 0, 0)})
    found = ranking(few, "c")
    assert "not shown to beat the baseline" in found.sentence
    assert found.p == pytest.approx(2 / 16)  # of the ways to swap a and c on four prompts
    for model in found.models[:2]:
        assert model.win_high - model.win_low > 0.2
    many = ranking(ballots({("a", "b"): (30, 0, 0), ("b", "c"): (30, 0, 0)}), "c")
    assert "and beats the baseline" in many.sentence
    assert many.p < 0.05


def test_equal_models_are_rarely_told_apart_by_five_votes_a_pair():
    rng, named = np.random.default_rng(4), 0
    for _ in range(60):
        won = {}
        for pair in [("a", "b"), ("b", "c"), ("a", "c")]:
            wins = int(rng.binomial(5, 0.5))
            won[pair] = (wins, 5 - wins, 0)
        found = ranking(ballots(won), "c", draws=100)
        named += "and beats" in found.sentence
    assert named <= 6  # the best of three is looked at, so somewhat above 5 %


def test_ranking_ignores_left_and_right():
    turned = [
        vote._replace(left=vote.right, right=vote.left,
                      choice={"left": "right", "right": "left"}.get(vote.choice, vote.choice))
        for vote in TIED
    ]  # fmt: skip
    assert ranking(turned, "old") == ranking(TIED, "old")


def test_repeats_and_gold_items_do_not_count():
    extra = [TIED[0]._replace(choice="right"), TIED[0]._replace(prompt="g", expected="left")]
    assert ranking([*TIED, *extra], "old") == ranking(TIED, "old")


def test_baseline_may_come_first():
    found = ranking(ballots({("new", "old"): (10, 60, 0)}), "old")
    assert found.sentence == (
        "The baseline old comes first of 2 models, and beats each of the others."
    )


def test_votes_that_cannot_be_ranked_are_errors():
    with pytest.raises(UserError, match="no vote between two models"):
        ranking([], "a")
    with pytest.raises(UserError, match="about the baseline 'x'"):
        ranking(FOUR, "x")
    many = {(f"m{i}", "base"): (1, 1, 0) for i in range(120)}
    assert Counter(v.right for v in ballots(many))["base"] == 240
    with pytest.raises(UserError, match="121 models"):
        ranking(ballots(many), "base")
