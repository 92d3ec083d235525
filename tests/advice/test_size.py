"""The size of a model from headers that are only read, and from names."""

import json

import pytest

from engine.advice.size import lora_weights, number, of_folder, of_number
from engine.core.errors import UserError
from engine.core.units import memory_words, number_words

# SmolLM2-135M as its config.json says it
SMOL = {
    "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "head_dim": 64,
    "num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 49152,
    "tie_word_embeddings": True,
}  # fmt: skip


def folder(path, config, header=None):
    (path / "config.json").write_text(json.dumps(config))
    if header is not None:
        (path / "model.safetensors").write_bytes(header)
    return path


def safetensors(tensors):
    text = json.dumps(tensors).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.train
def test_weights_of_a_saved_model_are_counted_as_torch_counts_them(tiny_model):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    size = of_folder(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert size.parameters == model.num_parameters()
    assert size.file_bytes == 4 * size.parameters
    config = LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM")
    trained, _ = get_peft_model(model, config).get_nb_trainable_parameters()
    assert lora_weights(size, 8) == trained


def test_weight_count_from_the_shape_is_the_published_number(tmp_path):
    size = of_folder(folder(tmp_path, SMOL))
    assert size.parameters == pytest.approx(134_515_008, rel=1e-3)  # its model card
    assert not size.measured


def test_parts_of_a_model_add_up_and_a_type_has_its_bytes(tmp_path):
    folder(tmp_path, SMOL)
    one = {"__metadata__": {"format": "pt"}, "a": {"dtype": "BF16", "shape": [10, 20]}}
    (tmp_path / "model-1.safetensors").write_bytes(safetensors(one))
    two = {"b": {"dtype": "F32", "shape": [7]}}
    (tmp_path / "model-2.safetensors").write_bytes(safetensors(two))
    size = of_folder(tmp_path)
    assert (size.parameters, size.file_bytes) == (207, 428)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff" * 64,
        (2**60).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        safetensors({"a": {"dtype": "F32", "shape": ["x"]}}),
        safetensors({"a": {"dtype": "F32", "shape": [-5]}}),
        (100_000).to_bytes(8, "little") + b"[" * 100_000,
    ],
)
def test_weight_count_ignores_a_hostile_header(tmp_path, header):
    assert not of_folder(folder(tmp_path, SMOL, header)).measured


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"hidden_size": "wide"}', "[" * 50_000])
def test_config_that_makes_no_sense_is_one_sentence(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match="config"):
        of_folder(tmp_path)


@pytest.mark.parametrize(
    ("said", "meant"),
    [("7B", 7e9), ("7e9", 7e9), ("135M", 135e6), ("Llama-3.1-8B-Instruct", 8e9), ("0.5b", 5e8)],
)
def test_size_is_understood_as_people_write_it(said, meant):
    assert number(said) == meant
    assert number(number_words(meant)) == meant


@pytest.mark.parametrize(("size", "words"), [
    (0, "0 MB"), (1, "1 KB"), (362_456, "362 KB"), (3_624_560, "3.6 MB"), (80_000_000, "80 MB"),
    (1_400_000_000, "1.4 GB"), (120_000_000_000, "120 GB"),
])  # fmt: skip
def test_memory_is_said_without_rounding_to_nothing(size, words):
    assert memory_words(size) == words


@pytest.mark.parametrize("said", ["", "banana", "-7B", "nan", "inf", "1e99", "9" * 5000])
def test_size_refuses_other_text(said):
    with pytest.raises(UserError, match="not a number of parameters"):
        number(said)


def test_model_that_is_only_a_number_has_a_shape_like_published_ones():
    size = of_number(8.03e9)  # Llama 3 8B: 32 layers of width 4096 and 14336, arXiv:2407.21783
    assert (size.layers, size.width) == (32, 4096)
    assert size.inner == pytest.approx(14336, rel=0.2)
