"""How many replayed examples keep facts while DPO learns a style? On a model that learns fast.

The base knows 36 facts ("what ab" is a word of four letters) and answers "say a?" with one to six
letters. Five seeds: 80 pairs that prefer the shorter answer, 30 steps of 8 at 2e-3, last state
kept. Scored: facts told right (teacher-forced), and the mean length of greedy answers in tokens.

    pytest -m "" tests/bench/bench_replay.py -s
"""

import json
import random
from statistics import fmean

import pytest

from engine.core.dataset import Row
from engine.core.examples import Chat, Message, Preference
from engine.methods import dpo
from engine.models.chat_template import Template
from tests import letter_model
from tests.methods.fake_context import BASE, MemoryContext, user

pytestmark = pytest.mark.train
LETTERS = "abcdefghijkl"
FACTS = [f"what {a}{b}" for a in "abcdef" for b in "abcdef"]
ASKED = [f"say {a}{b}" for a in LETTERS for b in "ac"]
SETTINGS = ((0, 1.0), (1, 0.25), (1, 0.5), (1, 1.0), (2, 0.25), (2, 0.5), (2, 1.0), (4, 0.25),
            (4, 0.5), (4, 1.0))  # fmt: skip
SEEDS = range(5)
EXAMPLES = "examples"
LONGEST = 16


def right(question):
    return " ".join([question[5]] * 4)


def examples():
    """Each fact six times, and answers of every length."""
    rng = random.Random(0)
    said = [(f"say {a}{b}", " ".join(a * rng.randint(1, 6))) for a in LETTERS for b in LETTERS * 2]
    return [(question, right(question)) for question in FACTS for _ in range(6)] + said


def chat(question, answer):
    return Chat(messages=(*user(question), Message(role="assistant", content=answer)))


def preferred(seed):
    """Pairs of which the shorter answer won."""
    rng = random.Random(seed)
    found = []
    for _ in range(80):
        a, b = rng.choice(LETTERS), rng.choice(LETTERS)
        short, long = sorted(rng.sample(range(1, 7), 2))
        both = {"chosen": " ".join(a * short), "rejected": " ".join(a * long)}
        found.append(Preference(prompt=user(f"say {a}{b}"), **both))
    return found


class TwoDatasets(MemoryContext):
    """Votes, and the examples that the base learned."""

    def rows(self, dataset_id, split=None):
        if dataset_id != EXAMPLES:
            return super().rows(dataset_id, split)
        return [
            Row(index=n, split="train", example=chat(*each)) for n, each in enumerate(examples())
        ]


def measured(base, adapter=None):
    """(share of facts told right, mean tokens of an answer)."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    template = Template.load(base)
    with torch.no_grad():
        facts = [told(model, template.encode(chat(q, right(q)), 160)) for q in FACTS]
        lengths = [len(answer(model, template, question)) for question in ASKED]
    return fmean(facts), fmean(lengths)


def told(model, encoded):
    import torch

    ids = torch.tensor([encoded.input_ids])
    wanted = torch.tensor(encoded.completion_mask)[1:].bool()
    top = model(input_ids=ids).logits[0, :-1].argmax(-1)
    return float((top[wanted] == ids[0, 1:][wanted]).all())


def answer(model, template, question):
    import torch

    ids = template.prompt_ids(user(question))
    found = []
    while len(found) < LONGEST:
        token = int(model(input_ids=torch.tensor([ids + found])).logits[0, -1].argmax())
        if token == template.end_id:
            break
        found.append(token)
    return found


@pytest.fixture(scope="module")
def base(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay")
    data = folder / "data.jsonl"
    lines = [{"prompt": question, "completion": text} for question, text in examples()]
    data.write_text("\n".join(map(json.dumps, lines)))
    return letter_model.taught(tiny_model, data)


def test_replayed_rows_and_weights(base, tmp_path):
    facts, length = measured(base)
    print(f"\nstart: facts {facts:.2f}, {length:.1f} tokens")
    found = {each: [] for each in SETTINGS}
    for seed in SEEDS:
        for rows, weight in SETTINGS:
            folder = tmp_path / f"{seed}-{rows}-{weight}"
            ctx = TwoDatasets(folder, base, preferred(seed))
            replayed = {"replay_rows": rows, "replay_weight": weight, "replay_dataset": EXAMPLES}
            recipe = dpo.Recipe(
                model=BASE, dataset="votes", learning_rate=2e-3, max_steps=30, samples=0,
                num_evals=1, keep_best=False, seed=seed, **(replayed if rows else {}),
            )  # fmt: skip
            made = dpo.run(recipe, ctx).model
            found[rows, weight].append(measured(base, folder / made.path))
    for (rows, weight), seeds in found.items():
        each = ", ".join(f"{share:.2f}/{tokens:.1f}" for share, tokens in seeds)
        mean = [fmean(column) for column in zip(*seeds, strict=True)]
        print(f"{rows} rows at {weight:g}: facts {mean[0]:.2f}, {mean[1]:.1f} tokens ({each})")
    kept = fmean(share for share, _ in found[4, 1.0])
    assert kept > fmean(share for share, _ in found[0, 1.0])
