"""Pairs of one question as choice sets: an answer, and all those that it was found better than.

The likelihood of a ranking by Plackett and Luce is a product of choices: the best of all answers,
then the best of the rest, and so on. Each is one set here, so a whole ranking without ties gives
exactly its likelihood, and a single pair that of Bradley and Terry. Ties leave sets without the
answers of the same rank (each of them is chosen from itself and what is below), and pairs that a
rule left out leave smaller sets.
"""

from collections import defaultdict
from math import fsum

from engine.methods.training_rows import WEIGHT, Columns, EncodedDataset

SET = "rejected_sets"  # the column of the answers that the chosen one was better than


def of_both(encoded: EncodedDataset) -> EncodedDataset:
    """The pairs of both splits as choice sets."""
    return encoded._replace(train=of_pairs(encoded.train), held_out=of_pairs(encoded.held_out))


def of_pairs(rows: list[Columns]) -> list[Columns]:
    """A row for each chosen answer of a question, in the order of the first pair of each.

    The sets of one question share the weight of its pairs equally: one ranking weighs 1, however
    many answers it has. A set has the tokens of an answer once.
    """
    sets: dict[tuple[tuple[int, ...], tuple[int, ...]], list[Columns]] = defaultdict(list)
    for row in rows:
        sets[_tokens(row["prompt_ids"]), _tokens(row["chosen_ids"])].append(row)
    weights: dict[tuple[int, ...], list[float]] = defaultdict(list)
    for (prompt, _), pairs in sets.items():
        weights[prompt].append(fsum(_weight(pair) for pair in pairs))
    found = []
    for (prompt, _), pairs in sets.items():
        beaten = list(dict.fromkeys(_tokens(pair["rejected_ids"]) for pair in pairs))
        share = fsum(weights[prompt]) / len(weights[prompt])
        found.append(_row(pairs, beaten, share))
    return found


def remark(rows: list[Columns]) -> str:
    """How many answers the sets hold."""
    beaten = [len(_set(row)) for row in rows]
    longer = sum(number > 1 for number in beaten)
    return f"{sum(beaten)} pairs are {len(rows)} choices, {longer} of them among three or more."


def _row(pairs: list[Columns], beaten: list[tuple[int, ...]], weight: float) -> Columns:
    first = pairs[0]
    found: Columns = {
        "prompt_ids": first["prompt_ids"],
        "chosen_ids": first["chosen_ids"],
        SET: [list(each) for each in beaten],
        "length": max(_number(pair["length"]) for pair in pairs),
    }
    if weight != 1:
        found[WEIGHT] = weight
    return found


def _weight(row: Columns) -> float:
    found = row.get(WEIGHT, 1.0)
    assert isinstance(found, float | int)
    return float(found)


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _tokens(value: object) -> tuple[int, ...]:
    assert isinstance(value, list)
    return tuple(value)


def _set(row: Columns) -> list[list[int]]:
    found = row[SET]
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, list)]
