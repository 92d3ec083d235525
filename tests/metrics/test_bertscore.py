"""BERTScore: bert_score's own numbers, with a model of the data folder only."""

import sys
from importlib.util import find_spec

import pytest

from engine import plugins
from engine.core.errors import UserError
from engine.metrics.score import find, refuse, score_rows
from engine.services.evaluation import metrics
from tests.metrics.pairs import LATIN_PAIRS, OTHER_PAIRS, UNICODE_PAIRS

needs_bertscore = pytest.mark.skipif(
    find_spec("bert_score") is None,
    reason="bert-score is missing: install tuneloop[bertscore]",
)
KINDS = (
    "bert", "roberta", "xlm-roberta", "distilbert", "electra", "deberta", "deberta-v2", "mpnet",
    "camembert",
)  # fmt: skip
WORDS = [
    "the", "a", "cat", "dog", "sat", "on", "mat", "big", "small", "red", "blue", "runs", "under",
    "over", "tree", "house",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data folder with a BERT of random weights called tiny-bert."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    home = tmp_path_factory.mktemp("home-t5-in-its-name")
    letters = [chr(code) for code in [*range(33, 127), *range(0xC0, 0x180)]]
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*marks, *WORDS, *letters, *(f"##{letter}" for letter in letters)]
    folder = home / "models" / "tiny-bert"
    tokenizer = BertTokenizerFast(
        vocab={word: n for n, word in enumerate(dict.fromkeys(vocabulary))}, model_max_length=64
    )
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        BertModel(config).save_pretrained(folder)
    return home


@pytest.fixture(autouse=True)
def at_home(home, monkeypatch):
    monkeypatch.setenv("TUNELOOP_HOME", str(home))


def pairs():
    """More than 50: words, all writings, none, one, unfinished ones, and very long ones."""
    made = [
        (" ".join(WORDS[n : n + 5]), [" ".join(WORDS[(n * 3) % 9 : (n * 3) % 9 + 6])])
        for n in range(40)
    ]
    odd = [
        ("", ["the cat"]), ("the cat", [""]), ("", [""]), (" \n", ["a"]), ("cat", ["cat"]),
        ("cat", ["dog", "big cat"]), ("x", ["the cat sat on the mat"]), ("天地玄黄", ["天地"]),
        ("\u200b", ["cat"]), ("🙂 cat", ["cat 🙂"]), ("Ünïcödé", ["unicode"]),
        ("the cat " * 2500, ["the dog " * 2500]), ("y" * 20_000, ["x" * 20_000, "the cat"]),
    ]  # fmt: skip
    return [*made, *odd, *((p, list(r)) for p, r in LATIN_PAIRS + OTHER_PAIRS + UNICODE_PAIRS)]


def upstream(home, monkeypatch, rows, layer, model="tiny-bert"):
    """bert_score's own F1; what it calls for empty texts is gone from transformers 5."""
    import bert_score

    def tokenizer(name, use_fast):
        from transformers import AutoTokenizer

        found = AutoTokenizer.from_pretrained(name)
        marks = [found.cls_token_id, found.sep_token_id]
        found.build_inputs_with_special_tokens = lambda _: marks
        return found

    monkeypatch.setattr(sys.modules["bert_score.score"], "get_tokenizer", tokenizer)
    monkeypatch.chdir(home / "models")  # a relative name holds no "t5"
    predictions, references = zip(*rows, strict=True)
    *_, f1 = bert_score.score(
        list(predictions), list(references), model_type=model, num_layers=layer
    )
    return f1.tolist()


@needs_bertscore
@pytest.mark.parametrize("layer", [1, 3, 4])
def test_scores_are_those_of_bert_score(home, monkeypatch, layer):
    rows = pairs()
    assert len(rows) >= 50
    predictions, references = zip(*rows, strict=True)
    each = find(f"bertscore:tiny-bert@{layer}")(predictions, references).each
    expected = [min(1.0, max(0.0, score)) for score in upstream(home, monkeypatch, rows, layer)]
    assert each == pytest.approx(expected, abs=1e-6)
    assert len(set(each)) > 20


