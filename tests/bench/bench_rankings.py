"""Do rankings of four answers give more pairs, and a better model, at equal questions read?

Letters model: five seeds of 40 questions, four sampled lengths each. Pairwise: the two that differ
most. Ranked: all different ones. The rater prefers the shorter answer and slips on one comparison
of two answers in ten. DPO of 3 and of 30 steps of 8 at 2e-3, last state kept. Printed: the share of
24 questions on which the greedy answer is shorter than the start's, ties half, and its mean length.

    pytest -m "" tests/bench/bench_rankings.py -s
"""

import json
import random
from itertools import combinations
from statistics import fmean, stdev

import pytest

from engine.core.examples import Preference
from engine.methods import dpo
from engine.models.chat_template import Template
from engine.simulated_raters.ranking import rank
from engine.simulated_raters.simple import shorter
from tests import letter_model
from tests.bench.bench_replay import ASKED, LETTERS, answer, examples
from tests.methods.fake_context import BASE, MemoryContext, user

pytestmark = pytest.mark.train
SEEDS = range(5)
QUESTIONS = 40
SLIP = 0.1


def slipping(left, right, references, rng):
    choice = shorter(left, right, references, rng)
    other = {"left": "right", "right": "left"}.get(choice, choice)
    return other if rng.random() < SLIP else choice


def read(seed, most):
    """The pairs that 40 readings give, with the weights of their rankings."""
    rng = random.Random(seed)
    found = []
    for _ in range(QUESTIONS):
        a, b = rng.choice(LETTERS), rng.choice(LETTERS)
        lengths = sorted({rng.randint(1, 6) for _ in range(4)})
        shown = lengths if most == 4 else list(dict.fromkeys((lengths[0], lengths[-1])))
        texts = [" ".join(a * length) for length in shown]
        rng.shuffle(texts)
        if len(texts) < 2:
            continue
        if len(texts) == 2:
            left = slipping(*texts, (), rng) == "left"
            pairs = [texts if left else texts[::-1]]
        else:
            _, ranks = rank(slipping, texts, (), rng)
            order = dict(zip(texts, ranks, strict=False))
            pairs = [
                sorted(two, key=order.get)
                for two in combinations(order, 2)
                if order[two[0]] != order[two[1]]
            ]
        prompt = user(f"say {a}{b}")
        found += [
            Preference(prompt=prompt, chosen=good, rejected=bad, weight=1 / len(pairs))
            for good, bad in pairs
        ]
    return found


def greedy(base, adapter=None):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    with torch.no_grad():
        return [len(answer(model, Template.load(base), question)) for question in ASKED]


@pytest.fixture(scope="module")
def base(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rankings")
    data = folder / "data.jsonl"
    lines = [{"prompt": question, "completion": text} for question, text in examples()]
    data.write_text("\n".join(map(json.dumps, lines)))
    return letter_model.taught(tiny_model, data)


@pytest.mark.parametrize("steps", [3, 30])
def test_pairs_and_win_rate_of_two_and_four_answers(base, tmp_path, steps):
    before = greedy(base)
    wins = {2: [], 4: []}
    pairs = {2: [], 4: []}
    for seed in SEEDS:
        for most in wins:
            folder = tmp_path / f"{seed}-{most}"
            rows = read(seed, most)
            pairs[most].append(len(rows))
            recipe = dpo.Recipe(
                model=BASE, dataset="votes", learning_rate=2e-3, max_steps=steps, samples=0,
                num_evals=1, keep_best=False, seed=seed,
            )  # fmt: skip
            made = dpo.run(recipe, MemoryContext(folder, base, rows)).model
            after = greedy(base, folder / made.path)
            both = zip(after, before, strict=True)
            wins[most].append(fmean((new < old) + 0.5 * (new == old) for new, old in both))
            print(
                f"seed {seed}, {most} answers: {len(rows)} pairs, win {wins[most][-1]:.3f}, "
                f"{fmean(after):.2f} tokens of {fmean(before):.2f}"
            )
    for most, rates in wins.items():
        spread = f"{fmean(rates):.3f} (s.d. {stdev(rates):.3f})"
        print(f"{most} answers: {fmean(pairs[most]):.1f} pairs of {QUESTIONS} questions, {spread}")
    assert fmean(pairs[4]) >= 3 * fmean(pairs[2])
