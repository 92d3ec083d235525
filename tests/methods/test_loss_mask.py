"""What the preview marks as learned is what carries loss in the trainer."""

import pytest

from engine.core.examples import Chat, Message, Text
from engine.methods import sft
from engine.models.chat_template import Piece, Template
from tests.methods.fake_context import BASE, MemoryContext

pytestmark = pytest.mark.train


def chat(*turns):
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return Chat(messages=tuple(Message(role=roles[t[0]], content=t[2:]) for t in turns))


CASES = {
    "one turn": (chat("u:Hi", "a:Hello"), 512),
    "several turns": (chat("u:Hi", "a:Hello", "u:2+2?", "a: 4\n"), 512),
    "system prompt": (chat("s:Be kind.", "u:Hi", "a:Grüße 🙂"), 512),
    "first answer only": (chat("u:Hi", "a:Hello", "u:2+2?", "a:4"), 90),
    "cut inside an answer": (chat("u:Hi", "a:" + "Hello " * 20), 60),
    "end token in an answer": (chat("u:Hi", "a:one<|im_end|>two"), 512),
    "text": (Text(text="Once upon a time"), 512),
    "cut text": (Text(text="Once upon a time" * 9), 32),
}


@pytest.mark.parametrize("name", CASES)
def test_pieces_marked_as_trained_are_the_tokens_with_loss(name, tiny_model, tmp_path):
    example, max_length = CASES[name]
    ctx = MemoryContext(tmp_path / "job", tiny_model, [example, chat("u:x", "a:y")])
    recipe = sft.Recipe(model=BASE, dataset="d", max_length=max_length)
    _, make = sft.prepare(recipe, ctx)
    batch = next(iter(make([]).get_train_dataloader()))
    assert len(batch["labels"]) == 2 or name == "cut text"  # its other parts are rows of their own

    template = Template.load(tiny_model)
    # of the two rows in the batch, the one under test is the one that starts like it
    ids = template.encode(example, max_length).input_ids
    row = next(i for i, line in enumerate(batch["input_ids"].tolist()) if line[: len(ids)] == ids)
    length = int(batch["attention_mask"][row].sum())
    seen: list[Piece] = []
    for token, label in zip(
        batch["input_ids"][row].tolist()[:length],
        batch["labels"][row].tolist()[:length],
        strict=True,
    ):
        assert label in (token, -100)
        seen.append((token, label != -100))
    assert merged(template, seen) == template.pieces(example, max_length)
    assert (batch["labels"][row][length:] == -100).all()
    assert any(piece.trained for piece in template.pieces(example, max_length))


def merged(template, tokens):
    pieces, start = [], 0
    for end in range(1, len(tokens) + 1):
        if end == len(tokens) or tokens[end][1] != tokens[start][1]:
            run = [token for token, _ in tokens[start:end]]
            text = template.decode(run, skip_special_tokens=False)
            pieces.append(Piece(text, tokens[start][1]))
            start = end
    return pieces


def test_rated_pair_reaches_the_trainer_as_the_preview_shows_it(tiny_model, tmp_path):
    from engine.methods import dpo
    from tests.methods.fake_context import pairs

    ctx = MemoryContext(tmp_path / "job", tiny_model, pairs(1))
    _, make = dpo.prepare(dpo.Recipe(model=BASE, dataset="d"), ctx)
    batch = next(iter(make([]).get_train_dataloader()))
    template = Template.load(tiny_model)
    shown = template.pair_pieces(pairs(1)[0], 512)
    for row, pieces in enumerate(shown):  # the chosen answers first, then the rejected ones
        length = int(batch["attention_mask"][row].sum())
        ids = batch["input_ids"][row].tolist()[:length]
        mask = batch["completion_mask"][row].tolist()[:length]
        assert merged(template, list(zip(ids, map(bool, mask), strict=True))) == pieces
