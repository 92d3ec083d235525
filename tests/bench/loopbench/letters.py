"""The letters model as a place to vote: it knows facts and answers "say ab" with one to six a's.

Votes are on "say" questions with a second letter of a to f, blind rounds on those with g to l. What
raters want depends on the first letter: shorter answers for a to h, longer ones for i to l. So
fifty votes are four a letter, and a model that only got shorter wins two questions of three. A
rater slips on a comparison of two with the stated noise.
"""

import json
import random
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from engine.core.examples import Preference, Unpaired
from engine.core.rating import Choice
from engine.models.chat_template import Template
from engine.simulated_raters.ranking import Judge, rank
from engine.simulated_raters.simple import longer, shorter
from tests import letter_model, tiny_model
from tests.bench.bench_replay import FACTS, LETTERS, examples, right
from tests.bench.loopbench.grid import Cell
from tests.methods.fake_context import user

BLIND = [f"say {a}{b}" for a in LETTERS for b in "ghijkl"]
LONGEST = 12
SHORT = "abcdefgh"  # first letters of questions whose answers should be short
EDITED = 3  # every third vote of `edits` also improves the winner


class Answers(NamedTuple):
    """Greedy answers to the blind questions, and the share of facts told right."""

    texts: list[str]
    facts: float


def made(folder: Path) -> Path:
    """The model that all trainings start from, taught once for a folder of results."""
    if not (folder / "base").is_dir():
        tiny_model.make(folder / "tiny")
        data = folder / "data.jsonl"
        lines = [{"prompt": question, "completion": text} for question, text in examples()]
        data.write_text("\n".join(map(json.dumps, lines)))
        letter_model.taught(folder / "tiny", data)
    return folder / "base"


def preferred(question: str, left: str, other: str) -> Choice:
    """What a rater without slips says."""
    rule = shorter if question[4] in SHORT else longer
    return rule(left, other, (), random.Random(0))


def judge(question: str, noise: float):
    """A rater of answers to the question, with slips; at .5 a coin."""

    def choose(left, right_, references, rng):
        choice = preferred(question, left, right_)
        other = {"left": "right", "right": "left"}.get(choice, choice)
        return other if rng.random() < noise else choice

    return choose


def votes(cell: Cell) -> list[Preference]:
    """The pairs that so many readings give, each question's with the weight of one."""
    rng = random.Random(f"{cell.seed} {cell.votes} {cell.noise} {cell.data == 'ranks'}")
    found: list[Preference] = []
    read = 0
    while read < cell.votes:
        letter = rng.choice(LETTERS)
        question = f"say {letter}{rng.choice('abcdef')}"
        prompt = user(question)
        texts = [" ".join(letter * n) for n in sorted({rng.randint(1, 6) for _ in range(4)})]
        if len(texts) < 2:
            continue
        if cell.data != "ranks":
            texts = [texts[0], texts[-1]]
        rng.shuffle(texts)
        read += 1
        pairs = _ranked(texts, judge(question, cell.noise), rng)
        each = [
            Preference(prompt=prompt, chosen=good, rejected=bad, weight=round(1 / len(pairs), 6))
            for good, bad in pairs
        ]
        if cell.data == "edits" and read % EDITED == 0:
            best = " ".join(letter * (1 if letter in SHORT else 6))
            each = _edited(each[0], best)
        found += each
    return found


def _ranked(texts: list[str], choose: Judge, rng: random.Random) -> list[tuple[str, str]]:
    if len(texts) == 2:
        left = choose(*texts, (), rng) == "left"
        return [(texts[0], texts[1]) if left else (texts[1], texts[0])]
    choice, ranks = rank(choose, texts, (), rng)
    if choice:
        return []
    order = dict(zip(texts, ranks, strict=True))
    both = [sorted(two, key=order.__getitem__) for two in combinations(texts, 2)]
    return [(good, bad) for good, bad in both if order[good] != order[bad]]


def _edited(pair: Preference, best: str) -> list[Preference]:
    """The rater writes the best answer: the pair with it, and what it is better than."""
    if best in (pair.chosen, pair.rejected):
        return [pair]
    beaten = [pair.chosen, pair.rejected]
    better = [pair.model_copy(update={"chosen": best, "rejected": text}) for text in beaten]
    return [pair.model_copy(update={"improved": best}), *better]


def marks(pairs: list[Preference]) -> list[Unpaired]:
    """For KTO: of a question the first is good and the last is bad, as the product does it."""
    found = []
    for pair in pairs:
        chosen = {one.chosen for one in pairs if one.prompt == pair.prompt}
        rejected = {one.rejected for one in pairs if one.prompt == pair.prompt}
        for text, good in ((pair.chosen, True), (pair.rejected, False)):
            row = Unpaired(prompt=pair.prompt, completion=text, label=good)
            if pair.weight == 1 or text not in (chosen & rejected):
                found.append(row)
    weighed = [pair.weight != 1 for pair in pairs]
    return list(dict.fromkeys(found)) if any(weighed) else found


def answers(model, base: Path) -> Answers:
    """What the model says now."""
    template = Template.load(base)
    facts = [_told(model, template, question) for question in _batches(FACTS)]
    texts = [text for batch in _batches(BLIND) for text in _written(model, template, batch)]
    return Answers(texts, fmean(share for part in facts for share in part))


def _batches(questions: list[str]) -> list[list[str]]:
    return [questions]  # all have one length


def _written(model, template: Template, questions: list[str]) -> list[str]:
    import torch

    ids = torch.tensor([template.prompt_ids(user(one)) for one in questions])
    start = ids.shape[1]
    done = torch.zeros(len(questions), dtype=torch.bool)
    with torch.no_grad():
        for _ in range(LONGEST):
            token = model(input_ids=ids).logits[:, -1].argmax(-1)
            token[done] = template.end_id
            done |= token == template.end_id
            ids = torch.cat([ids, token[:, None]], 1)
            if done.all():
                break
    found = []
    for row in ids[:, start:].tolist():
        end = row.index(template.end_id) if template.end_id in row else len(row)
        found.append(template.decode(row[:end], True))
    return found


def _told(model, template: Template, questions: list[str]) -> list[float]:
    """Whether each answer of a fact would be written, token by token."""
    import torch

    rows = []
    for question in questions:
        prompt = template.prompt_ids(user(question))
        wanted = template.ids(right(question))
        rows.append((prompt, [*wanted, template.end_id]))
    ids = torch.tensor([prompt + wanted for prompt, wanted in rows])
    start = len(rows[0][0])
    with torch.no_grad():
        top = model(input_ids=ids).logits[:, start - 1 : -1].argmax(-1)
    return (top == ids[:, start:]).all(1).float().tolist()