@needs_bertscore
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_cut_to_its_layer_as_bert_score_cuts_it(home, monkeypatch, kind):
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    folder = home / "models" / f"tiny-{kind}-kind"
    tokenizer = AutoTokenizer.from_pretrained(home / "models" / "tiny-bert")
    sizes = {
        "vocab_size": len(tokenizer), "max_position_embeddings": 80, "pad_token_id": 0,
        "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4,
        "intermediate_size": 64, "embedding_size": 32,
        "dim": 32, "n_layers": 4, "n_heads": 4, "hidden_dim": 64,
    }  # fmt: skip
    own = AutoConfig.for_model(kind).to_dict()
    config = AutoConfig.for_model(kind, **{k: v for k, v in sizes.items() if k in own})
    tokenizer.save_pretrained(folder)
    AutoModel.from_config(config).save_pretrained(folder)
    rows = [row for row in pairs()[:20] if row[0]]
    predictions, references = zip(*rows, strict=True)
    each = find(f"bertscore:{folder.name}@2")(predictions, references).each
    expected = upstream(home, monkeypatch, rows, 2, folder.name)
    assert each == pytest.approx(expected, abs=1e-6)


@needs_bertscore
def test_empty_text_scores_nothing_and_the_same_text_everything():
    scores = find("bertscore:tiny-bert@2")(
        ["", "the cat", " "], [["a"], ["a dog", "the cat"], [""]]
    )
    assert scores.each == (0, pytest.approx(1), 0)
    assert scores.overall == pytest.approx(1 / 3)


@needs_bertscore
def test_model_and_layer_are_in_the_signature_and_the_interval_holds_the_score():
    mean = score_rows(
        "bertscore:tiny-bert", ["the cat", "dog", None], [["a cat"], ["dog"], ["x"]]
    ).mean
    assert "model:tiny-bert@3|" in mean.signature  # three quarters of its layers
    assert "rescale:no" in mean.signature
    assert (mean.n, mean.failed) == (2, 1)
    assert 0 <= mean.low <= mean.score <= mean.high <= 1


@needs_bertscore
def test_layers_of_known_models_are_those_of_bert_score():
    from bert_score.utils import model2layers

    layers = sys.modules["engine.metrics.bertscore"].LAYERS
    assert layers == {name: model2layers[name] for name in layers}


@needs_bertscore
@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("gone", "There is no model 'gone' for BERTScore"),
        ("../models/tiny-bert", "There is no model"),
        ("/etc", "There is no model"),
        ("tiny-bert@5", "has no layer '5'. Choose one from 1 to 4"),
        ("tiny-bert@x", "has no layer 'x'"),
        ("a-llama", "a-llama is no model for BERTScore"),
    ],
)
def test_bertscore_options_are_checked_before_a_model_answers(home, argument, sentence):
    (home / "models" / "a-llama").mkdir(exist_ok=True)
    (home / "models" / "a-llama" / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UserError, match=sentence):
        refuse([f"bertscore:{argument}"], [["a"]])


def test_missing_extra_is_one_sentence_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "bert_score", None)
    assert plugins.load("metric_factories", "bertscore").offered() == []
    with pytest.raises(UserError, match=r"not installed here.*tuneloop\[bertscore\]"):
        find("bertscore:tiny-bert")


@needs_bertscore
def test_page_offers_it_with_the_name_of_model_and_layer():
    [group] = [group for group in metrics.offered() if group.group == "meaning"]
    assert "bertscore:tiny-bert@3" in group.names
    assert not any("llama" in name for name in group.names)
    assert metrics.title("bertscore:tiny-bert@3") == "BERTScore (tiny-bert@3)"
