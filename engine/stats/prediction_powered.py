"""A win rate from votes on some questions and a predictor's numbers on many more.

Prediction-powered inference: the votes correct whatever bias the predictor has, so it can make the
interval narrower but not wrong. Sources: Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453
(PPI++); Mani et al. 2025, arXiv 2505.20178, on when it does not help.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from engine.core.rating import Decision, Predictor, Verdict, VotesAlone, tally_words
from engine.stats.intervals import SAME, p_words
from engine.stats.verdict import eyes_of, general_words

FEWEST_QUESTIONS = 20  # with votes; simulated from here on
OTHER_QUESTIONS = 0.001  # p below which the further questions are not like those with votes
Numbers = NDArray[np.float64]


class Predictions(NamedTuple):
    """Each voted question's mean score in [0, 1] and prediction, and those of further questions.

    Predictions are any numbers: their scale, sign and bias do not matter.
    """

    scores: Sequence[float]
    predicted: Sequence[float]
    further: Sequence[float]


class Estimate(NamedTuple):
    """The win rate and its variance, with the predictor and by votes alone."""

    rate: Numbers
    variance: Numbers
    alone: Numbers
    alone_variance: Numbers


class _Test(NamedTuple):
    rate: float
    low: float
    high: float
    p: float
    detectable: float | None


def weights(scores: Numbers, predicted: Numbers, further: int) -> Numbers:
    """How much the predictor counts at each question, by all other questions (leave one out).

    The power tuning of PPI++ times its shrinkage for few further questions: the slope of scores on
    predictions times N / (n + N). Questions are on the last axis; 0 where predictions are equal.
    """
    n = scores.shape[-1]
    of_f = predicted - predicted.mean(-1, keepdims=True)
    of_y = scores - scores.mean(-1, keepdims=True)
    squares = (of_f**2).sum(-1, keepdims=True)
    both = (of_f * of_y).sum(-1, keepdims=True) - n / (n - 1) * of_f * of_y
    left = squares - n / (n - 1) * of_f**2
    slope = np.divide(both, left, out=np.zeros_like(both), where=left > SAME * squares)
    return np.asarray(slope * further / (n + further))


def estimate(
    scores: Numbers, predicted: Numbers, further: Numbers, weight: Numbers, added: bool
) -> Estimate:
    """The mean of scores less `weight` times what predictions are off the further questions' mean.

    `added` gives Bonett and Price's mean and variance, for one vote a question: with one win and
    one loss more. Else the variance is that of a mean. Questions are on the last axis.
    """
    corrected = scores - weight * (predicted - further.mean(-1, keepdims=True))
    whole = np.concatenate([predicted, further], axis=-1)
    of_predictor = weight.mean(-1) ** 2 * whole.var(-1, ddof=1) / further.shape[-1]
    rate, variance = _mean(corrected, added)
    return Estimate(rate, variance + of_predictor, *_mean(scores, added))


def _mean(each: Numbers, added: bool) -> tuple[Numbers, Numbers]:
    n = each.shape[-1]
    if not added:
        return each.mean(-1), each.var(-1, ddof=1) / n
    ends = np.broadcast_to(np.array([0.0, 1.0]), (*each.shape[:-1], 2))
    more = np.concatenate([each, ends], axis=-1)
    return more.mean(-1), more.var(-1) / (n + 2)


def with_predictor(
    found: Verdict,
    given: Predictions,
    names: tuple[str, str] = ("the new model", "the baseline"),
    alpha: float = 0.05,
) -> Verdict:
    """The verdict of votes with a predictor where that helps, and by votes alone beside it.

    The predictor is used only where the cross-fitted variance is smaller by a vote or more and the
    further questions are like those with votes. A winner is named by the same rule as without:
    p < alpha, and an interval that leaves out one half. Counts stay those of the votes.
    """
    alone = VotesAlone(win_rate=found.win_rate, low=found.low, high=found.high)
    scores, predicted, further = (np.asarray(each, dtype=float) for each in given)
    overlap = len(scores) < found.n
    refused = _unusable(predicted, further)
    correlation = _correlation(scores, predicted)
    if refused:
        return _without(found, alone, correlation, refused)
    weight = weights(scores, predicted, len(further))
    seen = estimate(scores, predicted, further, weight, added=not overlap)
    ratio = float(seen.alone_variance / seen.variance) if seen.variance > 0 else 1.0
    saved = round(found.votes * (ratio - 1))
    if saved < 1:
        words = "The predictor did not help: not used"
        return _without(found, alone, correlation, f"{words} ({_of(correlation, given)}).")
    predictor = Predictor(
        used=True,
        correlation=correlation,
        votes_saved=saved,
        sentence=f"The predictor saved about {saved} votes ({_of(correlation, given)}).",
    )
    test = _test(seen, len(scores) - 1 if overlap else None, alpha)
    return _used(found, test, predictor, alone, names, len(further), alpha)


def _unusable(predicted: Numbers, further: Numbers) -> str:
    """Why predictions cannot be used, as a sentence; empty where they can."""
    n = len(predicted)
    if n < FEWEST_QUESTIONS:
        return (
            f"The predictor was not used: it takes {FEWEST_QUESTIONS} questions with votes, and "
            f"there are {n}."
        )
    if not len(further):
        return "The predictor was not used: there is no further question."
    if np.ptp(predicted) <= SAME * max(1.0, float(np.abs(predicted).max())):
        return "The predictor was not used: it is the same number for every question."
    p = (
        float(scipy.stats.ttest_ind(predicted, further, equal_var=False).pvalue)
        if len(further) > 1
        else 1.0
    )
    if p < OTHER_QUESTIONS:
        return (
            "The predictor was not used: its numbers on questions with votes and without differ "
            f"more than chance allows ({p_words(p)}), so these are different kinds of questions."
        )
    return ""


def _correlation(scores: Numbers, predicted: Numbers) -> float | None:
    """Pearson's, over the questions with votes; None where either is the same everywhere."""
    if len(scores) < 2 or np.ptp(scores) <= SAME or np.ptp(predicted) <= SAME:
        return None
    return float(np.corrcoef(scores, predicted)[0, 1])


