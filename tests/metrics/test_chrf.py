import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics import CHRF

from engine.metrics.chrf import chrf, from_parts
from tests.metrics.pairs import LATIN_PAIRS, LONG_PAIRS, OTHER_PAIRS, UNICODE_PAIRS

PAIRS = LATIN_PAIRS + OTHER_PAIRS + UNICODE_PAIRS + LONG_PAIRS


def test_each_sentence_equals_sacrebleu():
    each = chrf(*zip(*PAIRS, strict=True)).each
    for (prediction, accepted), ours in zip(PAIRS, each, strict=True):
        theirs = sacrebleu.sentence_chrf(prediction, accepted).score
        assert ours == pytest.approx(theirs / 100, abs=1e-6)


@pytest.mark.parametrize("pairs", [LATIN_PAIRS, OTHER_PAIRS, LATIN_PAIRS[:26], UNICODE_PAIRS])
def test_corpus_and_its_signature_are_sacrebleus(pairs):
    predictions, references = zip(*pairs, strict=True)
    width = max(map(len, references))
    streams = [[row[k] if k < len(row) else None for row in references] for k in range(width)]
    metric = CHRF()
    theirs = metric.corpus_score(predictions, streams).score
    ours = chrf(predictions, references)
    assert ours.overall == pytest.approx(theirs / 100, abs=1e-6)
    assert ours.signature == f"chrF2|{metric.get_signature()}"


def test_sum_of_the_parts_is_the_corpus():
    scores = chrf(*zip(*PAIRS, strict=True))
    assert from_parts(np.sum(scores.parts, axis=0)) == pytest.approx(scores.overall, abs=1e-12)
    assert chrf.from_parts is from_parts
