"""Baselines, perplexity and overlap, each against a hand calculation or a planted answer."""

import math
import random

import pytest

from engine.core.dataset import Row
from engine.core.examples import Chat, Message, Prompt
from engine.jobs.contamination import overlap
from engine.jobs.perplexity import perplexity, ratio
from engine.jobs.trivial_baselines import COPY, FREQUENT, NEAREST, baselines
from tests.methods.fake_context import user


def chat(question, answer):
    return Chat(messages=(*user(question), Message(role="assistant", content=answer)))


def test_baselines_copy_repeat_and_look_up():
    training = [
        chat("play some jazz music", "PlayMusic"),
        chat("will it rain in Paris", "GetWeather"),
        chat("is it sunny in Rome today", "GetWeather"),
    ]
    found = baselines([user("play jazz"), user("rain tomorrow?")], training)
    assert found[COPY] == ["play jazz", "rain tomorrow?"]
    assert found[FREQUENT] == ["GetWeather", "GetWeather"]
    assert found[NEAREST] == ["PlayMusic", "GetWeather"]


def test_trivial_baselines_without_training_rows_are_the_copy_alone():
    assert list(baselines([user("a")], [])) == [COPY]


def test_question_of_unknown_words_or_none_still_gets_an_answer():
    training = [chat("\u4f60\u597d", "hi"), chat("", "empty")]
    found = baselines([user(""), user("zzz"), user("\u597d")], training)
    assert found[NEAREST] == ["hi", "hi", "hi"]


def test_perplexity_is_that_of_the_tokens_and_lies_in_its_interval():
    rng = random.Random(0)
    rows = [(rng.uniform(5, 20), rng.randint(3, 12)) for _ in range(80)]
    found = perplexity(rows)
    assert found.score == pytest.approx(math.exp(sum(a for a, _ in rows) / sum(b for _, b in rows)))
    assert found.low < found.score < found.high
    assert (found.n, found.tokens) == (80, sum(b for _, b in rows))


def test_model_that_finds_everything_impossible_has_a_finite_perplexity():
    assert math.isfinite(perplexity([(10.0**6, 2)]).score)


def test_intervals_of_perplexity_hold_the_truth_about_19_times_in_20():
    rng = random.Random(1)
    held = 0
    for _ in range(200):
        rows = [(rng.expovariate(1 / 2.0) * 5, 5) for _ in range(60)]
        found = perplexity(rows)
        held += found.low <= math.exp(2.0) <= found.high
    assert 180 <= held <= 198


def test_perplexity_ratio_is_paired():
    rng = random.Random(2)
    before = [(rng.uniform(5, 50), 10) for _ in range(50)]
    low, high = ratio(before, [(nats + 1.0, tokens) for nats, tokens in before])
    assert (low * high) ** 0.5 == pytest.approx(math.exp(0.1))
    assert high / low < 1.02  # each alone is known to a factor of 2 only


def row(index, question):
    return Row(index=index, split="held_out", example=Prompt(prompt=user(question)))


def test_learned_questions_are_found_whatever_their_case_and_punctuation():
    learned = [chat("What are your opening hours on weekdays?", "9 to 5")]
    asked = [
        row(3, "what are your opening hours on weekdays"),
        row(4, "Do you lend films to children under twelve?"),
        row(9, "What are your opening hours on weekdays, please?"),
    ]
    found = overlap(asked, learned, len(learned))
    assert (found.rows, found.near) == ((3,), (9,))
    assert found.message.startswith("1 of the 3 questions asked is in the training rows")


def test_questions_that_share_a_form_only_are_not_the_same():
    learned = [chat(f"question {n}?", "yes") for n in range(20)]
    asked = [row(n, f"question {n + 50}?") for n in range(20)]
    found = overlap(asked, learned, len(learned))
    assert (found.count, found.near_count) == (0, 0)
    assert found.message.startswith("None of the 20")


def test_other_system_messages_do_not_hide_a_learned_question():
    system = Message(role="system", content="Be brief.")
    example = Prompt(prompt=(system, *user("where is it?")))
    asked = [Row(index=0, split="held_out", example=example)]
    assert overlap(asked, [chat("Where is it?", "here")], 1).count == 1
