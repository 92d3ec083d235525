"""GGUF files answer in llama.cpp as the model does, in every precision that is offered."""

from collections import Counter

import pytest

from engine.core.export import Quantisation
from engine.exporters import certificate, gguf
from engine.exporters.runtimes import quantise
from engine.exporters.source import Source
from tests.models.test_end_tokens import files_of

pytestmark = pytest.mark.train
SHAPE = quantise.ModelOutline("llama", 30, 0, 9, 3, True, tuple(range(30)))


def written(folder, tools, out, bits):
    out.mkdir()
    said = []
    gguf.export(Source(files_of(folder), "x", None, "float32", bits, tools, said.append), out)
    return said


@pytest.mark.parametrize("bits", Quantisation.__args__)
def test_gguf_answers_in_llama_cpp_as_the_model_does(letters, tools, tmp_path, bits):
    folder, own = letters
    out = tmp_path / "out"
    written(folder, tools, out, bits)
    assert [path.name for path in out.iterdir()] == [f"model.{bits}.gguf"]
    assert not [path for path in tmp_path.iterdir() if path != out]
    proof = certificate.certify(gguf.RUNTIME, out, folder, own, 16, ("exact_match",))
    assert (proof.same, proof.n, proof.causes) == (3, 3, ())


def test_gguf_is_the_same_to_the_byte_twice(letters, tools, tmp_path):
    folder, _ = letters
    for name in ("first", "second"):
        written(folder, tools, tmp_path / name, "Q4_K_M")
    first, second = (tmp_path / name / "model.Q4_K_M.gguf" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert str(tmp_path).encode() not in first.read_bytes()


def test_gguf_q4_k_m_keeps_settings_and_is_close_to_the_weights(letters, tools, tmp_path):
    import numpy as np
    from gguf import GGUFReader, dequantize

    folder, _ = letters
    written(folder, tools, tmp_path / "half", "F16")
    written(folder, tools, tmp_path / "small", "Q4_K_M")
    half = GGUFReader(tmp_path / "half" / "model.F16.gguf")
    small = GGUFReader(tmp_path / "small" / "model.Q4_K_M.gguf")
    own = {"general.file_type", "general.quantization_version"}
    for name in half.fields.keys() - own:
        if not name.startswith("GGUF."):
            assert half.get_field(name).contents() == small.get_field(name).contents()
    assert small.get_field("general.file_type").contents() == quantise.FILE_TYPE
    for one, other in zip(half.tensors, small.tensors, strict=True):
        assert (one.name, list(one.shape)) == (other.name, list(other.shape))
        wanted = one.data.astype(np.float32).reshape(-1)
        found = dequantize(other.data, other.tensor_type).reshape(-1)
        error = np.sqrt(((wanted - found) ** 2).mean() / (wanted**2).mean())
        assert error < 0.1


def test_quantise_gives_each_tensor_the_bits_that_llama_cpp_gives_it():
    # SmolLM2-135M: rows of 576 take no block of 256; those of 1,536 do
    found = Counter(
        quantise.kind(f"blk.{layer}.{name}.weight", columns, 2, SHAPE)
        for layer in range(30)
        for name, columns in {"attn_v": 576, "attn_q": 576, "ffn_down": 1536}.items()
    )
    assert found == {"Q8_0": 14, "Q5_0": 16 + 30, "Q6_K": 14, "Q4_K": 16}
    more = [layer for layer in range(30)
            if quantise.kind(f"blk.{layer}.ffn_down.weight", 1536, 2, SHAPE) == "Q6_K"]  # fmt: skip
    assert more == [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29]


@pytest.mark.parametrize(
    ("name", "columns", "dimensions", "wanted"),
    [
        ("token_embd.weight", 512, 2, "Q6_K"),  # it is the output too
        ("token_embd.weight", 576, 2, "Q8_0"),
        ("blk.0.attn_norm.weight", 512, 1, None),
        ("blk.0.attn_q.bias", 512, 2, None),
        ("blk.0.ffn_gate_inp.weight", 512, 2, None),
        ("blk.0.attn_qkv.weight", 512, 2, "Q5_K"),
        ("blk.9.attn_output.weight", 512, 2, "Q4_K"),
        ("blk.9.attn_output.weight", 100, 2, None),
    ],
)
def test_quantise_keeps_or_rounds_by_name_and_width(name, columns, dimensions, wanted):
    assert quantise.kind(name, columns, dimensions, SHAPE) == wanted


def test_quantise_of_large_models_and_of_experts_spends_more_on_values():
    large = SHAPE._replace(layers=80, heads=64, key_heads=8, attending=tuple(range(80)))
    assert quantise.kind("blk.11.attn_v.weight", 1024, 2, large) == "Q5_K"
    many = SHAPE._replace(experts=8)
    assert quantise.kind("blk.11.attn_v.weight", 1024, 2, many) == "Q8_0"
    assert quantise.kind("blk.11.attn_k.weight", 1024, 2, many) == "Q8_0"
    assert quantise.kind("blk.11.attn_output.weight", 1024, 2, many) == "Q5_K"


def test_gguf_says_what_is_missing_for_q4_k_m(letters, tools, tmp_path, monkeypatch):
    folder, _ = letters
    missing = tmp_path / "quantise.py"
    missing.write_text("import sys; sys.exit('xllamacpp is not installed')")
    monkeypatch.setattr(gguf, "QUANTISER", missing)
    with pytest.raises(gguf.UserError, match=r"as Q4_K_M: xllamacpp is not.*export it as Q8_0"):
        written(folder, tools, tmp_path / "out", "Q4_K_M")
