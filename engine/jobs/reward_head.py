"""What raters prefer, learned from their votes in seconds: a reward head, and features in words.

The head is refused unless it tells votes that it has not seen (stats/reward_head.py). What is
refused is not stored, so nothing can use it.
"""

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from pydantic import Field

from engine import plugins
from engine.core.errors import UserError
from engine.core.job_context import Context, ModelFiles
from engine.core.job_outcome import Outcome
from engine.core.job_result import HeadResult
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.recipe import Ref, RefKind
from engine.core.reward_head import (
    FEWEST_QUESTIONS,
    HEAD_FILE,
    LEAST_ACCURACY,
    Accuracy,
    RewardHead,
    TeamPreference,
    VotedPair,
    VotedPairs,
)
from engine.files import write_atomic
from engine.jobs import answerers
from engine.models import weights_file
from engine.stats import reward_head, team_preferences
from engine.stats.grouped_folds import Numbers, numbered
from engine.stats.reward_head import HeadTest, Pairs
from engine.stats.team_preferences import TestedFeature

TITLE = "Preferences of the raters"
SUMMARY = "Learns from the votes what raters prefer, and tests it on votes left out."

MOST_PAIRS = 1000


class Recipe(BaseRecipe):
    """Whose states are read, and which rounds' votes are learned."""

    KIND = "reward_head"

    model: str = Field(description="The base whose states the head reads; it is not trained")
    rounds: tuple[str, ...] = Field(
        min_length=1, description="Rounds that collect preferences; blind rounds are left out"
    )

    def needs(self) -> list[Ref]:
        """The base."""
        return [Ref(RefKind.MODEL, self.model)]


class _Measured(NamedTuple):
    """The pairs whose answers fit into the model, and the difference of their states."""

    voted: list[VotedPair]
    pairs: Pairs


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """The head where the votes left out bear it, and what the raters prefer in words."""
    began = time.monotonic()
    found = ctx.voted_pairs(recipe.rounds)
    every = -(-len(found.pairs) // MOST_PAIRS) or 1
    voted = list(found.pairs[::every])
    if not voted:
        raise UserError(
            "No vote of these rounds prefers one of two answers.", "Collect votes first."
        )
    preferences = _preferences(voted)
    files = ctx.model(recipe.model)
    measured = _measured(ctx, files, voted)
    tested = reward_head.cross_validated(measured.pairs)
    result = HeadResult(
        sentence=_sentence(tested, measured),
        refused=tested.refused,
        accuracy=tested.accuracy,
        longer=tested.longer,
        gain=tested.gain,
        pairs=len(measured.voted),
        questions=len(set(measured.pairs.groups.tolist())),
        preferences=tuple(preferences),
        base=recipe.model,
        rounds=found.rounds,
        votes_sha256=found.sha256,
    )
    if not tested.refused:
        head = _head(recipe, files, found, reward_head.trained(measured.pairs))
        content = head.model_dump_json().encode()
        write_atomic(ctx.folder / HEAD_FILE, content)
        result = result.model_copy(update={"sha256": sha256(content).hexdigest()})
    return Outcome(result=result.model_copy(update={"seconds": round(time.monotonic() - began, 1)}))


def _measured(ctx: Context, files: ModelFiles, voted: Sequence[VotedPair]) -> _Measured:
    """What the base holds in mind of each answer; pairs that do not fit into it are left out."""
    prompts = [one.prompt for one in voted] * 2
    texts = [one.chosen for one in voted] + [one.rejected for one in voted]
    done = answerers.progress(ctx, len(texts), "reading answers")
    states = answerers.states(ctx, files, prompts, texts, done)
    both = list(zip(voted, states[: len(voted)], states[len(voted) :], strict=True))
    fit = [(one, good - bad) for one, good, bad in both if good is not None and bad is not None]
    if not fit:
        raise UserError(
            "No answer of these votes fits into the model.", "Choose a base that takes more tokens."
        )
    kept = [one for one, _ in fit]
    differences: Numbers = np.array([each for _, each in fit], dtype=np.float64)
    return _Measured(kept, Pairs(
        differences,
        np.array([one.weight for one in kept]),
        numbered([one.family for one in kept]),
        np.array([_longer(one) for one in kept]),
    ))  # fmt: skip


def _longer(one: VotedPair) -> float:
    more = len(one.chosen) - len(one.rejected)
    return 0.5 if not more else float(more > 0)


def _head(recipe: Recipe, files: ModelFiles, found: VotedPairs, weights: Numbers) -> RewardHead:
    return RewardHead(
        base=recipe.model,
        base_fingerprint=weights_file.sampled(files.base),
        weights=tuple(float(f"{each:.7g}") for each in weights),
        rounds=found.rounds,
        votes=found.votes,
        votes_sha256=found.sha256,
    )


def _preferences(voted: Sequence[VotedPair]) -> list[TeamPreference]:
    """Features, then reasons, those that stand first; the rest by their p."""
    names = plugins.names("answer_features")
    prompts = [one.prompt for one in voted]
    references = [one.references for one in voted]
    sides = [[one.chosen for one in voted], [one.rejected for one in voted]]
    columns = []
    for name in names:
        feature = plugins.load("answer_features", name)
        good, bad = (np.array(feature(prompts, side, references), dtype=float) for side in sides)
        columns.append(good - bad)
    tested = team_preferences.find_preferences(
        np.array(columns).T,
        np.array([one.weight for one in voted]),
        numbered([one.family for one in voted]),
        [one.reasons for one in voted],
    )
    features = [
        _preference("feature", name, _title(name, one), one)
        for name, one in zip(names, tested.features, strict=True)
    ]
    reasons = [
        _preference("reason", name, name, one, _title(names[one.feature], one))
        for name, one in tested.reasons.items()
    ]
    order = {"feature": 0, "reason": 1}
    return sorted(features + reasons, key=lambda one: (order[one.kind], not one.stands, one.p))


def _preference(
    kind: str, name: str, title: str, one: TestedFeature, means: str = ""
) -> TeamPreference:
    return TeamPreference.model_validate({
        "kind": kind, "name": name, "title": title, "agreement": one.agreement, "means": means,
        "questions": one.questions, "p": round(one.p, 6), "stands": one.stands,
    })  # fmt: skip


def _title(name: str, one: TestedFeature) -> str:
    feature = plugins.load("answer_features", name)
    return str(feature.LESS if one.direction < 0 else feature.MORE)


def _sentence(tested: HeadTest, measured: _Measured) -> str:
    """What the cross-validation shows, and what follows."""
    votes = f"{len(measured.voted)} pairs of {len(set(measured.pairs.groups.tolist()))} questions"
    numbers = (
        f"The head agrees with {_words(tested.accuracy)} of the votes on questions that it has "
        f"not seen, the longer answer with {_words(tested.longer)} ({votes})."
    )
    if tested.refused == "few":
        least = f"at least {FEWEST_QUESTIONS} questions are needed"
        return f"Too few votes for a reward head: {votes}, {least}."
    if tested.refused == "chance":
        least = f"{100 * LEAST_ACCURACY:.0f} %"
        return f"{numbers} It must reach {least} and be surely above a coin, so it is not used."
    if tested.refused == "length":
        return f"{numbers} That is not shown to be more than length alone, so it is not used."
    return f"{numbers} It may choose among answers and predict votes."


def _words(one: Accuracy) -> str:
    return f"{100 * one.share:.0f} % ({100 * one.low:.0f} to {100 * one.high:.0f} %)"
