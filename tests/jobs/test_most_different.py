"""Of several answers to a prompt, the two that differ most are shown, of both models if two."""

import pytest

from engine.core.examples import Message
from engine.core.rating import Candidate
from engine.jobs import generate, most_different
from tests.methods.fake_context import BASE, MemoryContext, prompts


def answers(*texts, models="m", cut=()):
    return [
        Candidate(
            prompt_no=0, prompt=(Message(role="user", content="q"),), seed=n, text=text,
            model_id=models[n % len(models)], finished=n not in cut,
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip


def chosen(*texts, **more):
    return tuple(each.seed for each in most_different.two(answers(*texts, **more)))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("a b", "a b", 0.0), ("a b", "b a", 0.0), ("a b", "c d", 1.0), ("a a a", "a", 0.5),
     ("a b", "", 1.0), ("", "", 0.0)],
)  # fmt: skip
def test_difference_is_one_less_the_f1_of_the_words(first, second, expected):
    assert most_different.difference(*answers(first, second)) == pytest.approx(expected)


def test_two_of_several_answers_share_the_fewest_words():
    assert chosen("a b c", "a b c", "a b d", "a e f") == (0, 3)


def test_two_that_differ_are_shown_where_the_first_two_are_the_same():
    assert chosen("yes", "yes", "yes", "no") == (0, 3)


def test_cut_answer_is_shown_only_where_fewer_than_two_ended():
    assert chosen("a b", "c d e f", "a c", cut={1}) == (0, 2)
    assert chosen("a b", "c d", "e f", cut={1, 2}) == (0, 1)


def test_empty_answer_is_shown_only_where_fewer_than_two_say_something():
    assert chosen("a b", " ", "a c") == (0, 2)


def test_answers_of_two_models_are_one_of_each():
    assert chosen("a", "a b", "z", "a c", models=("new", "old")) == (1, 2)


def test_both_answers_tell_how_many_were_written_and_how_they_differ():
    both = most_different.two(answers("a b", "a c", "a b"))
    assert [each.details for each in both] == [{"written": 3, "difference": 0.5}] * 2


@pytest.mark.train
def test_first_answers_of_a_round_are_those_of_one_that_writes_two(tiny_model, tmp_path):
    def written(samples):
        recipe = generate.Recipe(
            round="r", model_new=BASE, model_base=BASE, dataset="d", rows=tuple(range(6)),
            samples=samples, max_new_tokens=8, temperature=1.5,
        )  # fmt: skip
        folder = tmp_path / f"run-{samples}"
        return generate.run(recipe, MemoryContext(folder, tiny_model, prompts(6)))

    two, four = written(2), written(4)
    assert (two.result.answers, four.result.answers) == (12, 24)
    assert {each.seed for each in two.candidates} == {1, 2}
    for group in (two, four):
        assert sorted(each.prompt_no for each in group.candidates) == sorted([*range(6)] * 2)
    first = {(each.prompt_no, each.seed): each.text for each in two.candidates}
    again = {(each.prompt_no, each.seed): each.text for each in four.candidates}
    shared = first.keys() & again.keys()
    assert shared
    assert all(first[key] == again[key] for key in shared)
    assert all(each.details["written"] == 4 for each in four.candidates)
