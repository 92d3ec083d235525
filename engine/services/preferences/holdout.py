"""What judges models and so must never train one: questions, and the texts they are judged by.

A question is held out where a dataset holds it out or a blind round asks it, in any spelling,
and so is every question that says nearly the same. A text of eight words or more is held out
too, unless training rows have it as well and so there is nothing left to learn from it.
"""

import hashlib
from array import array
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset
from engine.core.examples import Chat, Example, Message, Prompt, prompt_of
from engine.core.near_duplicates import families as near_families
from engine.core.near_duplicates import plain_words
from engine.core.normalise import question_key
from engine.core.rating import Round
from engine.services import access
from engine.services.data import datasets
from engine.services.preferences.judgements import question
from engine.store import rounds
from engine.store.connect import reading
from engine.store.json_columns import to_json
from engine.workspace import Workspace

Marks = NDArray[np.uint64]
NO_MARKS = np.array([], np.uint64)
LONG = 8  # words; shorter texts are said by chance


class Holdout(NamedTuple):
    """`questions` by their key without system messages; `texts` as plain words, LONG or more."""

    questions: dict[str, tuple[Message, ...]]
    texts: frozenset[str]

    @property
    def sha256(self) -> str:
        """The same for the same questions and texts in any order."""
        content = to_json([sorted(self.questions), sorted(self.texts)])
        return hashlib.sha256(content.encode()).hexdigest()


class _Part(NamedTuple):
    """What one dataset version or blind round adds; neither ever changes."""

    questions: dict[str, tuple[Message, ...]]
    texts: frozenset[str]
    taught: Marks = NO_MARKS  # of the texts of training rows


_PARTS: OrderedDict[tuple[str, str], _Part] = OrderedDict()  # by database and id, newest use last
MOST_PARTS = 128


def of_project(ws: Workspace, actor: Actor, project_id: str) -> Holdout:
    """All that tests of the project ask, and the answers they accept.

    Each dataset version and each blind round is read once in a process.
    """
    parts = [
        _once(ws, each.id, partial(_of_dataset, ws, each))
        for each in datasets.list_all(ws, actor, project_id)
        if each.kind in ("sft", "prompts")
    ]
    parts += _of_blind_rounds(ws, project_id)
    return _together(parts)


