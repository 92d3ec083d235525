"""The job that learns what raters prefer: only what holds is kept, with its origin."""

import json
import random
from hashlib import sha256

import numpy as np
import pytest

from engine.core.errors import UserError
from engine.core.reward_head import HEAD_FILE, RewardHead, VotedPair, VotedPairs
from engine.jobs import answerers, reward_head
from engine.models import weights_file
from tests.methods.fake_context import BASE, MemoryContext, user

LETTERS = "abcdefghijklmnopqrst"


class Voted(MemoryContext):
    """Votes on pairs of texts, beside a base."""

    pairs: tuple[VotedPair, ...] = ()

    def voted_pairs(self, rounds):
        return VotedPairs(pairs=self.pairs, rounds=tuple(rounds), votes=("v-1",), sha256="mark")


def pairs_of(chosen, rejected, number=60):
    return tuple(
        VotedPair(
            prompt=user(f"Say {n}"), chosen=chosen(n), rejected=rejected(n), family=str(n),
            reasons=("clearer",),
        )
        for n in range(number)
    )  # fmt: skip


@pytest.fixture
def ctx(tiny_model, tmp_path):
    return Voted(tmp_path / "job", tiny_model, ())


def found_by(ctx, pairs):
    ctx.pairs = pairs
    return reward_head.run(reward_head.Recipe(model=BASE, rounds=("round-1",)), ctx).result


@pytest.mark.train
def test_head_of_a_rule_is_stored_as_numbers_with_its_origin(ctx, tiny_model):
    """Equal lengths, so that only what is said decides."""
    found = found_by(ctx, pairs_of(lambda n: f"{n:02} yes yes!", lambda n: f"{n:02} no nono?"))
    assert (found.refused, found.pairs, found.questions) == ("", 60, 60)
    assert found.accuracy.low > 0.6
    content = (ctx.folder / HEAD_FILE).read_bytes()
    assert found.sha256 == sha256(content).hexdigest()
    head = RewardHead.model_validate_json(content)
    assert head.base_fingerprint == weights_file.sampled(tiny_model)
    assert (head.base, head.votes, head.votes_sha256) == (BASE, ("v-1",), "mark")
    assert all(isinstance(each, float) for each in json.loads(content)["weights"])
    unseen = [user("Say 99")] * 2
    states = answerers.states(ctx, ctx.model(BASE), unseen, ["99 yes yes!", "99 no nono?"], print)
    good, bad = (float(np.dot(head.weights, each)) for each in states)
    assert good > bad
    standing = {one.name for one in found.preferences if one.stands}
    assert {"asks_back", "exclamation", "clearer"} <= standing
    assert "length" not in standing


@pytest.mark.train
def test_head_of_coin_tosses_is_refused_and_not_stored(ctx):
    rng = random.Random(5)

    def text(n):
        return " ".join(rng.choices(LETTERS, k=rng.randint(2, 6)))

    found = found_by(ctx, pairs_of(text, text))
    assert found.refused == "chance"
    assert "so it is not used" in found.sentence
    assert not (ctx.folder / HEAD_FILE).exists()
    assert not any(one.stands for one in found.preferences)


@pytest.mark.train
def test_head_that_shows_no_more_than_length_is_refused(ctx):
    found = found_by(ctx, pairs_of(lambda n: f"{n:02} yes yes yes", lambda n: f"{n:02} yes"))
    assert (found.refused, found.longer.share) == ("length", 1)
    assert next(one for one in found.preferences if one.stands).title == "longer"


@pytest.mark.train
def test_head_of_few_votes_is_refused(ctx):
    found = found_by(ctx, pairs_of(lambda n: f"{n:02} yes!", lambda n: f"{n:02} no?", 19))
    assert found.refused == "few"


def test_head_without_a_preferred_answer_is_refused(ctx):
    with pytest.raises(UserError, match="prefers one of two answers"):
        found_by(ctx, ())


@pytest.mark.train
def test_states_do_not_depend_on_what_is_read_beside(ctx):
    prompts, texts = [user("Say a"), user("Say something longer")], ["yes", "no, never, " * 5]
    both = answerers.states(ctx, ctx.model(BASE), prompts, texts, print)
    for n in range(2):
        (alone,) = answerers.states(
            ctx, ctx.model(BASE), prompts[n : n + 1], texts[n : n + 1], print
        )
        np.testing.assert_allclose(both[n], alone, atol=1e-4)


@pytest.mark.train
def test_state_of_an_answer_that_does_not_fit_is_none(ctx):
    found = answerers.states(ctx, ctx.model(BASE), [user("x")] * 2, ["y " * 5000, "y"], print)
    assert found[0] is None
    assert found[1] is not None
