"""Whether an answer ends in the right number."""

import re
from collections.abc import Sequence
from fractions import Fraction
from statistics import fmean

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check

MARK = "####"
NUMBER = re.compile(
    r"(?P<sign>(?<![0-9A-Za-z)])[-\N{MINUS SIGN}])?"
    r"(?P<over>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)"
    r"(?:\s?/\s?(?P<under>\d+(?:\.\d+)?))?"
)


@described(
    "Number match",
    "short",
    "The share of answers that end in the right number: 1,000 is 1000, and 3/4 is 0.75.",
)
def numeric_match(predictions: Sequence[str], references: References) -> Scores:
    """The share of answers whose number equals that of one of their references.

    A text's number is the first after its last `####`, else the last one in it. Commas between
    groups of three digits do not count (1,000 is 1000), 3.50 is 3.5, 3/4 is 0.75, and currency and
    percent signs are left out: 50 % is 50. A text without a number matches none. Source: the mark
    is that of GSM8K, Cobbe et al. 2021, arXiv:2110.14168.
    """
    check(predictions, references)
    each = tuple(
        float(_matches(number(prediction), accepted))
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    signature = "numeric_match|last number or after ####|refs:any|percent:ignored"
    return Scores(overall=fmean(each), each=each, signature=signature)


def number(text: str) -> Fraction | None:
    """The number that a text ends in; None where there is none."""
    _, mark, after = text.rpartition(MARK)
    found = NUMBER.search(after) if mark else None
    if found is None:
        for found in NUMBER.finditer(text):  # noqa: B007  (the last one is wanted)
            pass
    return _value(found) if found else None


def _value(found: re.Match[str]) -> Fraction | None:
    try:
        value = Fraction(found["over"].replace(",", "")) / Fraction(found["under"] or 1)
    except (ValueError, ZeroDivisionError):  # thousands of digits; a division by zero
        return None
    return -value if found["sign"] else value


def _matches(wanted: Fraction | None, accepted: Sequence[str]) -> bool:
    return wanted is not None and any(number(text) == wanted for text in accepted)
