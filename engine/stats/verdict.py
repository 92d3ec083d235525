"""The verdict of votes: is a model better, and its win rate's interval (Bonett and Price).

`core/evaluation.py` decides on metrics.

What a round shows in the end, with early looks and deleted votes, is
`services/rating/round_verdict.py`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy

from engine.core.errors import UserError
from engine.core.rating import (
    Decision,
    Panel,
    People,
    Verdict,
    panel_of,
    rule_or_rater,
    same_answer_words,
    tally_words,
)
from engine.stats.intervals import SAME, Interval, mean_interval, p_words, wilson
from engine.stats.paired import sign_flip_p
from engine.stats.power import detectable, wins_needed
from engine.stats.rater_population import FEWEST_RATERS, RaterScore, people

EVEN = 0.4  # an A/A round is even where its interval lies within this and its mirror


class _Test(NamedTuple):
    win_rate: float
    low: float
    high: float
    p: float
    detectable: float | None


def verdict(
    wins: int,
    losses: int,
    ties: int = 0,
    both_bad: int = 0,
    by_prompt: Sequence[float] | None = None,
    names: tuple[str, str] = ("the new model", "the baseline"),
    identical: int = 0,
    alpha: float = 0.05,
    votes: Sequence[RaterScore] = (),
) -> Verdict:
    """Whether the first of `names` is better; `by_prompt` holds each prompt's mean in [0, 1].

    The rule, the same for every test: a winner is named only where p < alpha and the interval of
    the win rate leaves out one half. With one vote a prompt, p is the exact binomial test on
    decisive votes and the interval is Bonett and Price's adjusted Wald (so of 100 decisive votes
    61 wins are needed). Where raters overlap, votes on a prompt are not independent: both come
    from the prompts' means, p by sign flips and the interval by Student's t. `votes` tell whose
    they are: the sentence names the raters, and from four on says what holds for people in general.
    UserError for counts that cannot be.
    """
    _check((wins, losses, ties, both_bad), by_prompt)
    n, decisive = wins + losses + ties + both_bad, wins + losses
    counts = tally_words(wins, losses, ties, both_bad, identical)
    overlap = by_prompt is not None and 0 < len(by_prompt) < n
    questions = len(by_prompt) if overlap and by_prompt is not None else n
    test = _clustered(by_prompt or (), alpha) if overlap else _single(wins, losses, n, alpha)
    rate = wins / decisive if decisive else 0.5
    low, high = wilson(rate, decisive, 1 - alpha) if decisive else (0.0, 1.0)
    panel = panel_of(vote.rater for vote in votes) if votes else None
    general = _general(votes, identical, alpha, _decide(test, alpha))
    found = _sentence(
        test,
        names,
        counts,
        decisive,
        alpha,
        _measured(questions, identical) if overlap or identical else "",
        panel,
    )
    return Verdict(
        sentence=f"{found} {general_words(_decide(test, alpha), panel, general)}".strip(),
        decision=_decide(test, alpha),
        **test._asdict(),
        n=n,
        decisive=decisive,
        decisive_rate=rate,
        decisive_low=low,
        decisive_high=high,
        wins=wins,
        losses=losses,
        ties=ties,
        both_bad=both_bad,
        identical=identical,
        panel=panel,
        people=general,
    )


def _general(
    votes: Sequence[RaterScore], identical: int, alpha: float, decision: Decision
) -> People | None:
    """What holds for people in general; nothing that the votes do not show of their own raters."""
    found = people(
        [vote._replace(rater=rule_or_rater(vote.rater)) for vote in votes], identical, alpha
    )
    if found is None or found.decision == decision:
        return found
    return found.model_copy(update={"decision": "not shown"})


def votes_for_even(alpha: float = 0.05) -> int:
    """Votes without ties after which an even A/A round has its interval within `EVEN`."""
    votes = 2
    while bonett_price(votes // 2, votes // 2, votes, 1 - alpha).low < EVEN:
        votes += 2
    return votes


def eyes_of(panel: Panel | None) -> str:
    """Whose opinion a decision is, as a sentence says it; empty where nobody is known."""
    return f" in the eyes of {panel.words}" if panel else ""


def general_words(decision: Decision, panel: Panel | None, general: People | None) -> str:
    """What the votes say of people who were not asked; empty where the raters are not known."""
    if general:
        band = f"{100 * general.low:.1f} to {100 * general.high:.1f} %"
        if general.decision == "not shown":
            return f"For people in general ({band}, raters as a sample too) no winner is shown."
        return (
            f"For people in general it is {general.decision} too ({band}, raters as a sample too)."
        )
    if panel is None or decision == "no difference shown":
        return ""
    return f"Of people in general this says nothing: that takes {FEWEST_RATERS} raters or more."


def _measured(questions: int, identical: int) -> str:
    """What a mean over questions is of."""
    return f"on {questions} questions{same_answer_words(identical)}, "


def _check(counts: tuple[int, ...], by_prompt: Sequence[float] | None) -> None:
    if min(counts) < 0:
        raise UserError("Votes cannot be negative.", "Give the numbers of wins, losses and ties.")
    if by_prompt is None:
        return
    if len(by_prompt) > sum(counts):
        raise UserError(
            f"There are {len(by_prompt)} prompts but {sum(counts)} votes.",
            "Leave out the prompts without a vote.",
        )
    if not all(0 <= mean <= 1 for mean in by_prompt):
        raise UserError("A prompt's mean is outside 0 to 1.", "Count a win 1 and a tie one half.")


def bonett_price(wins: int, losses: int, n: int, level: float = 0.95) -> Interval:
    """Bounds of the win rate with ties as half, one vote a prompt, inside [0, 1].

    Source: Bonett and Price 2012, J. Educ. Behav. Stat. 37:479, for the difference wins - losses.
    """
    z = float(scipy.stats.norm.ppf((1 + level) / 2))
    p1, p2 = (wins + 1) / (n + 2), (losses + 1) / (n + 2)
    half = z * ((p1 + p2 - (p1 - p2) ** 2) / (n + 2)) ** 0.5
    low, high = (0.5 + (p1 - p2 + side) / 2 for side in (-half, half))
    return Interval(max(0.0, low), min(1.0, high))


def _single(wins: int, losses: int, n: int, alpha: float) -> _Test:
    decisive = wins + losses
    p = float(scipy.stats.binomtest(wins, decisive).pvalue) if decisive else 1.0
    rate = (wins + (n - decisive) / 2) / n if n else 0.5
    bounds = bonett_price(wins, losses, n, 1 - alpha)
    # at 0 and n wins the shrunk interval can end short of the rate itself
    bounds = Interval(min(bounds.low, rate), max(bounds.high, rate))
    seen = detectable(decisive, alpha=alpha)
    if seen is not None:  # of the decisive votes; ties pull the win rate towards one half
        seen = 0.5 + (seen - 0.5) * decisive / n
    return _Test(rate, *bounds, p, seen)


def _clustered(by_prompt: Sequence[float], alpha: float) -> _Test:
    means = np.asarray(by_prompt, dtype=float)
    n, rate = len(means), float(means.mean())
    error = float(means.std(ddof=1)) / n**0.5 if n > 1 else 0.0
    p = sign_flip_p(means - 0.5)
    # where so few prompts are off one half, no outcome reaches p < alpha
    moving = int((np.abs(means - 0.5) > SAME).sum())
    able = wins_needed(moving, alpha) is not None
    if error == 0:  # prompts alike: Student's t would be perfectly sure of them
        bounds = mean_interval(means.tolist(), 1 - alpha)
        return _Test(rate, *bounds, p, detectable(n, alpha=alpha) if able else None)
    half = float(scipy.stats.t.ppf(1 - alpha / 2, n - 1)) * error
    reach = float(scipy.stats.t.ppf(1 - alpha / 2, n - 1) + scipy.stats.norm.ppf(0.8)) * error
    bounds = Interval(max(0.0, rate - half), min(1.0, rate + half))
    return _Test(rate, *bounds, p, 0.5 + reach if able and reach < 0.5 else None)


def _decide(test: _Test, alpha: float) -> Decision:
    if test.p < alpha and test.low > 0.5:
        return "better"
    if test.p < alpha and test.high < 0.5:
        return "worse"
    return "no difference shown"


def _sentence(
    test: _Test,
    names: tuple[str, str],
    counts: str,
    decisive: int,
    alpha: float,
    measured: str,
    panel: Panel | None,
) -> str:
    new, base = names
    decision = _decide(test, alpha)
    if decisive == 0:
        return f"No difference shown: no vote prefers {new} or {base} ({counts})."
    rate, low, high = (100 * x for x in (test.win_rate, test.low, test.high))
    unit = "on average" if measured else "of votes with ties as half"
    found = (
        f"{rate:.1f} % {unit} ({(1 - alpha) * 100:g} % interval {low:.1f} to "
        f"{high:.1f} %, {p_words(test.p)}; {counts})"
    )
    if decision != "no difference shown":
        head = f"{new[:1].upper()}{new[1:]} is {decision} than {base}{eyes_of(panel)}"
        return f"{head}: {measured}it wins {found}."
    if test.detectable is None:
        could = "a test this small could not have shown one"
    else:
        could = f"this test could see a win rate of {test.detectable * 100:.1f} % or more"
    if not test.low <= 0.5 <= test.high:  # the interval is close to the test, not its inverse
        could = f"the interval leaves out 50 %, but the test decides, and it does not; {could}"
    head = f"No difference shown between {new} and {base}{eyes_of(panel)}"
    return f"{head}: {measured}{new} wins {found}; {could}."
