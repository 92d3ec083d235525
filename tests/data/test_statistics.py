"""The numbers of a version equal those of its rows, counted one by one."""

import json
import random

import pytest

from engine.core.actor import LOCAL
from engine.services.data import datasets, preview, statistics
from engine.services.models import import_folder
from tests import helpers

DRAW = random.Random(4)
WORDS = [f"{first}{rest}" for first in "rsgl" for rest in ("iver", "tone", "arden")]


def words(most):
    return " ".join(DRAW.choices(WORDS, k=DRAW.randint(1, most)))


ROWS = {
    "sft": lambda: {
        "messages": [
            {"role": "system", "content": words(3)},
            {"role": "user", "content": words(9)},
            {"role": "assistant", "content": words(9)},
            {"role": "user", "content": words(9)},
            {"role": "assistant", "content": words(40)},
        ]
    },
    "preference": lambda: {
        "prompt": words(9), "chosen": words(40) + " x", "rejected": words(40) + " y"
    },
    "unpaired": lambda: {"prompt": words(9), "completion": words(40), "label": True},
    "prompts": lambda: {"prompt": words(40)},
    "text": lambda: {"text": words(60)},
}  # fmt: skip


@pytest.fixture
def base(ws, tiny_model):
    return import_folder.import_base(ws, LOCAL, str(tiny_model), "tiny")


def kept(ws, tmp_path, rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return datasets.add(ws, LOCAL, helpers.project(ws).id, path, path.name, held_out=0)


@pytest.mark.parametrize("kind", ROWS)
def test_tokens_and_cut_rows_equal_those_counted_row_by_row(ws, base, tmp_path, kind):
    one = kept(ws, tmp_path, [ROWS[kind]() for _ in range(40)])
    assert one.kind == kind
    found = statistics.statistics(ws, LOCAL, one.id, base.id, max_length=200)
    examples = [row.example for row in datasets.rows(ws, LOCAL, one.id)]
    whole = preview.preview_rows(ws, LOCAL, examples, base.id, 10**9)
    assert found.tokens == sum(row.tokens for row in whole)
    assert found.longest == max(row.tokens for row in whole)
    cut = preview.preview_rows(ws, LOCAL, examples, base.id, 200)
    assert found.truncated == sum(row.truncated for row in cut)
    assert 0 < found.truncated < 40
    assert sum(found.lengths.counts) == 40
    assert found.lengths.edges[-1] > found.longest


def test_turns_and_speakers_are_counted(ws, base, tmp_path):
    one = kept(ws, tmp_path, [ROWS["sft"]() for _ in range(20)])
    found = statistics.statistics(ws, LOCAL, one.id, base.id)
    assert found.turns == {5: 20}
    assert found.roles == {"system": 20, "user": 40, "assistant": 40}


def test_longer_answers_of_pairs_are_counted(ws, base, tmp_path):
    rows = [{"prompt": f"p {n}", "chosen": "a b c d", "rejected": "a b"} for n in range(3)]
    rows += [{"prompt": "q", "chosen": "a", "rejected": "b"}]
    found = statistics.statistics(ws, LOCAL, kept(ws, tmp_path, rows).id, base.id)
    assert found.sides.chosen_longer == 3.5 / 4
    assert found.sides.chosen_mean > found.sides.rejected_mean


def test_languages_are_counted_and_short_rows_set_apart(ws, base, tmp_path):
    german = "Das Wetter ist heute sehr schön, und wir gehen nach dem Essen noch lange spazieren."
    rows = [{"prompt": f"{n}", "completion": german} for n in range(3)]
    rows += [{"prompt": "x", "completion": "ja"}]
    found = statistics.statistics(ws, LOCAL, kept(ws, tmp_path, rows).id, base.id)
    assert found.languages == {"de": 3, "": 1}
    assert found.language_rows == 4
