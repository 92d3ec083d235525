"""Judgements that take each other back."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence

from engine.checks.shared import finding
from engine.core.examples import Example, Preference, Unpaired
from engine.core.finding import Finding
from engine.core.normalise import normal, prompt_key


def check(examples: Sequence[Example]) -> list[Finding]:
    """Pairs of which another row prefers the other answer, and answers both liked and disliked."""
    rows = [examples[n].source_row for _, judged in _disputes(examples) for n in judged]
    return finding(
        "contradictory_pairs",
        "warning",
        rows,
        "contradicting another row about the same answers to the same prompt",
        "Keep the judgement of the majority.",
        fix_id="drop_contradictory_pairs",
    )


def drop(examples: Sequence[Example]) -> list[Example]:
    """Keeps the judgement of the majority; where there is none, removes all that contradict."""
    outvoted: set[int] = set()
    for verdicts, judged in _disputes(examples):
        (best, most), *others = Counter(verdicts).most_common()
        won = best if most > others[0][1] else None
        outvoted.update(n for n, v in zip(judged, verdicts, strict=True) if won is None or v != won)
    return [e for n, e in enumerate(examples) if n not in outvoted]


def _disputes(examples: Sequence[Example]) -> list[tuple[list[Hashable], list[int]]]:
    """Of each thing judged in more than one way: the verdicts, and the examples that gave them."""
    found: dict[Hashable, tuple[list[Hashable], list[int]]] = defaultdict(lambda: ([], []))
    for n, example in enumerate(examples):
        for subject, verdict in _verdicts(example):
            found[subject][0].append(verdict)
            found[subject][1].append(n)
    return [(verdicts, judged) for verdicts, judged in found.values() if len(set(verdicts)) > 1]


def _verdicts(example: Example) -> Iterator[tuple[Hashable, Hashable]]:
    """What is judged, and how: at most one of each, none for an example that judges nothing."""
    if isinstance(example, Preference):
        chosen, rejected = normal(example.chosen), normal(example.rejected)
        if chosen != rejected:
            yield (prompt_key(example), frozenset({chosen, rejected})), chosen
    elif isinstance(example, Unpaired):
        yield (prompt_key(example), normal(example.completion)), example.label
