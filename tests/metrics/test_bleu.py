import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics import BLEU

from engine.core.errors import UserError
from engine.metrics.bleu import bleu, from_parts
from engine.metrics.scripts import bleu_tokenizer
from tests.metrics.pairs import LATIN_PAIRS, OTHER_PAIRS

PREDICTIONS, REFERENCES = zip(*LATIN_PAIRS, strict=True)
CHINESE = ["敏捷的棕色狐狸跳过了懒狗。", "我喜欢 GPT 模型", "天气很好"]


def test_each_sentence_equals_sacrebleu():
    each = bleu(PREDICTIONS, REFERENCES).each
    for (prediction, accepted), ours in zip(LATIN_PAIRS, each, strict=True):
        theirs = sacrebleu.sentence_bleu(prediction, accepted, use_effective_order=True).score
        assert ours == pytest.approx(theirs / 100, abs=1e-6)


@pytest.mark.parametrize("pairs", [LATIN_PAIRS, OTHER_PAIRS, LATIN_PAIRS[:26]])
def test_corpus_equals_sacrebleu(pairs):
    predictions, references = zip(*pairs, strict=True)
    tokenizer = bleu_tokenizer(text for accepted in references for text in accepted)
    width = max(map(len, references))
    streams = [[row[k] if k < len(row) else None for row in references] for k in range(width)]
    theirs = sacrebleu.corpus_bleu(predictions, streams, tokenize=tokenizer).score
    assert bleu(predictions, references).overall == pytest.approx(theirs / 100, abs=1e-6)


def test_sum_of_the_parts_is_the_corpus():
    scores = bleu(PREDICTIONS, REFERENCES)
    assert from_parts(np.sum(scores.parts, axis=0)) == pytest.approx(scores.overall, abs=1e-12)
    for row, ours in zip(scores.parts, scores.each, strict=True):
        assert from_parts(row) == pytest.approx(ours, abs=1e-12)
    assert bleu.from_parts is from_parts


def test_short_perfect_answers_score_one():
    scores = bleu(["yes", "no way"], [["yes"], ["no way"]])
    assert (scores.overall, scores.each) == (1, (1, 1))
    assert sacrebleu.corpus_bleu(["yes", "no way"], [["yes", "no way"]]).score == 0


def test_signature_is_sacrebleus():
    signature = bleu(["a b c d e"], [["a b c d e", "a b"]]).signature
    theirs = BLEU(effective_order=True)
    theirs.corpus_score(["a"], [["a"], ["b"]])
    assert signature == f"BLEU|{theirs.get_signature()}"
    assert "nrefs:2" in signature
    assert "nrefs:var" in bleu(["a", "b"], [["a"], ["b", "c"]]).signature


@pytest.mark.parametrize(
    ("texts", "tokenizer"),
    [
        (["The cat sat."], "13a"),
        (["Быстрая лиса"], "13a"),
        (["", "123 !"], "13a"),
        (CHINESE, "zh"),
        (["素早い茶色の狐がのろまな犬を飛び越える"], "char"),
        (["빠른 갈색 여우가 뛰어넘는다"], "char"),
        (["สุนัขจิ้งจอกสีน้ำตาล"], "char"),
        (["an English answer that mentions 狐 once"], "13a"),
    ],
)
def test_tokenizer_follows_the_writing_of_the_references(texts, tokenizer):
    assert bleu_tokenizer(texts) == tokenizer
    assert f"tok:{tokenizer}|" in bleu(["x"] * len(texts), [[text] for text in texts]).signature


def test_chinese_is_scored_by_its_characters():
    theirs = sacrebleu.corpus_bleu(["天气非常好"], [["天气很好"]], tokenize="zh").score
    assert (
        bleu(["天气非常好"], [["天气很好"]]).overall == pytest.approx(theirs / 100, abs=1e-6) != 0
    )


def test_row_without_references_is_named():
    with pytest.raises(UserError, match="Row 2 has no list of references"):
        bleu(["a", "b"], [["a"], []])
