"""Judgements that take each other back."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from engine.checks.parts import finding
from engine.core.examples import Example, Preference, Unpaired
from engine.core.finding import Finding
from engine.core.normal import normal, prompt_key


def check(examples: Sequence[Example]) -> list[Finding]:
    """Pairs of which another row prefers the other answer, and answers both liked and disliked."""
    sides: dict[Hashable, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        for subject, verdict in _verdicts(example):
            sides[subject][verdict].append(example.source_row)
    rows = [n for found in sides.values() if len(found) > 1 for ns in found.values() for n in ns]
    return finding(
        "contradictory_pairs",
        "warning",
        rows,
        "contradicting another row about the same answers to the same prompt",
        "Keep the judgement of the majority.",
    )


def _verdicts(example: Example) -> Iterator[tuple[Hashable, Hashable]]:
    """What is judged, and how: at most one of each, none for an example that judges nothing."""
    if isinstance(example, Preference):
        chosen, rejected = normal(example.chosen), normal(example.rejected)
        if chosen != rejected:
            yield (prompt_key(example), frozenset({chosen, rejected})), chosen
    elif isinstance(example, Unpaired):
        yield (prompt_key(example), normal(example.completion)), example.label
