"""Lengths of rows: what the trainer reads, and nothing that takes long."""

import json

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.models.chat_template import Template
from engine.services.data import datasets, token_lengths
from engine.services.data.token_lengths import RowTokens
from tests import helpers


def kept(ws, folder, rows):
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return datasets.add(ws, LOCAL, helpers.project(ws).id, path, path.name, held_out=0.1)


def test_row_is_as_long_as_the_trainer_makes_it(ws, tiny_model, tmp_path):
    data = kept(ws, tmp_path, [{"prompt": f"q{i}", "completion": "a" * i} for i in range(1, 20)])
    template = Template.load(tiny_model)
    stored = datasets.rows(ws, LOCAL, data.id)
    expected = [len(template.encode(row.example, 10**9).input_ids) for row in stored]
    found = token_lengths.measure(ws, data, tiny_model)
    assert [row.prompt + row.answers[0] for row in found] == expected
    assert token_lengths.cut(found, 10**6).mean == pytest.approx(sum(expected) / len(expected))


def test_cut_shortens_rows_and_counts_those_left_whole():
    found = token_lengths.cut((RowTokens(10, (10,)), RowTokens(10, (90,))), 50)
    assert (found.mean, found.longest, found.whole) == (35, 50, 0.5)


def test_token_lengths_of_a_pair_count_both_answers():
    found = token_lengths.cut((RowTokens(10, (20, 30)),), 100)
    assert (found.mean, found.longest) == (70, 40)


def test_long_text_is_learned_in_blocks():
    found = token_lengths.cut((RowTokens(0, (250,), blocks=True),), 100)
    assert (found.blocks, found.longest, found.whole) == (3, 100, 1)
    assert found.mean * found.blocks == 250


@pytest.fixture
def encoded(monkeypatch):
    """The characters of each row that went through the tokenizer."""
    found, real = [], Template.encode

    def encode(template, example, most):
        found.append(len(example.model_dump_json()))
        return real(template, example, most)

    monkeypatch.setattr(Template, "encode", encode)
    return found


def test_token_lengths_sample_many_rows_and_include_the_longest(ws, tiny_model, tmp_path, encoded):
    rows = [{"prompt": f"q{i}", "completion": "ab"} for i in range(3000)]
    rows[1234]["completion"] = "x" * 5000
    data = kept(ws, tmp_path, rows)
    found = token_lengths.measure(ws, data, tiny_model)
    assert len(encoded) == len(found) <= token_lengths.MOST + 1
    assert sum(encoded) <= token_lengths.MOST_BYTES
    assert token_lengths.cut(found, 10**6).longest > 5000


def test_enormous_rows_are_not_read(ws, tiny_model, tmp_path, encoded):
    rows = [{"prompt": f"q{i}", "completion": "word " * 60_000} for i in range(20)]
    data = kept(ws, tmp_path, rows)
    found = token_lengths.measure(ws, data, tiny_model)
    assert encoded == []
    assert token_lengths.cut(found, 512).longest == 512


def test_token_lengths_of_missing_rows_are_refused_in_one_sentence(ws, tiny_model, tmp_path):
    data = kept(ws, tmp_path, [{"prompt": f"q{i}", "completion": "a"} for i in range(20)])
    (ws.files / data.file / "rows.jsonl").unlink()
    with pytest.raises(UserError, match="not in the data folder"):
        token_lengths.measure(ws, data, tiny_model)
