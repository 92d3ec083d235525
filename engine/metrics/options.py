"""Options of a metric, written behind its name: `chrf:word_order=2+beta=3`, `rougeL:stemmer`."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.core.errors import UserError, quoted

Options = TypeVar("Options", bound="MetricOptions")
Made = TypeVar("Made", bound=Callable[..., Any])


class MetricOptions(BaseModel):
    """The options of a metric, under the names of its reference library."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def words(self) -> str:
        """The options that differ from the usual ones, as they are written; empty for none."""
        changed = self.model_dump(exclude_defaults=True)
        return "+".join(
            name if value is True else f"{name}={value}" for name, value in changed.items()
        )


def read(metric: str, known: type[Options], argument: str) -> Options:
    """`argument` as options: NAME=VALUE joined by +, NAME alone for yes; UserError otherwise."""
    values: dict[str, Any] = {}
    for part in filter(None, argument.split("+")):
        name, found, value = part.partition("=")
        values[name.strip()] = value.strip() if found else True
    try:
        return known.model_validate(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = ".".join(map(str, wrong["loc"]))
        raise UserError(
            f"{metric} does not take {name}={quoted(wrong['input'])}."
            if name in known.model_fields
            else f"{metric} has no option {name!r}.",
            f"Its options: {_offered(known.model_fields)}.",
        ) from None


def optional(make: Callable[[str], Any], offered: tuple[str, ...] = ()) -> Callable[[Made], Made]:
    """Mark a metric as one that takes options: `make(argument)` is the metric with them.

    `offered` are the options that the page lists beside the metric itself.
    """

    def mark(metric: Made) -> Made:
        vars(metric).update(with_options=make, OFFERED=offered)
        return metric

    return mark


def _offered(fields: Mapping[str, Any]) -> str:
    return ", ".join(fields)
