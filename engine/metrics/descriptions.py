"""What each metric is called and measures, read from the metric itself, ours or installed."""

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from engine import plugins
from engine.core.score import MetricGroup


class MetricAbout(NamedTuple):
    """A metric's usual spelling, one sentence on what it measures, and the answers it suits."""

    title: str
    summary: str
    group: MetricGroup


@cache
def about(kind: str) -> MetricAbout | None:
    """Of a metric, or of a factory of metrics; None where no such metric is installed (any more).

    An installed one without TITLE goes by its name, and by the first line of its docstring.
    """
    for family in ("metrics", "metric_factories"):
        if kind in plugins.names(family):
            return _read(kind, plugins.load(family, kind))
    return None


def title(name: str) -> str:
    """The usual spelling of "name" or "name:argument"; an argument that names a model stays."""
    kind, _, argument = name.partition(":")
    known = about(kind)
    spelled = known.title if known else kind.replace("_", " ")
    is_another_measure = argument and (kind in _offering() or kind in plugins.names("metrics"))
    return f"{spelled} ({argument})" if is_another_measure else spelled


def offered() -> list[str]:
    """Names of all metrics that can be asked for here, those that factories offer at the end.

    Options that are asked for often stand behind their metric.
    """
    ours = [
        each
        for name in plugins.names("metrics")
        for each in (name, *(f"{name}:{with_}" for with_ in _often(name)))
    ]
    made = [
        name for kind in _offering() for name in plugins.load("metric_factories", kind).offered()
    ]
    return [*ours, *made]


def _often(name: str) -> tuple[str, ...]:
    offered: tuple[str, ...] = getattr(plugins.load("metrics", name), "OFFERED", ())
    return offered


def missing(group: MetricGroup) -> str:
    """How to install what a factory of this group needs, where it offers nothing; else nothing."""
    factories = [plugins.load("metric_factories", kind) for kind in _offering()]
    here = [one for one in factories if group == one.GROUP]
    return " ".join(one.MISSING for one in here if not one.offered())


def guards_last(names: Iterable[str]) -> list[str]:
    """Each name once, guards after the others: the first is the one people read first."""
    return sorted(dict.fromkeys(names), key=_is_guard)


def _is_guard(name: str) -> bool:
    known = about(name.partition(":")[0])
    return known is not None and known.group == "guard"


def _read(name: str, metric: Any) -> MetricAbout:
    first_line = (metric.__doc__ or "").strip().partition("\n")[0]
    return MetricAbout(
        title=getattr(metric, "TITLE", name.replace("_", " ")),
        summary=getattr(metric, "SUMMARY", first_line),
        group=getattr(metric, "GROUP", "installed"),
    )


def _offering() -> list[str]:
    """Factories whose metrics can be listed, such as one for each model that is installed."""
    kinds = plugins.names("metric_factories")
    return [kind for kind in kinds if hasattr(plugins.load("metric_factories", kind), "offered")]
