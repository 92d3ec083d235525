"""What kind of answers a dataset asks for, and which metrics suit them."""

import json
import re
from collections.abc import Callable, Sequence
from statistics import median
from typing import Literal, NamedTuple

from engine.core.actor import Actor, Role
from engine.core.dataset import Split
from engine.core.examples import Chat, Example, Prompt
from engine.core.normalise import normal
from engine.services.data import datasets
from engine.stats.confusion import label
from engine.workspace import Workspace

TaskKind = Literal["labels", "numbers", "json", "text", "nothing"]

MOST_READ = 500  # rows that tell the task
MOST_SHARE = 0.9  # of the references, that are of one kind
FEWEST_EACH = 3  # rows a label, on average: fewer are answers that happen to repeat
LONGEST_LABEL = 60  # characters
SHORT_WORDS = 5  # of a reference: up to here single words decide
NUMBER = re.compile(r"[^\w\s]?\s?[-\N{MINUS SIGN}]?[\d][\d.,/]*\s?\w{0,12}[.%]?")
MARKED = re.compile(r"####\s*\S*\d")


class Task(NamedTuple):
    """`metrics` in the order to show them; `message` says in a sentence why these."""

    kind: TaskKind
    metrics: tuple[str, ...]
    message: str


TASKS: dict[TaskKind, Task] = {
    "labels": Task("labels", ("accuracy", "macro_f1"),
                   "The references are a few fixed labels, so accuracy comes first."),
    "numbers": Task("numbers", ("numeric_match", "exact_match"),
                    "The references are numbers, so the number at the end of an answer counts."),
    "json": Task("json", ("json_match", "json_valid"),
                 "The references are JSON, so content counts and spacing does not."),
    "text": Task("text", ("rougeL", "bleu", "chrf", "meteor"),
                 "The references are texts, so shared words count."),
    "nothing": Task("nothing", (), "None of these rows has a reference answer to compare with."),
}  # fmt: skip
SHORT = Task("text", ("token_f1", "exact_match", "chrf"),
             "The references are a few words each, so shared words count.")  # fmt: skip


def guess(ws: Workspace, actor: Actor, dataset_id: str, split: Split | None = "held_out") -> Task:
    """The task of the rows that an evaluation would ask."""
    actor.require(Role.TRAINER)
    rows = datasets.rows(ws, actor, dataset_id, split, MOST_READ)
    found = [references(row.example) for row in rows]
    return of([each for each in found if each])


def references(example: Example) -> tuple[str, ...]:
    """The accepted answers of a row; none where it is no question with an answer."""
    if isinstance(example, Chat):
        return example.accepted
    return example.references if isinstance(example, Prompt) else ()


def of(accepted: Sequence[Sequence[str]]) -> Task:
    """The task that these accepted answers, one or more a row, belong to."""
    first = [each[0].strip() for each in accepted]
    if not first:
        return TASKS["nothing"]
    if _share(first, _is_json):
        return TASKS["json"]
    if _share(first, _is_number):
        return TASKS["numbers"]
    if _are_labels(first):
        return TASKS["labels"]
    return SHORT if median(len(text.split()) for text in first) <= SHORT_WORDS else TASKS["text"]


def _share(texts: Sequence[str], is_one: Callable[[str], bool]) -> bool:
    return sum(map(is_one, texts)) >= MOST_SHARE * len(texts)


def _is_json(text: str) -> bool:
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_number(text: str) -> bool:
    return bool(NUMBER.fullmatch(text) or MARKED.search(text))


def _are_labels(texts: Sequence[str]) -> bool:
    kinds = {label(text) for text in texts}
    longest = max(len(normal(text)) for text in texts)
    return longest <= LONGEST_LABEL and len(kinds) * FEWEST_EACH <= len(texts)
