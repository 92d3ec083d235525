"""How many votes a blind test needs, and what a test of a given size can see.

All numbers are those of the exact two-sided binomial test on decisive votes (no ties).
"""

from math import ceil

import numpy as np
import scipy
from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError


class SamplePlan(BaseModel):
    """`n` decisive votes, `votes` with the ties to be expected; `power` is reached at `n`."""

    model_config = ConfigDict(frozen=True)

    n: int
    wins_needed: int
    votes: int
    power: float
    win_rate: float
    alpha: float
    sentence: str


def wins_needed(n: int, alpha: float = 0.05) -> int | None:
    """The fewest wins of `n` decisive votes that show a winner; None where not even all would."""
    wins = int(scipy.stats.binom.isf(alpha / 2, n, 0.5)) + 1 if n > 0 else 1
    return wins if wins <= n else None


def detectable(n: int, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The true win rate that `n` decisive votes show with this power; None where none can."""
    wins = wins_needed(n, alpha)
    if wins is None:
        return None
    return float(
        scipy.optimize.brentq(
            lambda rate: scipy.stats.binom.sf(wins - 1, n, rate) - power, 0.5, 1.0
        )
    )


def plan(
    win_rate: float, power: float = 0.8, alpha: float = 0.05, tie_rate: float = 0.0
) -> SamplePlan:
    """The blind test that shows a true `win_rate` with this power.

    `n` is the smallest even number of decisive votes (sides then balance exactly) that reaches the
    power and still does with 2 and 4 votes more: the power of an exact test is a saw, and the tip
    of a tooth is no plan. UserError outside 0.51 to 1 for `win_rate`, and for other impossible
    values.
    """
    _check(win_rate, power, alpha, tie_rate)
    guess = _normal(win_rate, power, alpha)
    sizes = np.arange(max(2, int(guess * 0.8) // 2 * 2), int(guess * 1.3) + 80, 2)
    wins = scipy.stats.binom.isf(alpha / 2, sizes, 0.5) + 1
    enough = np.where(wins <= sizes, scipy.stats.binom.sf(wins - 1, sizes, win_rate), 0.0) >= power
    at = int(np.argmax(enough[:-2] & enough[1:-1] & enough[2:]))
    n, needed = int(sizes[at]), int(wins[at])
    votes = ceil(n / (1 - tie_rate))
    reached = float(scipy.stats.binom.sf(needed - 1, n, win_rate))
    return SamplePlan(
        n=n, wins_needed=needed, votes=votes, power=reached, win_rate=win_rate, alpha=alpha,
        sentence=_sentence(n, needed, votes, reached, win_rate),
    )  # fmt: skip


def _sentence(n: int, needed: int, votes: int, reached: float, win_rate: float) -> str:
    ties = f" ({votes} votes with the ties expected)" if votes > n else ""
    return (
        f"To show a true win rate of {win_rate * 100:.1f} % you need {n} decisive votes{ties}: "
        f"{needed} wins then show a winner, which happens {reached * 100:.0f} times in 100."
    )


def _normal(win_rate: float, power: float, alpha: float) -> float:
    """The normal approximation of the sample size, where the exact search begins."""
    wanted = float(scipy.stats.norm.ppf(1 - alpha / 2)) * 0.5
    wanted += float(scipy.stats.norm.ppf(power)) * (win_rate * (1 - win_rate)) ** 0.5
    return float((wanted / (win_rate - 0.5)) ** 2)


def _check(win_rate: float, power: float, alpha: float, tie_rate: float) -> None:
    if not 0.51 <= win_rate <= 1:
        raise UserError(f"A win rate of {win_rate} cannot be planned for.", "Choose 0.51 to 1.")
    if not 0.5 <= power <= 0.999:
        raise UserError(f"A power of {power} cannot be planned for.", "Choose 0.5 to 0.999.")
    if not 0.0001 <= alpha <= 0.5:
        raise UserError(f"An alpha of {alpha} cannot be planned for.", "Choose 0.0001 to 0.5.")
    if not 0 <= tie_rate <= 0.95:
        raise UserError(f"A tie rate of {tie_rate} cannot be planned for.", "Choose 0 to 0.95.")
