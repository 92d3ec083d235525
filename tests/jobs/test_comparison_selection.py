"""Which pairs are worth a vote: half by chance, half close calls, one of a family."""

import pytest

from engine.core.examples import Message
from engine.jobs import comparison_selection, generate
from engine.jobs.comparison_selection import BETA, AnswerPair
from engine.methods import dpo
from engine.models.answer import Answerer
from tests.methods.fake_context import BASE, MemoryContext, pairs, prompts

WORDS = [f"{a} the {b} of {c}" for a in ("renew", "return", "reserve") for b in ("atlas", "poem")
         for c in ("Ada Lovelace", "Kurt Weill", "Mary Shelley", "Jan Vermeer")]  # fmt: skip


def pool(texts=WORDS):
    return [AnswerPair(n, (Message(role="user", content=text),), f"a {n}", f"b {n}")
            for n, text in enumerate(texts)]  # fmt: skip


def by_rule(found, rule):
    return {number for number, why in found.items() if why["rule"] == rule}


def test_close_calls_are_half_of_the_chosen_pairs():
    margins = {n: (-1) ** n * n / 10 for n in range(24)}
    found = comparison_selection.choose(pool(), 10, margins, 3)
    random, close = by_rule(found, "random"), by_rule(found, "margin")
    assert (len(random), len(close)) == (5, 5)
    assert close == set(sorted(set(range(24)) - random)[:5])
    assert found[min(close)]["margin"] == margins[min(close)]


def test_close_calls_draw_the_random_half_without_margins():
    up, down = ({n: s * n + 1.0 for n in range(24)} for s in (1, -1))
    chance = [by_rule(comparison_selection.choose(pool(), 10, m, 3), "random") for m in (up, down)]
    assert chance[0] == chance[1]
    counts = [0] * 24
    for seed in range(600):
        for number in by_rule(comparison_selection.choose(pool(), 10, up, seed), "random"):
            counts[number] += 1
    assert max(counts) < 125 + 50
    assert min(counts) > 125 - 50


def test_close_calls_take_one_of_each_family():
    copies = ["how do I renew the atlas I borrowed in May"] * 12
    asked = [*copies, *WORDS[:12]]
    found = comparison_selection.choose(pool(asked), 12, {n: n / 100 for n in range(24)}, 1)
    assert len(by_rule(found, "random") & set(range(12))) > 0
    assert not by_rule(found, "margin") & set(range(12))


def test_close_calls_fill_up_where_families_are_few():
    found = comparison_selection.choose(
        pool(["the same question as ever"] * 10), 6, dict.fromkeys(range(10), 0.1), 1
    )
    assert (len(by_rule(found, "random")), len(by_rule(found, "rest"))) == (3, 3)


def test_close_calls_without_margins_are_random():
    found = comparison_selection.choose(pool(), 10, {}, 1)
    assert len(by_rule(found, "random")) == 10
    assert all(set(why) == {"rule"} for why in found.values())


def test_close_calls_choose_no_more_than_there_are():
    assert len(comparison_selection.choose(pool(), 99, dict.fromkeys(range(24), 0.0), 1)) == 24
    assert comparison_selection.choose([], 5, {}, 1) == {}


@pytest.mark.train
def test_margins_are_what_preferences_taught(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "run", tiny_model, pairs(24))
    recipe = dpo.Recipe(
        model=BASE, dataset="d", num_train_epochs=3, learning_rate=5e-3, samples=0, num_evals=1
    )
    taught = ctx.keep("taught", dpo.run(recipe, ctx).model)
    answerer = Answerer(tiny_model)
    question = (Message(role="user", content="Say 3"),)
    two = [
        AnswerPair(0, question, "yes, sir", "no way, you"),
        AnswerPair(1, question, "no way, you", "yes, sir"),
    ]
    found = comparison_selection.margins(ctx, answerer, taught, two)
    assert found[0] > 0
    assert found[1] == pytest.approx(-found[0], abs=1e-4)
    assert comparison_selection.margins(ctx, answerer, ctx.model(BASE), two) == {}
    assert dpo.Recipe(model="m", dataset="d").beta == BETA


@pytest.mark.train
def test_close_calls_keep_only_the_selected_answers(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "run", tiny_model, prompts(20))
    recipe = generate.Recipe(
        round="r", model_new=BASE, model_base=BASE, dataset="d", rows=tuple(range(20)), keep=6,
        max_new_tokens=8, temperature=1.5,
    )  # fmt: skip
    out = generate.run(recipe, ctx)
    kept = [one.prompt_no for one in out.candidates]
    assert len(kept) == 2 * len(set(kept)) <= 12
    assert kept[::2] == kept[1::2]
    assert {one.details["rule"] for one in out.candidates} <= {"random"}
