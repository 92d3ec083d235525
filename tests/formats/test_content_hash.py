"""How examples are stored, and the hash that names them."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import UserError
from engine.core.examples import Chat, Message, Preference, Prompt, Text, Unpaired
from engine.formats.content_hash import from_line, read_lines, sha256_of, to_line

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
turns = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant", "tool"]),
        content=words,
        weight=st.sampled_from([0, 1]),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
place = {"source_row": st.integers(0, 10**6), "group": st.none() | words}
accepted = st.lists(words, max_size=3).map(tuple)
examples = st.lists(
    st.builds(Chat, messages=turns, references=accepted, **place)
    | st.builds(Preference, prompt=turns, chosen=words, rejected=words, **place)
    | st.builds(Unpaired, prompt=turns, completion=words, label=st.booleans(), **place)
    | st.builds(Text, text=words, **place)
    | st.builds(Prompt, prompt=turns, references=accepted, **place),
    max_size=8,
)


@given(examples)
def test_dataset_rows_survive_storage(kept):
    stored = b"".join(map(to_line, kept))
    assert list(read_lines(BytesIO(stored))) == kept
    assert stored.count(b"\n") == len(kept)


@given(examples, examples)
def test_two_hashes_are_equal_exactly_when_the_contents_are(left, right):
    def bare(kept):
        return [example.model_copy(update={"source_row": 0}) for example in kept]

    assert (sha256_of(left) == sha256_of(right)) == (bare(left) == bare(right))


def test_answer_of_the_usual_weight_is_stored_as_it_always_was():
    turns = (Message(role="user", content="q"), Message(role="assistant", content="a"))
    line = to_line(Chat(messages=turns))
    assert b"weight" not in line
    silent = (turns[0], Message(role="assistant", content="a", weight=0), *turns)
    assert from_line(to_line(Chat(messages=silent))).messages == silent
    assert sha256_of([Chat(messages=silent)]) != sha256_of([Chat(messages=turns + turns)])


def test_row_number_in_the_file_does_not_change_the_hash():
    assert sha256_of([Text(text="a", source_row=1)]) == sha256_of([Text(text="a", source_row=9)])


def test_hash_of_a_known_content_never_changes():
    content = [Text(text="grün"), Chat(messages=(Message(role="user", content="Hi"),))]
    assert sha256_of(content) == (
        "6f11fe25cbb47e1fcc2e67dd836f59ebe527cdffc188aecbf9f95988c7427293"
    )


def test_damaged_line_of_a_stored_dataset_is_named():
    lines = [to_line(Text(text=text)) for text in "ab"]
    with pytest.raises(UserError, match="Line 2 of the stored dataset is damaged"):
        list(read_lines([lines[0], lines[1][:-4]]))
