"""Plain text is learned whole, however long it is."""

import pytest

from engine.core.examples import Text
from engine.methods import sft
from engine.models.chat_template import Template
from tests.methods.fake_context import BASE, MemoryContext

pytestmark = pytest.mark.train
LONG = Text(text="".join(chr(97 + n % 26) for n in range(100)))


def prepared(tiny_model, tmp_path, max_length, rows=(LONG,)):
    ctx = MemoryContext(tmp_path, tiny_model, rows)
    recipe = sft.Recipe(model=BASE, dataset="d", max_length=max_length)
    return ctx, sft.prepare(recipe, ctx)[0]


@pytest.mark.parametrize("max_length", [16, 17, 50, 101, 102, 512])
def test_every_token_but_the_first_is_predicted_once(tiny_model, tmp_path, max_length):
    _, encoded = prepared(tiny_model, tmp_path, max_length)
    whole = Template.load(tiny_model).encode(LONG, 10_000).input_ids
    assert max(map(len, (row["labels"] for row in encoded.train))) <= max_length
    predicted = [token for row in encoded.train for token in row["labels"][1:]]
    assert predicted == whole[1:]


def test_log_says_how_many_parts_there_are(tiny_model, tmp_path):
    ctx, encoded = prepared(tiny_model, tmp_path, 26, [LONG, Text(text="short")])
    assert len(encoded.train) == 4 + 1
    assert (encoded.dropped, encoded.truncated) == (0, 0)
    assert "1 long texts are learned in 4 parts of at most 26 tokens." in ctx.said()
