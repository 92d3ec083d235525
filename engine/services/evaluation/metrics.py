"""The metrics that a person can choose from, in groups by the answers they suit."""

from typing import NamedTuple

from engine.core.evaluation import Evaluation
from engine.core.score import MetricGroup
from engine.metrics import descriptions
from engine.metrics.score import equal_in_squad

GROUPS: dict[MetricGroup, tuple[str, str]] = {
    "labels": ("Labels", "The answer is one of a few fixed words"),
    "short": ("Numbers and short answers", "There is one right answer, a number or a few words"),
    "json": ("JSON", "Another program reads the answer"),
    "text": ("Texts", "Many answers are acceptable; these count shared words"),
    "meaning": ("Meaning", "Synonyms count too; slow without a GPU"),
    "guard": ("Guards", "They show damage that a training may do"),
    "installed": ("Installed", "From other packages"),
}


class OfferedMetrics(NamedTuple):
    """A group: its title, one line about it (or what it needs), and the names of its metrics."""

    group: MetricGroup
    title: str
    about: str
    names: tuple[str, ...]


def offered() -> list[OfferedMetrics]:
    """Every group in its order, also one that offers nothing here; installed ones where any are."""
    names = descriptions.offered()
    found = []
    for group, (title, about) in GROUPS.items():
        mine = tuple(name for name in names if _group(name) == group)
        if mine or group != "installed":
            found.append(OfferedMetrics(group, title, descriptions.missing(group) or about, mine))
    return found


def title(name: str) -> str:
    """The usual spelling of a metric's name."""
    return descriptions.title(name)


def summary(name: str) -> str:
    """What a metric measures, in a sentence or two; empty where it is not installed any more."""
    known = descriptions.about(name.partition(":")[0])
    return known.summary if known else ""


def squad_twins(evaluation: Evaluation) -> tuple[str, str] | None:
    """Two different references that SQuAD's rules take as equal; None where that moves no score."""
    if not any(name.startswith("squad_") for name in evaluation.metrics):
        return None
    return equal_in_squad([row.references for row in evaluation.rows])


def is_known(name: str) -> bool:
    """Whether a metric of this name is installed."""
    return descriptions.about(name.partition(":")[0]) is not None


def guards_last(names: list[str]) -> list[str]:
    """Each name once, guards after the others: the first is the one people read first."""
    return descriptions.guards_last(names)


def _group(name: str) -> MetricGroup:
    known = descriptions.about(name.partition(":")[0])
    return known.group if known else "installed"
