"""Answers scored by a reward head: what raters of earlier votes would prefer."""

from collections.abc import Sequence

import numpy as np

from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.job_context import Context
from engine.core.rating import Candidate
from engine.core.reward_head import RewardHead
from engine.jobs import answerers
from engine.models import weights_file


def scored(ctx: Context, head: RewardHead, found: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with their scores; None where an answer does not fit into the base."""
    each = scores(ctx, head, [one.prompt for one in found], [one.text for one in found])
    return [one.model_copy(update={"score": score}) for one, score in zip(found, each, strict=True)]


def scores(
    ctx: Context, head: RewardHead, prompts: Sequence[Sequence[Message]], answers: Sequence[str]
) -> list[float | None]:
    """The score of each answer, in log-odds; UserError where the base is no longer the same."""
    files = ctx.model(head.base)
    if weights_file.sampled(files.base) != head.base_fingerprint:
        raise UserError(
            f"The weights of {files.model.name} are no longer those that the reward head reads.",
            "Learn from the votes again.",
        )
    done = answerers.progress(ctx, len(answers), "scoring answers")
    states = answerers.states(ctx, files, prompts, answers, done)
    weights = np.array(head.weights)
    if any(state is not None and len(state) != len(weights) for state in states):
        raise UserError(
            f"The reward head does not fit {files.model.name}.", "Learn from the votes again."
        )
    return [None if state is None else round(float(weights @ state), 6) for state in states]
