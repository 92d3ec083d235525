"""Options of metrics: each gives what its reference library gives with the same option."""

import numpy as np
import pytest
from nltk.tokenize.destructive import NLTKWordTokenizer
from nltk.translate.meteor_score import meteor_score
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER

from engine.core.errors import UserError
from engine.metrics import descriptions
from engine.metrics.score import find, score_rows
from engine.metrics.scripts import words
from engine.metrics.wordnet import load
from tests.metrics.pairs import LATIN_PAIRS, OTHER_PAIRS

PREDICTIONS, REFERENCES = zip(*LATIN_PAIRS, strict=True)
WIDTH = max(map(len, REFERENCES))
STREAMS = [[row[k] if k < len(row) else None for row in REFERENCES] for k in range(WIDTH)]
CASED = [text.title() for text in PREDICTIONS]


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("tokenize=intl", {"tokenize": "intl"}),
        ("tokenize=char", {"tokenize": "char"}),
        ("tokenize=none", {"tokenize": "none"}),
        ("lowercase", {"lowercase": True}),
        ("smooth_method=floor", {"smooth_method": "floor"}),
        ("smooth_method=floor+smooth_value=0.5", {"smooth_method": "floor", "smooth_value": 0.5}),
        ("smooth_method=add-k", {"smooth_method": "add-k"}),
        ("smooth_method=none", {"smooth_method": "none"}),
        ("effective_order=no", {"effective_order": False}),
        ("tokenize=intl+lowercase", {"tokenize": "intl", "lowercase": True}),
    ],
)
def test_bleu_option_is_sacrebleus(argument, options):
    theirs = BLEU(**{"effective_order": True, **options})
    ours = find(f"bleu:{argument}")(CASED, REFERENCES)
    corpus = theirs.corpus_score(CASED, STREAMS).score
    assert ours.overall == pytest.approx(corpus / 100, abs=1e-9)
    assert ours.signature == f"BLEU|{theirs.get_signature()}"
    for text, accepted, score in zip(CASED, REFERENCES, ours.each, strict=True):
        assert score == pytest.approx(theirs.sentence_score(text, accepted).score / 100, abs=1e-9)
    parts = find(f"bleu:{argument}").from_parts(np.sum(ours.parts, axis=0))
    assert parts == pytest.approx(ours.overall, abs=1e-9)


@pytest.mark.parametrize(
    ("argument", "options", "name"),
    [
        ("word_order=2", {"word_order": 2}, "chrF2++"),
        ("beta=1", {"beta": 1}, "chrF1"),
        ("word_order=1+beta=3", {"word_order": 1, "beta": 3}, "chrF3+"),
        ("char_order=4+lowercase", {"char_order": 4, "lowercase": True}, "chrF2"),
        ("whitespace", {"whitespace": True}, "chrF2"),
    ],
)
def test_chrf_option_is_sacrebleus(argument, options, name):
    theirs = CHRF(**options)
    ours = find(f"chrf:{argument}")(CASED, REFERENCES)
    found = theirs.corpus_score(CASED, STREAMS)
    assert ours.overall == pytest.approx(found.score / 100, abs=1e-9)
    assert ours.signature == f"{name}|{theirs.get_signature()}"
    assert found.name == name
    for text, accepted, score in zip(CASED, REFERENCES, ours.each, strict=True):
        assert score == pytest.approx(theirs.sentence_score(text, accepted).score / 100, abs=1e-9)


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("", {}),
        ("case_sensitive", {"case_sensitive": True}),
        ("normalized+no_punct", {"normalized": True, "no_punct": True}),
        ("normalized+asian_support", {"normalized": True, "asian_support": True}),
    ],
)
@pytest.mark.parametrize("pairs", [LATIN_PAIRS, OTHER_PAIRS])
def test_ter_is_one_less_sacrebleus(argument, options, pairs):
    predictions, references = zip(*pairs, strict=True)
    theirs, name = TER(**options), f"ter:{argument}" if argument else "ter"
    ours = find(name)(predictions, references)
    rows = [theirs.sentence_score(*pair) for pair in pairs]
    for row, score in zip(rows, ours.each, strict=True):
        assert score == pytest.approx(max(0.0, 1 - row.score / 100), abs=1e-9)
    rate = sum(row.num_edits for row in rows) / sum(row.ref_length for row in rows)
    assert ours.overall == pytest.approx(max(0.0, 1 - rate), abs=1e-9)
    assert ours.signature.startswith("1-TER|nrefs:")
    case = "mixed" if "case_sensitive" in options else "lc"
    assert f"case:{case}" in ours.signature


