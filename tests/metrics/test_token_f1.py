import pytest

from engine.metrics.squad import squad_f1
from engine.metrics.token_f1 import token_f1
from tests.metrics.pairs import LONG_PAIRS


def test_token_f1_values_worked_by_hand():
    scores = token_f1(["the red cat", "", "天气好"], [["a cat"], [""], ["天气很好"]])
    assert scores.each == pytest.approx((2 / 3, 0, 6 / 7))


def test_token_f1_of_prose_is_the_published_figure():
    predictions, references = zip(*LONG_PAIRS, strict=True)
    assert token_f1(predictions, references).each == pytest.approx(
        squad_f1(predictions, references).each, abs=0.05
    )


@pytest.mark.parametrize(
    ("prediction", "reference"), [("", "A"), ("5", "-5"), ("15", "1.5"), ("C", "C++")]
)
def test_token_f1_tells_labels_signs_and_symbols_apart(prediction, reference):
    assert token_f1([prediction], [[reference]]).overall == 0
    assert token_f1([reference], [[reference]]).overall == 1


def test_token_f1_takes_unicode_forms_and_quotes_as_equal():
    assert token_f1(["don\u2019t eat cafe\u0301"], [["don't eat caf\u00e9"]]).overall == 1
