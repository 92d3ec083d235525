import pytest
from nltk.tokenize import NLTKWordTokenizer
from nltk.translate.meteor_score import meteor_score

from engine.metrics import wordnet
from engine.metrics.meteor import meteor
from tests.metrics.pairs import LATIN_PAIRS


def test_each_score_equals_nltk():
    synonyms, _ = wordnet.load()
    tokenize = NLTKWordTokenizer().tokenize
    each = meteor(*zip(*LATIN_PAIRS, strict=True)).each
    for (prediction, accepted), ours in zip(LATIN_PAIRS, each, strict=True):
        tokens = [tokenize(text) for text in accepted]
        theirs = meteor_score(tokens, tokenize(prediction), wordnet=synonyms)
        assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("words", [1, 2, 4, 10])
def test_perfect_answer_loses_only_the_fragmentation_penalty(words):
    text = " ".join(f"word{n}" for n in range(words))
    assert meteor([text], [[text]]).overall == pytest.approx(1 - 0.5 / words**3)


def test_stems_match():
    assert meteor(["she runs"], [["she running"]]).overall == pytest.approx(1 - 0.5 / 8)


def test_chinese_is_scored_by_its_characters():
    assert 0 < meteor(["天气非常好"], [["天气很好"]]).overall < 1


def test_signature_says_whether_synonyms_were_used(tmp_path):
    synonyms, matching = wordnet.load(tmp_path)
    assert matching in meteor(["a"], [["a"]]).signature or wordnet.DEBIAN.exists()
    if isinstance(synonyms, wordnet.NoSynonyms):
        assert matching == "exact+stem (WordNet is not installed)"
        assert synonyms.synsets("car") == []


def test_debians_wordnet_gives_synonyms():
    if not (wordnet.DEBIAN / "data.noun").exists():
        pytest.skip("needs Debian's packages wordnet-base and wordnet-sense-index")
    assert len(wordnet.LEXNAMES.split()) == 45
    names = {name for synset in wordnet.load()[0].synsets("auto") for name in synset.lemma_names()}
    assert {"car", "automobile"} <= names
    assert meteor(["an auto"], [["an car"]]).overall > 0.9