def of_blind_rounds(ws: Workspace, actor: Actor, project_id: str) -> Holdout:
    """What blind rounds of the project ask, also where their answers are not written yet."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        blind = [each for each in rounds.list_all(conn, project_id) if each.blind]
    known = {each.id: each for each in datasets.list_all(ws, actor, project_id)}
    planned = [_planned(ws, known[one.plan.dataset], one) for one in blind
               if one.plan.dataset in known]  # fmt: skip
    return _together([*_of_blind_rounds(ws, project_id), *planned])


def _planned(ws: Workspace, dataset: Dataset, rating_round: Round) -> _Part:
    """The questions that a round was planned with, shown to raters or not."""
    wanted = set(rating_round.plan.rows)
    asked = (
        prompt_of(row.example) for row in datasets.each_row(ws, dataset) if row.index in wanted
    )
    return _Part({question_key(prompt): prompt for prompt in asked}, frozenset())


def _of_blind_rounds(ws: Workspace, project_id: str) -> list[_Part]:
    parts = []
    with reading(ws.db) as conn:
        blind = [each for each in rounds.list_all(conn, project_id) if each.blind]
        for each in blind:
            read = partial(_of_round, conn, each.id)
            # comparisons come all at once, when the round opens
            parts.append(read() if each.status == "preparing" else _once(ws, each.id, read))
    return parts


def _together(parts: Sequence[_Part]) -> Holdout:
    questions: dict[str, tuple[Message, ...]] = {}
    for part in parts:
        questions |= {key: asked for key, asked in part.questions.items() if key not in questions}
    texts = frozenset().union(*(part.texts for part in parts))
    taught = np.concatenate([NO_MARKS, *(part.taught for part in parts)])
    texts = _without(texts, taught)
    last = (plain_words(prompt[-1].content) for prompt in questions.values() if prompt)
    return Holdout(questions, frozenset(t for t in {*texts, *last} if len(t.split()) >= LONG))


def _once(ws: Workspace, name: str, read: Callable[[], _Part]) -> _Part:
    key = (str(ws.db.url), name)
    part = _PARTS.get(key) or read()
    _PARTS[key] = part
    _PARTS.move_to_end(key)
    while len(_PARTS) > MOST_PARTS:
        _PARTS.popitem(last=False)
    return part


def _of_dataset(ws: Workspace, dataset: Dataset) -> _Part:
    questions: dict[str, tuple[Message, ...]] = {}
    texts: set[str] = set()
    taught = array("Q")
    for row in datasets.each_row(ws, dataset):
        answers = map(plain_words, _answers(row.example))
        if row.split == "train":
            taught.extend(map(_mark, answers))
            continue
        prompt = prompt_of(row.example)
        questions.setdefault(question_key(prompt), prompt)
        texts.update(answers)
    return _Part(questions, frozenset(texts), np.unique(np.array(taught, np.uint64)))


def _of_round(conn: Connection, round_id: str) -> _Part:
    questions: dict[str, tuple[Message, ...]] = {}
    texts: set[str] = set()
    for pair in rounds.comparisons(conn, round_id):
        if not pair.prompt:
            continue  # of a file that holds votes alone
        questions.setdefault(question_key(pair.prompt), pair.prompt)
        texts.update(map(plain_words, pair.references))
    return _Part(questions, frozenset(texts))


def _without(texts: frozenset[str], taught: Marks) -> frozenset[str]:
    """The texts that no training row has."""
    found = list(texts)
    known = np.isin(np.fromiter(map(_mark, found), np.uint64), taught)
    return frozenset(text for text, learned in zip(found, known, strict=True) if not learned)


def _mark(text: str) -> int:
    """What stands for a text; training rows may be a million."""
    digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def _answers(example: Example) -> tuple[str, ...]:
    match example:
        case Chat():
            return example.accepted
        case Prompt():
            return example.references
    return ()


def families(
    prompts: Iterable[tuple[Message, ...]], holdout: Holdout
) -> tuple[dict[str, str], set[str]]:
    """Of each question its family, and the families that hold a question that is held out.

    A family is prompts that say nearly the same, directly or through others; its name is the
    hash of its first question. Beyond 50,000 prompts only equal questions are a family.
    """
    asked = {question(prompt): prompt for prompt in prompts}
    shapes = {question_key(p): p for p in [*asked.values(), *holdout.questions.values()]}
    keys = sorted(shapes)
    close = near_families([_bare(shapes[key]) for key in keys])
    name_of: dict[str, str] = {}
    blocked = set()
    for members in close:
        name = hashlib.sha256(keys[members[0]].encode()).hexdigest()[:16]
        name_of.update((keys[n], name) for n in members)
        if any(keys[n] in holdout.questions for n in members):
            blocked.add(name)
    return {key: name_of[question_key(prompt)] for key, prompt in asked.items()}, blocked


def _bare(prompt: Sequence[Message]) -> Prompt:
    return Prompt(prompt=tuple(turn for turn in prompt if turn.role != "system"))


class Finder:
    """Says whether a text holds one of the texts held out, whole and word for word."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.by_start: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
        for text in texts:
            words = plain_words(text).split()
            self.by_start[tuple(words[:LONG])].append(words)

    def holds(self, text: str) -> bool:
        words = plain_words(text).split()
        return any(
            words[start : start + len(wanted)] == wanted
            for start in range(len(words) - LONG + 1)
            for wanted in self.by_start.get(tuple(words[start : start + LONG]), ())
        )
