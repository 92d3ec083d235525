"""Scores that need no model. A model that does not beat them has not learned the task."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from engine.core.examples import Chat, Message
from engine.core.normalise import normal

COPY, FREQUENT, NEAREST = "baseline:copy", "baseline:frequent", "baseline:nearest"
MOST_ROWS = 5000  # of training, taken evenly from all
MOST_WORDS = 512  # of a prompt, from its start
K1, B = 1.2, 0.75  # the usual constants of BM25
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def baselines(
    prompts: Sequence[Sequence[Message]], training: Sequence[Chat]
) -> dict[str, list[str]]:
    """The answers of each baseline to all prompts; without training rows only the copy.

    copy: the last question itself. frequent: the answer most often given in training, the first
    seen of equals. nearest: the answer of the training row whose question is most alike by BM25.
    """
    asked = [_question(prompt) for prompt in prompts]
    found = {COPY: asked}
    every = -(-len(training) // MOST_ROWS) or 1
    taught = training[::every]
    if taught:
        counts = Counter(normal(row.answer) for row in taught)
        most = counts.most_common(1)[0][0]
        frequent = next(row.answer for row in taught if normal(row.answer) == most)
        nearest = Nearest([_question(row.prompt) for row in taught])
        found[FREQUENT] = [frequent] * len(asked)
        found[NEAREST] = [taught[nearest.to(text)].answer for text in asked]
    return found


class Nearest:
    """Texts that can be searched by their words. Source: Robertson and Zaragoza 2009, BM25."""

    def __init__(self, texts: Sequence[str]) -> None:
        words = [_words(text) for text in texts]
        lengths = np.array([len(each) for each in words], dtype=float)
        longer = 1 - B + B * lengths / max(1.0, float(lengths.mean()))
        places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, each in enumerate(words):
            for word, times in Counter(each).items():
                places[word].append((place, times))
        self._size = len(texts)
        self._scores: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for word, found in places.items():
            rows, times = np.array(found).T
            rare = log(1 + (self._size - len(found) + 0.5) / (len(found) + 0.5))
            score = rare * times * (K1 + 1) / (times + K1 * longer[rows])
            self._scores[word] = rows, score

    def to(self, text: str) -> int:
        """The number of the text most alike; the first where none shares a word."""
        total = np.zeros(self._size)
        for word in set(_words(text)) & self._scores.keys():
            rows, score = self._scores[word]
            total[rows] += score
        return int(total.argmax())


def _question(prompt: Sequence[Message]) -> str:
    return next((turn.content for turn in reversed(prompt) if turn.role == "user"), "")


def _words(text: str) -> list[str]:
    return WORD.findall(normal(text))[:MOST_WORDS]
