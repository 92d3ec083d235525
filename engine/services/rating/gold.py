"""How gold and practice items are made: pairs with a known answer (their share: plans.py).

One answer is a reference; the other answers another question, or says next to nothing. They are
part of the frozen plan, so their answers are known before anybody votes.
"""

import random
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.examples import Chat, Preference, Prompt, prompt_of
from engine.core.normalise import normal
from engine.core.rating import GoldItem
from engine.formats.read import read_file

FEWEST_REFERENCES = 2  # an answer to one question is off-topic for another
EMPTY_ISH = ("I don't know.", "Yes.", "...", "Sorry, I can't say.")
OFF_TOPIC = "One answer is about something else than the question."
EMPTY_ANSWER = "One answer says next to nothing; the other answers the question."
GIVEN = "The creator of the round marked this answer as better."
MOST = 20_000  # rows with a known answer that are taken into account
MOST_BYTES = 4 * 1024**2  # of a file of pairs, whose rows are held here
ALIKE = 0.5  # share of words: two answers this much alike are no off-topic pair


def from_rows(rows: Iterable[Row], wanted: int, avoided: set[int], seed: int) -> list[GoldItem]:
    """`wanted` gold items from answers in a dataset, off-topic and empty ones in turn.

    Rows in `avoided`, whose questions the round asks, come last. UserError where the dataset holds
    too few answers.
    """
    known = list(islice(((row, right) for row in rows if (right := _reference(row))), MOST))
    if len(known) < max(FEWEST_REFERENCES, wanted):
        raise UserError(
            f"Gold items need {max(FEWEST_REFERENCES, wanted)} questions with a known answer; "
            f"this dataset has {len(known)}.",
            "Choose a dataset of chats, give the pairs in a file, or ask for fewer.",
        )
    rng = random.Random(f"gold {seed}")
    rng.shuffle(known)
    known.sort(key=lambda each: each[0].index in avoided)
    return [_made(known, n, rng) for n in range(wanted)]


def from_file(path: Path, name: str) -> list[GoldItem]:
    """The gold items of a preference file of up to 4 MB: its chosen answers are right."""
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise UserError(
            f"{name} is larger than {MOST_BYTES // 1024**2} MB.",
            "Give the pairs that you want as gold items, some hundred at most.",
        )
    parsed = read_file(path, name)
    pairs = [
        GoldItem(prompt=each.prompt, right=each.chosen, wrong=each.rejected, reason=GIVEN)
        for each in parsed.examples
        if isinstance(each, Preference) and each.chosen.strip()
        and normal(each.chosen) != normal(each.rejected)
    ]  # fmt: skip
    if not pairs:
        raise UserError(
            f"{name} holds no pair of a better and a worse answer.",
            "Give JSON lines with prompt, chosen and rejected.",
        )
    return pairs


def _made(known: list[tuple[Row, str]], n: int, rng: random.Random) -> GoldItem:
    row, right = known[n]
    others = [other for each, other in known if each is not row and not _alike(other, right)]
    off_topic = bool(others) and n % 3 != 2
    wrong = rng.choice(others) if off_topic else rng.choice(EMPTY_ISH)
    reason = OFF_TOPIC if off_topic else EMPTY_ANSWER
    return GoldItem(prompt=prompt_of(row.example), right=right, wrong=wrong, reason=reason)


def _reference(row: Row) -> str:
    """An accepted answer of some length, or nothing: "Yes." may be right and look empty."""
    example = row.example
    if isinstance(example, Chat):
        accepted: tuple[str, ...] = example.accepted
    elif isinstance(example, Prompt):
        accepted = example.references
    else:
        return ""
    right = accepted[0] if accepted else ""
    return right if len(right.split()) > 1 else ""


def _alike(one: str, other: str) -> bool:
    first, second = set(normal(one).split()), set(normal(other).split())
    return len(first & second) > ALIKE * max(1, min(len(first), len(second)))
