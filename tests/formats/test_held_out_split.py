"""Which rows are held out."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import UserError
from engine.core.examples import Chat, Message, Text
from engine.core.normalise import prompt_key
from engine.formats.held_out_split import split


def chat(question: str, answer: str = "yes", group: str | None = None) -> Chat:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Chat(messages=turns, group=group)


MANY = [chat(f"Question {n}?") for n in range(200)]


def held(examples: list, share: float = 0.15, seed: int = 0) -> list[int]:
    return [n for n, side in enumerate(split(examples, share, seed)) if side == "held_out"]


@pytest.mark.parametrize("share", [0.05, 0.15, 0.5, 0.9])
def test_share_of_the_rows_is_held_out(share):
    assert len(held(MANY, share)) == round(200 * share)


def test_same_rows_and_seed_give_the_same_split_in_any_order():
    shuffled = random.Random(1).sample(MANY, len(MANY))
    kept = {shuffled[n] for n in held(shuffled)}
    assert kept == {MANY[n] for n in held(MANY)}


def test_another_seed_gives_another_split():
    assert held(MANY, seed=1) != held(MANY, seed=2)


def test_neither_end_of_the_file_is_favoured():
    assert 10 <= sum(n < 100 for n in held(MANY)) <= 20


def test_same_question_never_straddles_whatever_its_spacing_and_case():
    examples = [
        chat(form.format(n % 20), str(n)) for n in range(40) for form in ("Is {}?", "IS  {}? ")
    ]
    chosen = held(examples, 0.3)
    keys = {prompt_key(examples[n]) for n in chosen}
    assert chosen == [n for n, e in enumerate(examples) if prompt_key(e) in keys]


def test_group_never_straddles_also_not_through_a_shared_question():
    linked = [
        chat("A", "1", "g1"),
        chat("A", "2", "g2"),
        chat("B", "3", "g2"),
        chat("C", "4", "g1"),
    ]
    for seed in range(30):
        sides = split([*MANY[:20], *linked], 0.3, seed)
        assert len(set(sides[20:])) == 1


def test_share_of_nothing_trains_on_everything():
    assert split(MANY[:3], 0, 0) == ["train"] * 3


def test_at_least_one_row_is_held_out_and_one_is_trained_on():
    assert len(held(MANY[:8], 0.01)) == 1
    assert len(held(MANY[:8], 0.99)) == 7


@pytest.mark.parametrize(
    ("examples", "share", "problem"),
    [
        (MANY[:7], 0.15, "7 rows are too few"),
        ([], 0.15, "0 rows are too few"),
        ([chat("Same?", str(n)) for n in range(20)], 0.15, "ask or say the same"),
        ([chat(str(n), group="one") for n in range(20)], 0.15, "share one group"),
        (MANY, 1.0, "share is 1.0"),
        (MANY, -0.1, "share is -0.1"),
        (MANY, float("nan"), "share is nan"),
    ],
)
def test_split_refuses_what_cannot_be_split(examples, share, problem):
    with pytest.raises(UserError, match=problem) as caught:
        split(examples, share, 0)
    assert caught.value.fix


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, "g", "h"])), min_size=8),
    st.floats(0.01, 0.99),
    st.integers(0, 99),
)
def test_split_keeps_questions_and_groups_on_one_side(rows, share, seed):
    examples = [chat(f"Q{asked}", group=group) for asked, group in rows]
    try:
        sides = split(examples, share, seed)
    except UserError:
        return
    for mark in (prompt_key, lambda e: e.group or id(e)):
        by_mark = {}
        for example, side in zip(examples, sides, strict=True):
            assert by_mark.setdefault(mark(example), side) == side
    assert set(sides) == {"train", "held_out"}


def test_texts_are_split_by_what_they_say():
    assert len(held([Text(text=f"Paragraph {n}") for n in range(20)], 0.2)) == 4


def test_near_duplicates_never_straddle():
    words = [
        "river",
        "stone",
        "garden",
        "letter",
        "window",
        "summer",
        "market",
        "bridge",
        "teacher",
        "kitchen",
    ]
    draw = random.Random(3)
    rows = []
    for n in range(60):
        asked = " ".join(draw.choices(words, k=15))
        said = draw.choices(words, k=15)
        rows += [chat(f"{asked} {n}", " ".join(said)), chat(f"{asked} {n}!", " ".join(said[1:]))]
    shuffled = draw.sample(range(len(rows)), len(rows))
    sides = dict(zip(shuffled, split([rows[n] for n in shuffled], 0.2, 1), strict=True))
    assert [sides[n] for n in range(0, 120, 2)] == [sides[n] for n in range(1, 120, 2)]
    assert list(sides.values()).count("held_out") == 24
