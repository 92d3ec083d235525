"""Which pairs are worth a vote? Four rules at equal votes, on a model that learns in seconds.

Each seed: a base that answers letters with one to six of them; a first DPO on 40 random pairs, the
same for all rules; then a second DPO from there on 40 pairs that a rule chose among the same 144.
The rater prefers the shorter answer and slips 1 time in 10. Scored: how often the rater without a
slip prefers the second model to the base on 144 fresh pairs, ties as half.

    pytest -m "" tests/bench/bench_selection.py -s
"""

import json
import random
from statistics import fmean, stdev

import pytest

from engine.core.examples import Message, Preference
from engine.jobs import comparison_selection
from engine.jobs.comparison_selection import AnswerPair
from engine.methods import dpo
from engine.models.answer import Answerer
from tests import letter_model
from tests.methods.fake_context import BASE, MemoryContext

pytestmark = pytest.mark.train
RULES = ("random", "half", "closest", "farthest")
SEEDS = (1, 2, 3, 4, 5)
VOTES, POOL, SLIP = 40, 144, 0.1


def prompts(tag):
    return [(Message(role="user", content=f"say {a}{n}{tag}"),) for a in "abcdefghijkl"
            for n in range(12)]  # fmt: skip


def written(base, files, asked, seed):
    """Two answers each to the prompts that got two different ones."""
    model = Answerer(base)
    said = [model.answer(files, asked, max_new_tokens=24, temperature=1.0, seed=seed + n)
            for n in (0, 1)]  # fmt: skip
    return [
        AnswerPair(n, prompt, a.text, b.text)
        for n, (prompt, a, b) in enumerate(zip(asked, *said, strict=True))
        if a.finished and b.finished and a.text != b.text
    ]


def judged(pairs, rng, slip):
    """What the rater makes of the pairs; ties teach nothing."""
    found = []
    for pair in pairs:
        long, short = len(pair.first.split()), len(pair.second.split())
        first = long < short
        first ^= rng.random() < slip
        good, bad = (pair.first, pair.second) if first else (pair.second, pair.first)
        if long != short:
            found.append(Preference(prompt=pair.prompt, chosen=good, rejected=bad, source_row=1))
    return found


def chosen(rule, pairs, margins, seed):
    rng = random.Random(seed)
    if rule == "half":
        keep = comparison_selection.choose(pairs, VOTES, margins, seed)
        return [pair for pair in pairs if pair.prompt_no in keep]
    if rule == "random":
        return rng.sample(pairs, VOTES)
    order = sorted(pairs, key=lambda pair: abs(margins[pair.prompt_no]))
    return order[:VOTES] if rule == "closest" else order[-VOTES:]


def trained(folder, base, start, rows, seed):
    ctx = MemoryContext(folder, base, rows)
    if start:
        ctx.add("start", start)
    recipe = dpo.Recipe(
        model="start" if start else BASE, dataset="d", num_train_epochs=1, learning_rate=1e-3,
        per_device_train_batch_size=8, keep_best=False, num_evals=1, samples=0, seed=seed,
    )  # fmt: skip
    return ctx.folder / dpo.run(recipe, ctx).model.path


def score(base, files, asked, seed):
    """The win rate of `files` over the base by the rater without a slip."""
    model = Answerer(base)
    plain = MemoryContext(base.parent / "ctx", base, []).model(BASE)
    new = model.answer(files, asked, max_new_tokens=24, temperature=1.0, seed=seed)
    old = model.answer(plain, asked, max_new_tokens=24, temperature=1.0, seed=seed + 1)
    worth = []
    for a, b in zip(new, old, strict=True):
        first, second = len(a.text.split()), len(b.text.split())
        worth.append(0.5 if first == second else float(first < second))
    return fmean(worth)


def one_seed(folder, base, seed):
    """The score of each rule, and of the first generation."""
    ctx = MemoryContext(folder / "known", base, [])
    first = written(base, ctx.model(BASE), prompts(""), 10 * seed)
    rows = judged(random.Random(seed).sample(first, VOTES), random.Random(seed), SLIP)
    start = trained(folder / "one", base, None, rows, seed)
    ctx.add("start", start)
    files = ctx.model("start")
    policy = files._replace(
        model=files.model.model_copy(update={"info": {"method": "dpo"}, "base_id": BASE})
    )
    pool = written(base, policy, prompts("x"), 10 * seed + 2)
    margins = comparison_selection.margins(ctx, Answerer(base), policy, pool)
    fresh = prompts("y")
    found = {"first": score(base, policy, fresh, 10 * seed + 5), "pool": len(pool)}
    for rule in RULES:
        rows = judged(chosen(rule, pool, margins, seed), random.Random(seed + 50), SLIP)
        path = trained(folder / rule, base, start, rows, seed)
        ctx.add(rule, path)
        found[rule] = score(base, ctx.model(rule), fresh, 10 * seed + 5)
    return found


def test_selection(tiny_model, tmp_path):
    letter_model.write_data(tmp_path)
    base = letter_model.taught(tiny_model, tmp_path / "library_faq.jsonl")
    found = [one_seed(tmp_path / f"seed{seed}", base, seed) for seed in SEEDS]
    for each in found:
        print(json.dumps(each))
    for rule in ("first", *RULES):
        values = [each[rule] for each in found]
        over = [each[rule] - each["random"] for each in found]
        print(f"{rule:9} {fmean(values):.3f} (s.d. {stdev(values):.3f}), over random "
              f"{fmean(over):+.3f} (s.d. {stdev(over):.3f})")  # fmt: skip
    assert all(each["pool"] >= 2 * VOTES for each in found)