def test_ter_counts_a_moved_phrase_once_up_to_a_thousand_words():
    assert find("ter")(["b c d a"], [["a b c d"]]).overall == pytest.approx(0.75)
    long = [f"w{n}" for n in range(1200)]
    moved = " ".join([*long[3:], *long[:3]])
    assert find("ter")([moved], [[" ".join(long)]]).overall == pytest.approx(1 - 6 / 1200)


@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL", "rougeLsum"])
def test_rouge_stemmer_is_rouge_scores(name):
    ours = find(f"{name}:stemmer")(PREDICTIONS, REFERENCES)
    scorer = RougeScorer([name], use_stemmer=True)
    for text, accepted, score in zip(PREDICTIONS, REFERENCES, ours.each, strict=True):
        theirs = max(scorer.score(each, text)[name].fmeasure for each in accepted)
        assert score == pytest.approx(theirs, abs=1e-9)
    assert "stem:porter" in ours.signature
    assert find(f"{name}:stemmer")(["running dogs"], [["runs dog"]]).overall > 0
    assert "stem:no" in find(name)(["a"], [["a"]]).signature


@pytest.mark.parametrize(
    ("argument", "tokenize", "weights"),
    [
        ("tokenize=whitespace", str.split, {}),
        ("tokenize=words", words, {}),
        ("alpha=0.8+gamma=0.2", NLTKWordTokenizer().tokenize, {"alpha": 0.8, "gamma": 0.2}),
        ("beta=2", NLTKWordTokenizer().tokenize, {"beta": 2}),
    ],
)
def test_meteor_option_is_nltks(argument, tokenize, weights):
    synonyms, _ = load()
    ours = find(f"meteor:{argument}")(PREDICTIONS, REFERENCES)
    for text, accepted, score in zip(PREDICTIONS, REFERENCES, ours.each, strict=True):
        tokens = [tokenize(each) for each in accepted]
        theirs = meteor_score(tokens, tokenize(text), wordnet=synonyms, **weights)
        assert score == pytest.approx(theirs, abs=1e-9)
    for name in weights:
        assert f"|{name}:" in ours.signature


def test_tokenizer_of_meteor_stands_in_its_signature():
    assert "tok:whitespace" in find("meteor:tokenize=whitespace")(["a"], [["a"]]).signature


@pytest.mark.parametrize(
    ("name", "problem", "fix"),
    [
        ("bleu:tokenise=intl", "bleu has no option 'tokenise'", "tokenize, lowercase"),
        ("bleu:tokenize=mecab", "bleu does not take tokenize='mecab'", "tokenize, lowercase"),
        ("chrf:word_order=many", "chrf does not take word_order='many'", "word_order, beta"),
        ("exact_match:x", "exact_match takes no options", "exact_match alone"),
    ],
)
def test_option_that_a_metric_lacks_is_refused_with_those_it_has(name, problem, fix):
    with pytest.raises(UserError, match=problem) as error:
        find(name)
    assert fix in str(error.value.fix)


def test_metric_with_options_has_its_own_interval_and_title():
    plain, plus = (score_rows(name, PREDICTIONS, REFERENCES).mean
                   for name in ("chrf", "chrf:word_order=2"))  # fmt: skip
    assert plus.low < plus.score < plus.high
    assert plus.score != plain.score
    assert descriptions.title("chrf:word_order=2") == "chrF (word_order=2)"
    assert {"chrf:word_order=2", "rougeL:stemmer", "bleu:lowercase", "ter"} <= {
        *descriptions.offered()
    }
