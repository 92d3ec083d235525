"""Chat templates of every family: what carries loss, how answers end, where a prompt begins."""

import pytest

from engine.core.examples import Chat, Message, Preference
from engine.models.template_use import use_of
from tests.models.template_shapes import SHAPES, template

REASONED = ("<think>part</think>bye", "<think>\npart\n</think>\n\nbye")


def messages(*turns: str) -> tuple[Message, ...]:
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return tuple(Message(role=roles[turn[0]], content=turn[2:]) for turn in turns)


def chat(*turns: str) -> Chat:
    return Chat(messages=messages(*turns), source_row=7)


def learned(made, row):
    return [piece.text for piece in made.pieces(row, 4096) if piece.trained]


@pytest.fixture(params=SHAPES)
def shape(request, tmp_path):
    """A shape and its template."""
    return SHAPES[request.param], template(tmp_path, request.param)


def test_tokens_that_carry_loss_are_the_answers_and_their_end(shape):
    known, made = shape
    row = chat("u:Hi", "a:Hello", "u:2+2?", "a:4")
    texts = learned(made, row)
    assert [text.strip() for text in texts] == [f"Hello{known.turn}", f"4{known.turn}"]
    encoded = made.encode(row, 4096)
    marked = [i for i, m in zip(encoded.input_ids, encoded.completion_mask, strict=True) if m]
    assert made.decode(marked, skip_special_tokens=False) == "".join(texts)
    assert made.row_use(row).unlearned == 0


def test_end_of_an_answer_is_learned_and_ends_generation(shape):
    known, made = shape
    encoded = made.encode(chat("u:Hi", "a:Hello"), 4096)
    last = max(place for place, mask in enumerate(encoded.completion_mask) if mask)
    assert encoded.input_ids[last] in made.ends
    assert made.decode([encoded.input_ids[last]], skip_special_tokens=False) == known.turn


def test_start_token_is_there_once(shape):
    known, made = shape
    row = chat("s:Be kind.", "u:Hi", "a:Hello", "u:2+2?", "a:4")
    for ids in (made.encode(row, 4096).input_ids, made.prompt_ids(row.prompt)):
        text = made.decode(ids, skip_special_tokens=False)
        assert text.count(known.bos or "<|im_start|>system") == 1
        assert text.startswith(known.bos)


def test_prompt_of_a_row_is_the_prompt_at_generation(shape):
    known, made = shape
    row = chat("s:Be kind.", "u:Hi", "a:Hello", "u:2+2?", "a:4")
    prompt = made.prompt_ids(row.prompt)
    encoded = made.encode(row, 4096)
    assert encoded.input_ids[: len(prompt)] == prompt
    assert encoded.completion_mask[len(prompt)] == 1
    text = made.decode(prompt, skip_special_tokens=False)
    assert text == made.prompt_text(row.prompt)
    assert text.endswith(known.inserted)
    pair = Preference(prompt=row.prompt, chosen="4", rejected="5")
    assert made.encode_pair(pair, 4096).prompt_ids == prompt


def test_system_text_without_a_role_stands_before_the_first_question(shape):
    known, made = shape
    row = chat("s:Be kind.", "u:Hi", "a:Hello", "u:2+2?", "a:4")
    text = made.prompt_text(row.prompt)
    assert text.count("Be kind.") == 1
    assert made.takes_system is known.takes_system
    assert ("Be kind.\n\nHi" in text) is not known.takes_system
    use = use_of(made, [row, chat("u:Hi", "a:Hello")])
    assert use.system_moved.rows == (() if known.takes_system else (7,))
    assert use.refused.count == 0


@pytest.mark.parametrize("name", ["qwen 3", "deepseek r1"])
def test_tokens_that_a_template_writes_before_an_answer_carry_no_loss(tmp_path, name):
    made = template(tmp_path, name)
    assert made.inserted == SHAPES[name].inserted
    for content in ("Hello", "think", "\n"):
        (text,) = learned(made, chat("u:Hi", f"a:{content}"))
        assert text.strip() == f"{content.strip()}{SHAPES[name].turn}"
    use = use_of(made, [chat("u:Hi", "a:Hello")])
    assert (use.without_reasoning.count, use.with_reasoning.count, use.reasons) == (1, 0, False)
    (found,) = use.findings()
    assert (found.id, found.rows) == ("reasoning_inserted", (7,))


@pytest.mark.parametrize("content", REASONED)
@pytest.mark.parametrize("name", ["qwen 3", "deepseek r1"])
def test_reasoning_of_a_row_is_learned_after_the_prompt_of_a_reasoning_model(
    tmp_path, name, content
):
    made = template(tmp_path, name)
    row = chat("u:Hi", f"a:{content}")
    (text,) = learned(made, row)
    assert "part" in text and "</think>" in text and "bye" in text  # noqa: PT018
    prompt = made.prompt_ids(row.prompt, reasons=True)
    assert made.encode(row, 4096).input_ids[: len(prompt)] == prompt
    whole = made.decode(made.encode(row, 4096).input_ids, skip_special_tokens=False)
    assert whole.count("<think>") == 1
    assert use_of(made, [row]).reasons


def test_earlier_answers_that_lose_their_reasoning_are_counted(tmp_path):
    made = template(tmp_path, "qwen 3")
    rows = [
        Chat(
            messages=messages(
                f"u:hi {n}", f"a:<think>greet {n}</think>hello", "u:and?", "a:<think>x</think>bye"
            ),
            source_row=n,
        )
        for n in range(1, 25)
    ]
    use = use_of(made, [*rows, chat("u:Hi", "a:<think>x</think>Hello")])
    assert (use.answers, use.unlearned_answers, use.unlearned.count) == (49, 24, 24)
    assert use.unlearned.rows == tuple(range(1, 21))
    (found,) = use.findings()
    assert found.id == "answers_without_loss"
    assert "24 earlier answers of 49" in found.message


def test_few_rows_that_a_template_refuses_are_counted_beside_the_others(tmp_path):
    made = template(tmp_path, "gemma")
    rows = [chat("u:Hi", "a:Hello")] * 18 + [
        Chat(messages=messages("u:Hi", "u:You?", "a:Hello"), source_row=n) for n in range(19, 25)
    ]
    use = use_of(made, rows)
    assert (use.rows, use.refused.count, use.refused.rows) == (24, 6, (19, 20, 21, 22, 23, 24))
    (found,) = use.findings()
    assert (found.severity, "roles must alternate" in found.message) == ("warning", True)
    assert len(found.message) <= 300
    assert made.ids_or_refusal(rows[-1].prompt)[0] == []
