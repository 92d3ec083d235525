"""Weights that are brought: safetensors whose header says what lies in them, and nothing else."""

import json
import os
import shutil

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.models import weights_file
from engine.services.models import import_folder
from tests.cpu import cpu_seconds_below


def write(path, header, body=b"", length=None):
    told = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(told) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + told + body)
    return path


def tensor(first, last, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


ONE = {"a": tensor(0, 8, [2])}


def test_weights_of_a_whole_model_are_sound(tiny_model):
    for path in tiny_model.glob("*.safetensors"):
        weights_file.check(path)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (ONE, bytes(8)),
        ({**ONE, "__metadata__": {"format": "pt"}}, bytes(8)),
        ({"a": tensor(0, 4, [2], "BF16"), "b": tensor(4, 4, [0])}, bytes(4)),
        ({"a": tensor(0, 4, [])}, bytes(4)),
    ],
)
def test_sound_header_is_accepted(tmp_path, header, body):
    weights_file.check(write(tmp_path / "model.safetensors", header, body))


@pytest.mark.parametrize(
    ("header", "body", "why"),
    [
        (b"", b"", "does not fit"),
        (b"\x00" * 8, b"", "not JSON"),
        (b"[" * 100_000, b"", "not JSON"),
        ([], b"", "no weights"),
        ({}, b"", "no weights"),
        ({"__metadata__": {}}, b"", "no weights"),
        (ONE, bytes(7), "not whole"),
        (ONE, bytes(9), "not whole"),
        ({"a": tensor(4, 12, [2])}, bytes(12), "gaps"),
        ({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, bytes(12), "overlap"),
        ({"a": tensor(0, 8, [3])}, bytes(8), "nothing usable"),
        ({"a": tensor(0, 8, [2], "PICKLE")}, bytes(8), "nothing usable"),
        ({"a": tensor(0, 8, [-2])}, bytes(8), "nothing usable"),
        ({"a": tensor(0, 8.0, [2])}, bytes(8), "nothing usable"),
        ({"a": {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]}}, bytes(8), "nothing"),
        ({"a": None}, bytes(8), "nothing usable"),
    ],
)
def test_header_that_does_not_fit_is_refused(tmp_path, header, body, why):
    with pytest.raises(UserError, match=why):
        weights_file.check(write(tmp_path / "model.safetensors", header, body))


def test_header_that_is_longer_than_its_file_is_refused(tmp_path):
    for length in (2**63, 10**6, 0):
        with pytest.raises(UserError, match="does not fit"):
            weights_file.check(write(tmp_path / "x.safetensors", ONE, bytes(8), length))


@pytest.fixture
def folder(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "brought")


def bring(ws, folder):
    return import_folder.import_base(ws, LOCAL, str(folder))


def test_zeros_beside_a_pickle_are_no_weights(ws, folder):
    for path in folder.glob("*.safetensors"):
        path.unlink()
    (folder / "x.safetensors").write_bytes(bytes(16))
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match="no sound safetensors file"):
        bring(ws, folder)


def test_sound_weights_that_transformers_would_not_find_are_refused(ws, folder):
    (folder / "model.safetensors").rename(folder / "x.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match=r"has no model\.safetensors"):
        bring(ws, folder)


def test_weights_that_lead_to_a_file_elsewhere_are_refused(ws, folder):
    os.replace(folder / "model.safetensors", folder.parent / "elsewhere")
    (folder / "model.safetensors").symlink_to(folder.parent / "elsewhere")
    with pytest.raises(UserError, match="leads to a file elsewhere"):
        bring(ws, folder)


def test_weights_in_the_cache_of_the_hub_are_links_into_its_blobs(ws, folder):
    (folder.parent / "blobs").mkdir()
    os.replace(folder / "model.safetensors", folder.parent / "blobs" / "abc")
    (folder / "model.safetensors").symlink_to(folder.parent / "blobs" / "abc")
    assert bring(ws, folder).name == "brought"


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ('{"weight_map": {"a": "model.safetensors", "b": "gone.safetensors"}}', "lacks parts"),
        ('{"weight_map": {"a": "../../etc/passwd"}}', "lacks parts"),
        ('{"weight_map": ["model.safetensors"]}', "damaged"),
        ("[" * 100_000, "damaged"),
        ("no json", "damaged"),
    ],
)
def test_list_of_parts_is_checked(ws, folder, index, why):
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(UserError, match=why):
        bring(ws, folder)


def test_config_that_is_nested_too_deeply_is_a_sentence(ws, folder):
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"config.json of brought is n"):
        bring(ws, folder)


def folder_named_as_weights(model):
    (model / "x.safetensors").mkdir()


def pipe_named_as_weights(model):
    os.mkfifo(model / "y.safetensors")


def link_to_itself(model):
    (model / "y.safetensors").symlink_to("y.safetensors")


def shape_of_long_numbers(model):
    header = {"a": tensor(0, 4, [int("9" * 4000)] * 3000)}
    write(model / "model.safetensors", header, bytes(4))


def long_number(name):
    def changed(model):
        (model / name).write_text('{"eos_token": "<|im_end|>", "eos_token_id": ' + "9" * 5000 + "}")

    return changed


def long_part(model):
    index = {"weight_map": {"a": "z" * 5000}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))


def long_end_token(model):
    (model / "tokenizer_config.json").write_text(json.dumps({"eos_token": "e" * 5000}))


def long_tag(model):
    (model / "chat_template.jinja").write_text("{% " + "y" * 5000 + " %}")


@pytest.mark.parametrize(
    "spoil",
    [folder_named_as_weights, pipe_named_as_weights, link_to_itself, shape_of_long_numbers,
     long_number("tokenizer_config.json"), long_number("generation_config.json"),
     long_number("config.json"), long_part, long_end_token, long_tag],
)  # fmt: skip
def test_folder_with_something_odd_in_it_is_refused_in_a_short_sentence(
    ws, tiny_model, tmp_path, spoil
):
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    spoil(model)
    with cpu_seconds_below(10), pytest.raises(UserError) as refused:
        import_folder.import_base(ws, LOCAL, str(model))
    assert len(str(refused.value)) < 300