def _of(correlation: float | None, given: Predictions) -> str:
    shown = "undefined" if correlation is None else f"{correlation:.2f}"
    return (
        f"correlation with the votes {shown}; {len(given.scores)} counted questions, "
        f"{len(given.further)} further"
    )


def _without(
    found: Verdict, alone: VotesAlone, correlation: float | None, sentence: str
) -> Verdict:
    predictor = Predictor(used=False, correlation=correlation, votes_saved=0, sentence=sentence)
    return found.model_copy(update={
        "votes_only": alone, "predictor": predictor, "sentence": f"{found.sentence} {sentence}",
    })  # fmt: skip


def _test(seen: Estimate, freedom: int | None, alpha: float) -> _Test:
    """Student's interval and p with this freedom; the normal ones for one vote a question."""
    by = scipy.stats.t(freedom) if freedom else scipy.stats.norm()
    rate, error = float(np.clip(seen.rate, 0, 1)), float(seen.variance) ** 0.5
    half = float(by.ppf(1 - alpha / 2)) * error
    reach = half + float(scipy.stats.norm.ppf(0.8)) * error
    p = min(1.0, 2 * float(by.sf(abs(rate - 0.5) / error)))
    low, high = max(0.0, rate - half), min(1.0, rate + half)
    return _Test(rate, low, high, p, 0.5 + reach if reach < 0.5 else None)


def _used(
    found: Verdict,
    test: _Test,
    predictor: Predictor,
    alone: VotesAlone,
    names: tuple[str, str],
    further: int,
    alpha: float,
) -> Verdict:
    decision = _decide(test, alpha)
    people = found.people
    if people is not None and people.decision != decision:
        people = people.model_copy(update={"decision": "not shown"})
    new, base = names
    eyes = eyes_of(found.panel)
    measured = (
        f"with predictions on {further} further questions {{who}} wins {100 * test.rate:.1f} % "
        f"({100 * (1 - alpha):g} % interval {100 * test.low:.1f} to {100 * test.high:.1f} %, "
        f"{p_words(test.p)})"
    )
    if decision != "no difference shown":
        head = f"{new[:1].upper()}{new[1:]} is {decision} than {base}{eyes}"
        head = f"{head}: {measured.format(who='it')}."
    else:
        head = f"No difference shown between {new} and {base}{eyes}: {measured.format(who=new)}"
        if test.detectable is not None:
            head += f"; this test could see a win rate of {test.detectable * 100:.1f} % or more"
        head += "."
    counts = tally_words(found.wins, found.losses, found.ties, found.both_bad, found.identical)
    by_votes = (
        f"By votes alone: {100 * alone.win_rate:.1f} % ({100 * alone.low:.1f} to "
        f"{100 * alone.high:.1f} %; {counts})."
    )
    general = general_words(decision, found.panel, people)
    return found.model_copy(update={
        "decision": decision, "win_rate": test.rate, "low": test.low, "high": test.high,
        "p": test.p, "detectable": test.detectable, "people": people,
        "votes_only": alone, "predictor": predictor,
        "sentence": f"{head} {by_votes} {predictor.sentence} {general}".strip(),
    })  # fmt: skip


def _decide(test: _Test, alpha: float) -> Decision:
    if test.p < alpha and not test.low <= 0.5 <= test.high:
        return "better" if test.rate > 0.5 else "worse"
    return "no difference shown"
