"""A cell: votes, a training on them, greedy answers, and many blind rounds about those.

Results are lines of a file, one a cell. A run that was cut goes on after the last whole line.
"""

import json
import os
import random
import shutil
import time
from math import log
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np

from engine import plugins
from engine.stats.sequential import log_wealth
from engine.stats.verdict import verdict
from tests.bench.loopbench import letters
from tests.bench.loopbench.grid import LOSSES, Cell
from tests.methods.fake_context import BASE, MemoryContext

STEPS = 30  # the product's least
ROUNDS = 40  # blind rounds that are drawn on the same answers
SCORES = {"left": 1.0, "right": 0.0}  # of the new model, which is on the left; a tie is half
ENOUGH = 20.0  # evidence at which a round may stop, for an error of 5 %


class Blind(NamedTuple):
    """Shares of the rounds by verdict, and the votes until a win was shown at every look."""

    better: float
    worse: float
    asked: float  # mean votes; a round without a win counts with all of them
    early: float  # share of the rounds that a look after each vote ended with a win
    shown: int  # questions with two different answers


class Store:
    """The results so far, in a file of lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, dict] = {}
        if path.is_file():
            for line in path.read_text().splitlines():
                try:
                    row = json.loads(line)
                except ValueError:
                    continue  # the line that a cut run did not finish
                self.found[row["key"]] = row

    def add(self, row: dict) -> None:
        self.found[row["key"]] = row
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


class Bench:
    """The start model and its answers, shared by all cells."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.base = letters.made(folder)
        self.start = letters.answers(_loaded(self.base), self.base)

    def measured(self, cell: Cell, rate: float) -> dict:
        """The cell's result."""
        began = time.process_time()
        pairs = letters.votes(cell)
        found = self._trained(cell, rate, pairs)
        blind = rounds(found.texts, self.start.texts, cell)
        return {
            "key": cell.key,
            **cell._asdict(),
            "used_rate": rate,
            "pairs": len(pairs),
            "win": wins(found.texts, self.start.texts),
            "tokens": fmean(len(text) for text in found.texts),
            "facts": found.facts,
            **blind._asdict(),
            "cpu_s": round(time.process_time() - began, 2),
        }

    def _trained(self, cell: Cell, rate: float, pairs: list) -> letters.Answers:
        kind, settings = LOSSES[cell.loss]
        method = plugins.load("jobs", kind)
        recipe = method.Recipe(
            model=BASE, dataset="votes", tuning=cell.tuning, learning_rate=rate, max_steps=STEPS,
            samples=0, num_evals=1, keep_best=False, evaluate_after=False, seed=cell.seed,
            max_length=64, **settings,
        )  # fmt: skip
        rows = letters.marks(pairs) if kind == "kto" else pairs
        place = self.folder / f"training-{os.getpid()}"
        shutil.rmtree(place, ignore_errors=True)
        made = method.run(recipe, MemoryContext(place, self.base, rows)).model
        found = letters.answers(_loaded(self.base, place / made.path, cell.tuning), self.base)
        shutil.rmtree(place)
        return found


def wins(new: list[str], old: list[str]) -> float:
    """The share of questions on which a rater without slips prefers the new answer, ties half."""
    both = zip(letters.BLIND, new, old, strict=True)
    return fmean(SCORES.get(letters.preferred(*each), 0.5) for each in both)


def rounds(new: list[str], old: list[str], cell: Cell) -> Blind:
    """Blind rounds with the raters of the cell: one vote on each question that shows anything."""
    three = [each for each in zip(letters.BLIND, new, old, strict=True) if each[1] != each[2]]
    rng = random.Random(f"blind {cell.key}")
    ends, asked, early = [], [], []
    for _ in range(ROUNDS):
        choices = [
            letters.judge(question, cell.noise)(one, other, (), rng)
            for question, one, other in rng.sample(three, len(three))
        ]
        scores = [SCORES.get(choice, 0.5) for choice in choices]
        won, lost = scores.count(1.0), scores.count(0.0)
        ties, same = len(scores) - won - lost, len(new) - len(three)
        ends.append(verdict(won, lost, ties, identical=same).decision)
        stop = _first_win(scores)
        early.append(stop is not None)
        asked.append(len(three) if stop is None else stop)
    return Blind(
        better=ends.count("better") / ROUNDS,
        worse=ends.count("worse") / ROUNDS,
        asked=fmean(asked),
        early=fmean(early),
        shown=len(three),
    )


def _first_win(scores: list[float]) -> int | None:
    """After how many votes the evidence of a win was enough; None where it never was."""
    reached = np.flatnonzero(log_wealth(scores, 0.5) >= log(ENOUGH)) if scores else ()
    return int(reached[0]) + 1 if len(reached) else None


def _loaded(base: Path, trained: Path | None = None, tuning: str = "lora"):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    whole = trained if trained and tuning == "full" else base
    model = AutoModelForCausalLM.from_pretrained(whole, dtype=torch.float32)
    if trained and tuning == "lora":
        model = PeftModel.from_pretrained(model, trained)
    return model.eval()
