"""Answers that are to be JSON: valid at all, equal to a reference, or as a schema says.

The whole answer must be JSON: a fence of backticks or a word around it would break the program
that reads it. NaN and Infinity are no JSON.
"""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from statistics import fmean
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for

from engine.core.errors import UserError
from engine.core.score import Scores, described
from engine.metrics import schema_process
from engine.metrics.input_check import References, check

Metric = Callable[[Sequence[str], References], Scores]


@described(
    "Valid JSON",
    "json",
    "The share of answers that are JSON from beginning to end. It does not look at the reference.",
)
def json_valid(predictions: Sequence[str], references: References) -> Scores:
    """The share of answers that are valid JSON; references are not looked at. Source: RFC 8259."""
    check(predictions, references)
    each = tuple(float(_parsed(text) is not None) for text in predictions)
    return Scores(overall=fmean(each), each=each, signature="json_valid|whole answer|rfc8259")


@described(
    "Same JSON",
    "json",
    "The share of answers that say the same as the reference, read as JSON; spacing and the "
    "order of names do not count.",
)
def json_match(predictions: Sequence[str], references: References) -> Scores:
    """The share of answers that say the same as one of their references, read as JSON.

    Spacing and the order of keys do not count, the order of lists does; 1.0 is 1, true is not 1.
    Answers and references that are no JSON match nothing.
    """
    check(predictions, references)
    each = tuple(
        float(any(_same(_parsed(prediction), _parsed(text)) for text in accepted))
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    return Scores(overall=fmean(each), each=each, signature="json_match|keys in any order|refs:any")


@described(
    "JSON as the schema says",
    "json",
    "The share of answers that are JSON and keep to the schema you gave.",
)
def json_schema(argument: str) -> Metric:
    """A metric: the share of answers that are JSON as the schema in `argument` says.

    Nothing outside the schema is fetched. UserError when it is no JSON Schema, and where an answer
    takes it more than 5 processor seconds. Source: the draft that `$schema` names, else 2020-12.
    """
    schema = _schema(argument)

    def metric(predictions: Sequence[str], references: References) -> Scores:
        check(predictions, references)
        each = tuple(map(float, schema_process.valid(schema, predictions)))
        return Scores(overall=fmean(each), each=each, signature=f"json_schema|{argument}")

    return metric


def _schema(argument: str) -> Any:
    fix = 'Write for example json_schema:{"type": "object", "required": ["name"]}.'
    try:
        schema = json.loads(argument)
        kind = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
    except (ValueError, RecursionError):
        raise UserError("The metric json_schema needs a JSON Schema.", fix) from None
    except (SchemaError, TypeError, AttributeError):
        raise UserError("The text after json_schema: is no JSON Schema.", fix) from None
    return schema


def _parsed(text: str) -> tuple[Any] | None:
    """The value in a tuple of one, since null is a value too; None for what is no JSON."""
    try:
        exact = {"parse_float": Decimal, "parse_int": Decimal, "parse_constant": _refuse}
        return (json.loads(text, **exact),)  # type: ignore[arg-type]
    except (ValueError, RecursionError, InvalidOperation):
        return None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _same(a: tuple[Any] | None, b: tuple[Any] | None) -> bool:
    try:
        return a is not None and b is not None and _equal(a[0], b[0])
    except RecursionError:  # nested deeper than any answer that is meant to be read
        return False


def _equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)
