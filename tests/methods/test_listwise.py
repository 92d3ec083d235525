"""DPO on rankings as lists: choices of Plackett and Luce, one weight a question."""

from itertools import combinations

import pytest

from engine.core.errors import UserError
from engine.core.examples import Preference
from engine.core.recipe import read
from engine.methods import choice_sets, dpo, listwise
from engine.methods.training_rows import WEIGHT
from tests.methods.fake_context import BASE, MemoryContext, pairs, user

pytestmark = pytest.mark.train
LISTS = {"loss_type": ["plackett_luce"]}


def row(prompt, chosen, rejected, weight=1.0):
    found = {"prompt_ids": [prompt], "chosen_ids": [chosen], "rejected_ids": [rejected]}
    return {**found, "length": 2, **({WEIGHT: weight} if weight != 1 else {})}


def ranking(prompt, *answers):
    """The pairs of a ranking, best first."""
    both = list(combinations(answers, 2))
    return [row(prompt, good, bad, 1 / len(both)) for good, bad in both]


def recipe(**values):
    return dpo.Recipe(
        **{"model": BASE, "dataset": "d", "learning_rate": 5e-3, "samples": 0, **LISTS, **values}
    )


def ranked(number):
    """Questions with a ranking of three, each as its three pairs."""
    answers = ("yes, sir", "no way, you", "maybe so, friend")
    return [
        Preference(prompt=user(f"Say {n}"), chosen=good, rejected=bad, weight=round(1 / 3, 6))
        for n in range(number)
        for good, bad in combinations(answers, 2)
    ]


def test_ranking_is_a_choice_from_ever_fewer_answers():
    sets = choice_sets.of_pairs(ranking(7, 1, 2, 3, 4))
    assert [one["chosen_ids"] for one in sets] == [[1], [2], [3]]
    assert [one[choice_sets.SET] for one in sets] == [[[2], [3], [4]], [[3], [4]], [[4]]]
    assert sum(one[WEIGHT] for one in sets) == pytest.approx(1)
    assert len({round(one[WEIGHT], 9) for one in sets}) == 1


def test_single_pairs_stay_what_they_are():
    sets = choice_sets.of_pairs([row(1, 5, 6), row(2, 5, 6), row(2, 8, 9)])
    assert [one[choice_sets.SET] for one in sets] == [[[6]], [[6]], [[9]]]
    assert not any(WEIGHT in one for one in sets)


def test_tied_answers_are_not_chosen_from_each_other():
    tied = [row(1, 5, 7, 0.5), row(1, 6, 7, 0.5)]  # 5 and 6 share the first rank
    sets = choice_sets.of_pairs(tied)
    assert [(one["chosen_ids"], one[choice_sets.SET]) for one in sets] == [
        ([5], [[7]]),
        ([6], [[7]]),
    ]


def test_likelihood_of_rankings_is_that_of_choix():
    import numpy
    import torch

    choix = pytest.importorskip("choix")
    scores = [0.3, -1.2, 2.0, 0.7, -0.4]
    orders = [(2, 0, 3, 1), (3, 2, 4), (0, 1), (4, 1, 0, 2, 3)]
    found = 0.0
    for order in orders:
        sets = choice_sets.of_pairs(ranking(0, *order))
        chosen = [one["chosen_ids"][0] for one in sets]
        beaten = [[each[0] for each in one[choice_sets.SET]] for one in sets]
        flat = [scores[n] for n in [*chosen, *(each for one in beaten for each in one)]]
        given = torch.tensor(flat, dtype=torch.float64)
        found += listwise.set_losses(given, [len(one) for one in beaten]).sum().item()
    expected = -choix.log_likelihood_rankings(orders, numpy.array(scores))
    assert found == pytest.approx(expected, abs=1e-9)


def test_loss_of_two_answers_is_that_of_a_pair():
    import torch

    scores = torch.tensor([1.5, -0.5, 0.25, 2.0])
    pair = -torch.nn.functional.logsigmoid(scores[:2] - scores[2:])
    assert listwise.set_losses(scores, [1, 1]).tolist() == pytest.approx(pair.tolist())


def moved(tiny_model, folder, **values):
    """The trainer, after two steps on single pairs."""
    ctx = MemoryContext(folder, tiny_model, pairs(16))
    _, make = dpo.prepare(recipe(tuning="full", max_steps=2, **values), ctx)
    found = make([])
    found.train()
    return found


@pytest.mark.parametrize("sft", [False, True], ids=["alone", "with-sft"])
def test_single_pairs_are_learned_as_by_the_sigmoid_loss(tiny_model, tmp_path, sft):
    import torch

    more, weights = (["sft"], [1.0, 0.2]) if sft else ([], [1.0])
    lists = moved(
        tiny_model, tmp_path / "lists", loss_type=["plackett_luce", *more], loss_weights=weights
    )
    sigmoid = moved(
        tiny_model, tmp_path / "pairs", loss_type=["sigmoid", *more], loss_weights=weights
    )
    for ours, theirs in zip(lists.model.parameters(), sigmoid.model.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    logged = [
        {
            name: log[name]
            for name in ("loss", "rewards/margins", "rewards/accuracies", "num_tokens")
        }
        for log in (lists.state.log_history[1], sigmoid.state.log_history[1])
    ]
    assert logged[0] == pytest.approx(logged[1], abs=1e-4)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_rankings_are_learned_as_lists(tiny_model, tmp_path, tuning):
    ctx = MemoryContext(tmp_path, tiny_model, ranked(12), ranked(34)[36:])
    rate = 5e-3 if tuning == "lora" else 1e-3
    outcome = dpo.run(recipe(max_steps=6, tuning=tuning, learning_rate=rate), ctx)
    assert outcome.result.rows == 24  # two choices a ranking
    assert outcome.result.held_out_margin > 0.02
    assert any("36 pairs are 24 choices, 12 of them among three" in text for text in ctx.said())


def test_lists_go_with_no_other_loss_and_no_idle_option(tiny_model, tmp_path):
    values = {"model": "m", "dataset": "d"}
    with pytest.raises(UserError, match="goes with sft alone"):
        read(dpo.Recipe, {**values, "loss_type": ["plackett_luce", "sigmoid"]})
    ctx = MemoryContext(tmp_path, tiny_model, pairs(4))
    with pytest.raises(UserError, match="ld_alpha has no effect with the loss plackett_luce"):
        dpo.prepare(recipe(trl={"ld_alpha": 0.5}), ctx)
