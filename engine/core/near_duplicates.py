"""When two examples count as nearly the same: most of their runs of three words are shared.

    words      as in `normal`, without punctuation; a Chinese or Japanese letter is a word
    boilerplate  a run that more than a tenth of the examples have says nothing of any of them
    nearly     0.7 of the runs are shared, and half of the words of the answers and of the first
               and the last eight words asked: two questions about one long text are not the same

Candidates come from MinHash and banding (Broder 1997; Leskovec et al., Mining of Massive Datasets,
chapter 3), so time and memory grow with the number of texts, not with its square.
"""

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.examples import Example, Prompt, Text, answers_of, prompt_of
from engine.core.normalise import normal

MOST = 50_000  # examples: beyond, the comparison takes longer than anybody waits
NEAR, PART_NEAR, ENDS = 0.7, 0.5, 8
SKETCH = 256  # the smallest hashes of a text stand for all: a bound on memory, not on length
BANDS, BAND = 16, 4  # two texts that share 0.7 of their runs meet in a band 99 times in 100
WINDOW = 32  # neighbours compared within a band
FEW, SHARE = 5, 0.1  # a run found in more than max(FEW, SHARE * examples) is boilerplate
CJK = "\u3040-\u30ff\u3400-\u9fff"
WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+|[+*/=<>%^|&~-]")

Hashes = NDArray[np.uint32]


class Alike(NamedTuple):
    """`groups`: indices of examples of the same words, by their first; `near`: groups by number."""

    groups: list[list[int]]
    near: list[set[int]]


@contextmanager
def compared_once() -> Iterator[None]:
    """Within the block, each sequence of examples is compared once, however often it is asked."""
    token = _compared.set([])
    try:
        yield
    finally:
        _compared.reset(token)


def alike(examples: Sequence[Example]) -> Alike:
    """Which examples say the same words, and which of these groups say nearly the same."""
    kept = _compared.get()
    for known, found in kept or ():
        if known is examples:
            return found
    found = _alike(examples)
    if kept is not None:
        kept.append((examples, found))
    return found


def _alike(examples: Sequence[Example]) -> Alike:
    groups: dict[str, list[int]] = defaultdict(list)
    for n, example in enumerate(examples):
        groups[_words(example)].append(n)
    texts = list(groups)
    runs = _sketches(texts)
    near: list[set[int]] = [set() for _ in groups]
    for a, b in _candidates(texts, runs):
        if b in near[a] or _shared(runs[a], runs[b]) < NEAR:
            continue
        if all(map(_half_shared, _parts(texts[a]), _parts(texts[b]))):
            near[a].add(b)
            near[b].add(a)
    return Alike(list(groups.values()), near)


_compared: ContextVar[list[tuple[Sequence[Example], Alike]] | None] = ContextVar(
    "compared", default=None
)


def families(examples: Sequence[Example]) -> list[list[int]]:
    """The examples by number, those linked by being nearly the same together.

    Links go directly or through others; the order of the examples changes nothing. Each example is
    in one family, alone where nothing is like it. More than MOST examples are not compared: each
    is a family of its own.
    """
    if len(examples) > MOST:
        return [[n] for n in range(len(examples))]
    groups, near = alike(examples)
    seen: set[int] = set()
    found = []
    for start in range(len(groups)):
        if start not in seen:
            reached = _reach(start, near)
            seen |= reached
            found.append(sorted(n for group in reached for n in groups[group]))
    return found


def _reach(start: int, near: list[set[int]]) -> set[int]:
    reached, waiting = {start}, [start]
    while waiting:
        new = near[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def plain_words(text: str) -> str:
    """The words of a text as they are compared here, a blank between them."""
    return " ".join(WORD.findall(normal(text)))


def _words(example: Example) -> str:
    """The words asked, a line break, the words answered (or accepted); a text asks nothing."""
    asked = () if isinstance(example, Text) else prompt_of(example)
    question = " ".join(turn.content for turn in asked if turn.role != "system")
    answers = example.references if isinstance(example, Prompt) else answers_of(example)
    return f"{plain_words(question)}\n{plain_words(' '.join(answers))}"


def _sketches(texts: Iterable[str]) -> list[Hashes]:
    """The runs of each text that are no boilerplate, as a sketch."""
    whole = [_sketch(_runs(text.split())) for text in texts]
    if not whole:
        return []
    runs, counts = np.unique(np.concatenate(whole), return_counts=True)
    common = runs[counts > max(FEW, SHARE * len(whole))]
    if not len(common):
        return whole
    return [sketch[~np.isin(sketch, common)] for sketch in whole]


def _runs(words: list[str]) -> list[str]:
    """Three words after one another; a shorter text is one run."""
    found = [" ".join(run) for run in zip(words, words[1:], words[2:], strict=False)]
    return found or [" ".join(words)]


def _sketch(parts: Iterable[str]) -> Hashes:
    hashes = {zlib.crc32(part.encode(errors="replace")) for part in parts}
    return np.array(sorted(hashes)[:SKETCH], dtype=np.uint32)


def _candidates(keys: list[str], runs: list[Hashes]) -> Iterable[tuple[int, int]]:
    """Pairs that share a band of their signatures; the order of the texts changes nothing."""
    from datasketch import MinHash  # it brings scipy, and few processes compare texts

    known = [n for n, sketch in enumerate(runs) if len(sketch)]
    signed: list[Any] = MinHash.bulk(
        [runs[n].tolist() for n in known], num_perm=BANDS * BAND, hashfunc=int
    )
    signatures = np.array([one.hashvalues for one in signed]).reshape(len(known), BANDS * BAND)
    for start in range(0, BANDS * BAND, BAND):
        for places in _together(signatures[:, start : start + BAND]):
            members = sorted((known[place] for place in places), key=keys.__getitem__)
            for place, a in enumerate(members):
                yield from ((a, b) for b in members[place + 1 : place + 1 + WINDOW])


def _together(band: NDArray[Any]) -> Iterable[list[int]]:
    """The numbers of the lines of a band that are equal, for each that is there more than once."""
    order = np.lexsort(band.T)
    new = np.any(np.diff(band[order], axis=0) != 0, axis=1)
    for same in np.split(order, np.flatnonzero(new) + 1):
        if len(same) > 1:
            yield same.tolist()


def _shared(a: Hashes, b: Hashes) -> float:
    """The Jaccard similarity of two sets, 1 for two empty ones, estimated from their sketches."""
    union = np.union1d(a, b)[:SKETCH]
    if not len(union):
        return 1.0
    both = np.intersect1d(a, b, assume_unique=True)
    return float(np.isin(union, both, assume_unique=True).mean())


def _parts(text: str) -> tuple[set[str], ...]:
    """The words a question begins with and ends with, and those of the answer."""
    asked, _, answered = text.partition("\n")
    words = asked.split()
    return set(words[:ENDS]), set(words[-ENDS:]), set(answered.split())


def _half_shared(a: set[str], b: set[str]) -> bool:
    return len(a & b) >= PART_NEAR * len(a | b)
