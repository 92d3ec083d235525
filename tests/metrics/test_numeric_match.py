import re
from fractions import Fraction

import pytest

from engine.metrics.numeric_match import number, numeric_match
from tests.cpu import cpu_seconds_below
from tests.metrics.pairs import NUMBER_PAIRS


@pytest.mark.parametrize(("prediction", "accepted", "expected"), NUMBER_PAIRS)
def test_numbers_match_as_stated(prediction, accepted, expected):
    with cpu_seconds_below(2):
        assert numeric_match([prediction], [accepted]).each == (expected,)


def test_answers_of_gsm8k_get_the_number_of_its_own_script():
    texts = [f"work 12*{n}\n#### {n * 1234 - 50_000:,}" for n in range(60)]
    for text in texts:
        theirs = re.search(r"#### (\-?[0-9\.\,]+)", text).group(1).replace(",", "")
        assert number(text) == Fraction(theirs)
