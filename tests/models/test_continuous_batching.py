"""Rows that join and leave a running batch say what they say alone."""

import random

import pytest

from engine.models import batched_decoding
from engine.models.answer import Answerer
from engine.models.continuous_batching import RunningBatch
from engine.models.sampling import Sampling


@pytest.fixture(scope="module")
def answerer(tiny_model):
    return Answerer(tiny_model)


def prompts(number, least=4, most=60):
    rng = random.Random(5)
    return [rng.choices(range(3, 200), k=rng.randint(least, most)) for _ in range(number)]


def answered(model, asked, ends, joins):
    """What each prompt gets when number n joins before step `joins[n]`; rows over have left."""
    import torch

    batch = RunningBatch(model, ends)
    answers = {row: [] for row in range(len(asked))}
    with torch.inference_mode():
        for step in range(300):
            new = {row: asked[row] for row in range(len(asked)) if joins[row] == step}
            for said in [*(batch.add(new) if new else ()), *batch.step()]:
                answers[said.row] += [] if said.ends else [said.token]
    assert len(batch) == 0
    return [answers[row] for row in range(len(asked))]


def alone(model, prompt, ways, ends):
    import torch

    with torch.inference_mode():
        return batched_decoding.answers(model, [prompt], ways, ends)[0].ids


def an_end(model, asked):
    """A token that several of the answers reach, so that rows leave at different times."""
    free = [alone(model, prompt, ways, {1}) for prompt, ways in asked]
    return max({t for row in free for t in row}, key=lambda t: sum(t in row[1:] for row in free))


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_rows_that_join_and_leave_say_what_they_say_alone(answerer, monkeypatch, penalty):
    model = answerer._model
    monkeypatch.setattr(model.generation_config, "repetition_penalty", penalty)
    rng = random.Random(1)
    asked = [(ids, Sampling(rng.randint(1, 90))) for ids in prompts(24)]
    ends = {an_end(model, asked)}
    joins = [rng.randrange(120) for _ in asked]
    said = answered(model, asked, ends, joins)
    assert said == [alone(model, prompt, ways, ends) for prompt, ways in asked]
    assert len({len(one) for one in said}) > 5


def test_drawn_rows_beside_greedy_ones_are_those_of_their_own_settings(answerer):
    model = answerer._model
    asked = [
        (ids, Sampling(40, (0.0, 0.7, 1.3)[n % 3], seed=n)) for n, ids in enumerate(prompts(12))
    ]
    said = answered(model, asked, {1}, [3 * n for n in range(12)])
    assert said == [alone(model, prompt, ways, {1}) for prompt, ways in asked]


def test_narrow_nucleus_is_greedy_and_the_whole_one_draws_from_everything(answerer):
    model = answerer._model
    (prompt,) = prompts(1)
    greedy = alone(model, prompt, Sampling(30), {1})
    ways = [Sampling(30, 1.0, 1, top_p=1e-6), Sampling(30, 5.0, 1, top_p=1.0)]
    narrow, whole = answered(model, [(prompt, each) for each in ways], {1}, [0, 2])
    assert narrow == greedy
    assert len(set(whole)) > 20


def test_dropped_row_leaves_and_the_others_go_on(answerer):
    import torch

    model = answerer._model
    one, other = prompts(2)
    batch = RunningBatch(model, {1})
    with torch.inference_mode():
        said = batch.add({7: (one, Sampling(50)), 8: (other, Sampling(50))})
        for _ in range(10):
            said += batch.step()
        batch.drop([7, 99])
        while len(batch):
            said += batch.step()
    assert sum(token.row == 7 for token in said) == 11
    assert [t.token for t in said if t.row == 8] == alone(model, other, Sampling(50), {1})


def test_places_that_nobody_needs_are_given_back(answerer):
    import torch

    model = answerer._model
    (prompt,) = prompts(1)
    batch, widest = RunningBatch(model, {1}), 0
    with torch.inference_mode():
        for row in range(40):  # a new row before the last one is over, for a long time
            batch.add({row: (prompt, Sampling(40))})
            for _ in range(20):
                batch.step()
                widest = max(widest, batch.width)
    assert widest < len(prompt) + 40 + 64 + 40
