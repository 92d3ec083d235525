"""More than two models: one scale of strength from pairwise votes.

D: bootstrap draws, K: models. A model's strength is its log odds of beating the baseline.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from engine.core.errors import UserError
from engine.core.rating import Verdict
from engine.stats.intervals import Interval, expanded, p_words
from engine.stats.rated_pairs import RatedPair, counted, prompt_means
from engine.stats.verdict import verdict

FEW_PROMPTS = 9  # up to here all swaps of two models are tried, beyond it random ones
PULL = 1e-6  # keeps the strength of a model that never lost finite
MOST_MODELS = 100
Ties = Literal["half", "davidson"]
Sparse = Any  # a scipy.sparse.csr_array; scipy loads it at its first use
Floats = NDArray[np.float64]


class Ranked(BaseModel):
    """`strength` is 0 for the baseline; `win_rate` is what it means for a pair of the two.

    `win_rate` counts ties as half, and leaves them out in Davidson's model. The bounds hold for
    other prompts of the same kind; None where votes bound nothing. `wins` counts ties as half.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    strength: float
    low: float | None
    high: float | None
    win_rate: float
    win_low: float
    win_high: float
    wins: float
    votes: int


class Ranking(BaseModel):
    """`models` from the strongest; `matrix` has their order.

    A cell of `matrix` is the share of votes in which the row beat the column, ties as half, None
    where they never met. `tie_strength` is Davidson's nu, None where ties count as half.
    """

    model_config = ConfigDict(frozen=True)

    baseline: str
    models: tuple[Ranked, ...]
    matrix: tuple[tuple[float | None, ...], ...]
    votes: int
    prompts: int
    tie_strength: float | None
    sentence: str
    p: float | None = None  # of the best model and the baseline being alike; None for the same


class _Counts(NamedTuple):
    """Wins of row over column with ties as half, and ties; both (D, K, K)."""

    wins: Floats
    ties: Floats


def ranking(
    rated: Sequence[RatedPair],
    baseline: str,
    ties: Ties = "half",
    level: float = 0.95,
    seed: int = 0,
    draws: int = 400,
) -> Ranking:
    """Bradley and Terry's strengths with intervals from a bootstrap over prompts.

    Of two models the interval and p are those of the verdict on the same votes. Among more, models
    that a perfect record sets apart get one more vote each way before the draws, so that no
    interval has width 0; a model "beats" another where the interval says so and a test that swaps
    the two on each prompt does too (p below 1 - level).

    Ties count as half a win, or by Davidson's model where the tie rate matters. UserError without
    votes, for a baseline without votes, and where groups of models never met: their strengths have
    no common scale. Sources: Bradley and Terry 1952, Biometrika 39:324; Davidson 1970, JASA 65:317.
    """
    votes = [pair for pair in counted(rated) if pair.two_models]
    names = sorted({name for pair in votes for name in pair.pair})
    _check(names, baseline)
    by_prompt = _by_prompt(votes, names)
    once = _summed(by_prompt, np.ones((1, by_prompt[0].shape[0])), len(names))
    _check_connected(once, names)
    anchor, davidson = names.index(baseline), ties == "davidson"
    strengths, nu = _fit(once, davidson)
    point = strengths[0] - strengths[0, anchor]
    of_two = _verdict(votes, names, level) if len(names) == 2 else None
    if of_two and not davidson:
        bounds = _of_verdict(of_two, anchor, by_prompt[0].shape[0])
    else:
        bounds = _bootstrap(_with_doubt(by_prompt, once), anchor, davidson, level, seed, draws)
    order = sorted(range(len(names)), key=lambda k: -point[k])
    models = tuple(_ranked(names[k], k, point, bounds, once) for k in order)

    def alike(k: int) -> float:
        if of_two:
            return of_two.p
        return _swap_p(by_prompt, k, anchor, davidson, seed, draws)

    p = None if order[0] == anchor else alike(order[0])
    apart = _apart(models, names, baseline, level, p, alike)
    return Ranking(
        baseline=baseline, models=models, matrix=_matrix(once, order), votes=len(votes),
        prompts=by_prompt[0].shape[0], tie_strength=float(nu[0]) if davidson else None,
        sentence=_sentence(models, baseline, level, davidson, p, apart), p=p,
    )  # fmt: skip


def _verdict(votes: list[RatedPair], names: list[str], level: float) -> Verdict:
    """What the votes on two models say of the first of `names`."""
    scores = [vote.score(names[0]) for vote in votes]
    won, lost = scores.count(1.0), scores.count(0.0)
    means = list(prompt_means(votes, names[0]).values())
    return verdict(won, lost, len(votes) - won - lost, by_prompt=means, alpha=1 - level)


def _of_verdict(found: Verdict, anchor: int, prompts: int) -> list[Interval]:
    """Bounds of the two strengths, 0 for the baseline; without end where one prompt was asked."""
    if prompts < 2:
        return [Interval(-np.inf, np.inf)] * 2
    low, high = (float(each) for each in scipy.special.logit([found.low, found.high]))
    other = Interval(low, high) if anchor == 1 else Interval(-high, -low)
    return [Interval(0.0, 0.0), other] if anchor == 0 else [other, Interval(0.0, 0.0)]


def _with_doubt(by_prompt: tuple[Sparse, Sparse], once: _Counts) -> tuple[Sparse, Sparse]:
    """The votes with one more each way, on prompts of their own, wherever a record is perfect.

    That is between models no chain of wins leads back from: resampled, their votes never differ.
    """
    won = once.wins[0]
    chain = scipy.sparse.csgraph.connected_components(won > 0, directed=True, connection="strong")[
        1
    ]
    ends = [
        cell
        for i, j in zip(*np.nonzero(np.triu(won + won.T)), strict=True)
        if chain[i] != chain[j]
        for cell in (i * len(won) + j, j * len(won) + i)
    ]
    if not ends:
        return by_prompt
    shape = (len(ends), len(won) ** 2)
    where = (np.arange(len(ends)), np.array(ends))
    doubt = scipy.sparse.csr_array((np.ones(len(ends)), where), shape=shape)
    wins, ties = by_prompt
    return _below(wins, doubt), _below(ties, scipy.sparse.csr_array(shape))


def _below(above: Sparse, below: Sparse) -> Sparse:
    return scipy.sparse.csr_array(scipy.sparse.vstack([above, below]))


def _swap_p(
    by_prompt: tuple[Sparse, Sparse],
    one: int,
    other: int,
    davidson: bool,
    seed: int,
    draws: int,
) -> float:
    """How often two models lie this far apart when they may change places on each prompt.

    A randomisation test of their fitted strengths, with half a win each way between models that
    met. All ways up to FEW_PROMPTS prompts on which either was shown, else random ones.
    """
    wins, ties = by_prompt
    k = round(wins.shape[1] ** 0.5)
    places = np.arange(k)
    places[[one, other]] = other, one
    swapped = (places[:, None] * k + places[None, :]).ravel()
    turned = (scipy.sparse.csr_array(wins[:, swapped]), scipy.sparse.csr_array(ties[:, swapped]))
    moving = np.flatnonzero(np.abs(wins - turned[0]).sum(axis=1))
    exact = len(moving) <= FEW_PROMPTS
    rng = np.random.default_rng(seed)
    if exact:
        flips = (np.arange(2 ** len(moving))[:, None] >> np.arange(len(moving))) & 1
    else:
        flips = rng.integers(0, 2, size=(draws, len(moving)))
    apart = []
    for flip in np.array_split(flips, max(1, len(flips) * max(wins.shape[0], k * k) // 2_000_000)):
        weights = np.zeros((len(flip), wins.shape[0]))
        weights[:, moving] = flip
        kept, gone = _summed(by_prompt, 1 - weights, k), _summed(turned, weights, k)
        counts = _Counts(kept.wins + gone.wins, kept.ties + gone.ties)
        met = (counts.wins + counts.wins.transpose(0, 2, 1)) > 0
        fitted, _ = _fit(counts._replace(wins=counts.wins + met / 2), davidson)
        apart.append(np.abs(fitted[:, one] - fitted[:, other]))
    first = _summed(by_prompt, np.ones((1, wins.shape[0])), k)
    met = (first.wins + first.wins.transpose(0, 2, 1)) > 0
    fitted, _ = _fit(first._replace(wins=first.wins + met / 2), davidson)
    far = np.concatenate(apart) >= abs(float(fitted[0, one] - fitted[0, other])) - 1e-6
    return float(far.mean()) if exact else float((far.sum() + 1) / (len(far) + 1))


def _apart(
    models: tuple[Ranked, ...],
    names: list[str],
    baseline: str,
    level: float,
    p: float | None,
    alike: Callable[[int], float],
) -> bool:
    """Whether the best model is shown to beat the baseline, or as the baseline all others."""
    if p is not None:
        return models[0].win_low > 0.5 and p < 1 - level
    others = [model for model in models if model.name != baseline]
    return all(model.win_high < 0.5 for model in others) and all(
        alike(names.index(model.name)) < 1 - level for model in others
    )


def _check(names: list[str], baseline: str) -> None:
    if not names:
        raise UserError("There is no vote between two models.", "Rate some comparisons first.")
    if baseline not in names:
        raise UserError(
            f"No vote is about the baseline {baseline!r}.",
            f"Choose one of {', '.join(names[:20])}.",
        )
    if len(names) > MOST_MODELS:
        raise UserError(f"There are {len(names)} models.", f"Rank at most {MOST_MODELS} at once.")


def _by_prompt(votes: list[RatedPair], names: list[str]) -> tuple[Sparse, Sparse]:
    """Each prompt's wins with ties as half, and its ties: (prompts, K * K) both."""
    place = {name: k for k, name in enumerate(names)}
    prompt = {name: row for row, name in enumerate(dict.fromkeys(vote.prompt for vote in votes))}
    rows = np.array([prompt[vote.prompt] for vote in votes])
    left = np.array([place[vote.left] for vote in votes])
    right = np.array([place[vote.right] for vote in votes])
    score = np.array([vote.left_score for vote in votes])
    cells = np.concatenate([left * len(names) + right, right * len(names) + left])
    shape, twice = (len(prompt), len(names) ** 2), np.concatenate([rows, rows])
    wins = scipy.sparse.csr_array((np.concatenate([score, 1 - score]), (twice, cells)), shape=shape)
    tied = np.tile((score == 0.5).astype(float), 2)
    return wins, scipy.sparse.csr_array((tied, (twice, cells)), shape=shape)


def _summed(by_prompt: tuple[Sparse, Sparse], weights: Floats, k: int) -> _Counts:
    wins, ties = (np.asarray(weights @ each).reshape(-1, k, k) for each in by_prompt)
    return _Counts(wins, ties)


def _islands(wins: Floats) -> NDArray[np.int_]:
    """The number of the island each model is on; models of one island are linked by votes."""
    return np.asarray(scipy.sparse.csgraph.connected_components(wins + wins.T, directed=False)[1])


def _check_connected(counts: _Counts, names: list[str]) -> None:
    island = _islands(counts.wins[0])
    if island.max() == 0:
        return
    groups = [
        ", ".join(name for name, own in zip(names, island, strict=True) if own == number)
        for number in range(min(5, island.max() + 1))
    ]
    raise UserError(
        f"These groups of models never met: {'; '.join(groups)}.",
        "Rate comparisons across them, or rank each group alone.",
    )


def _fit(counts: _Counts, davidson: bool) -> tuple[Floats, Floats]:
    """Strengths (D, K) that sum to 0, and Davidson's nu (D,), by Newton's method.

    Bradley and Terry's model with ties as half is Davidson's with nu held at 0.
    """
    draws, k, _ = counts.wins.shape
    totals = counts.wins + counts.wins.transpose(0, 2, 1)
    seen = np.concatenate([counts.wins.sum(2), counts.ties.sum((1, 2))[:, None] / 2], axis=1)
    at = np.zeros((draws, k + 1))
    if not davidson:
        at[:, k] = -np.inf
    free = k + davidson
    for _ in range(60):
        expected, information = _moments(at, totals)
        pulled = PULL * np.where(np.isfinite(at), at, 0)
        slope = (seen - expected - pulled)[:, :free]
        curve = information[:, :free, :free] + PULL * np.eye(free)
        step = np.clip(np.linalg.solve(curve, slope[..., None])[..., 0], -2, 2)
        at[:, :free] += step
        if np.abs(step).max() < 1e-9:
            break
    return at[:, :k], np.exp(at[:, k])


def _moments(at: Floats, totals: Floats) -> tuple[Floats, Floats]:
    """Expected scores and ties (D, K + 1), and their covariance (D, K + 1, K + 1)."""
    k = at.shape[1] - 1
    gap = at[:, :k, None] - at[:, None, :k]
    tied = np.exp(at[:, k])[:, None, None]
    tie = tied / (2 * np.cosh(gap / 2) + tied)
    mean = scipy.special.expit(gap) * (1 - tie) + tie / 2
    expected = np.concatenate(
        [(totals * mean).sum(2), (totals * tie).sum((1, 2))[:, None] / 2], axis=1
    )
    spread = totals * (scipy.special.expit(gap) * (1 - tie) + tie / 4 - mean**2)
    with_ties = (totals * tie * (0.5 - mean)).sum(2)
    information = np.zeros((at.shape[0], k + 1, k + 1))
    information[:, :k, :k] = np.eye(k) * spread.sum(2)[:, None] - spread
    information[:, :k, k] = information[:, k, :k] = with_ties
    information[:, k, k] = (totals * tie * (1 - tie)).sum((1, 2)) / 2
    return expected, information


def _bootstrap(
    by_prompt: tuple[Sparse, Sparse],
    anchor: int,
    davidson: bool,
    level: float,
    seed: int,
    draws: int,
) -> list[Interval]:
    """Bounds of each strength; without end where most draws leave models that never met."""
    prompts, k = by_prompt[0].shape[0], round(by_prompt[0].shape[1] ** 0.5)
    rng = np.random.default_rng(seed)
    found = np.full((draws, k), np.nan)
    step = max(1, 2_000_000 // max(prompts, k * k))  # bounds the memory held at once
    for start in range(0, draws, step):
        size = min(step, draws - start)
        weights = rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=size)
        drawn = _summed(by_prompt, weights.astype(float), k)
        fitted, _ = _fit(drawn, davidson)
        linked = [not _islands(each).any() for each in drawn.wins]
        found[start : start + size][linked] = (fitted - fitted[:, [anchor]])[linked]
    found = found[~np.isnan(found[:, 0])]
    if prompts < 2 or len(found) < draws / 2:
        return [Interval(-np.inf, np.inf)] * k
    low, high = np.quantile(found, expanded(level, prompts), axis=0)
    return [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def _ranked(name: str, k: int, point: Floats, bounds: list[Interval], counts: _Counts) -> Ranked:
    low, high = min(bounds[k].low, point[k]), max(bounds[k].high, point[k])
    win_rate, win_low, win_high = (
        float(scipy.special.expit(each)) for each in (point[k], low, high)
    )
    wins = float(counts.wins[0, k].sum())
    votes = round(wins + float(counts.wins[0, :, k].sum()))
    bounded = [float(each) if np.isfinite(each) else None for each in (low, high)]
    return Ranked(
        name=name, strength=float(point[k]), low=bounded[0], high=bounded[1], win_rate=win_rate,
        win_low=win_low, win_high=win_high, wins=wins, votes=votes,
    )  # fmt: skip


def _matrix(counts: _Counts, order: list[int]) -> tuple[tuple[float | None, ...], ...]:
    wins = counts.wins[0]
    met = wins + wins.T
    return tuple(
        tuple(float(wins[i, j] / met[i, j]) if met[i, j] else None for j in order) for i in order
    )


def _sentence(
    models: tuple[Ranked, ...],
    baseline: str,
    level: float,
    davidson: bool,
    p: float | None,
    apart: bool,
) -> str:
    best, of = models[0], f"of {len(models)} models"
    if p is None:
        margin = "and beats each of the others" if apart else "but not shown to beat all others"
        return f"The baseline {baseline} comes first {of}, {margin}."
    unit = "of pairs with a winner" if davidson else "with ties as half"
    found = (
        f"it wins {best.win_rate * 100:.0f} % {unit} against {baseline} "
        f"({level * 100:g} % interval {best.win_low * 100:.0f} to {best.win_high * 100:.0f} %, "
        f"{p_words(p)})"
    )
    if apart:
        return f"{best.name} comes first {of} and beats the baseline: {found}."
    return f"{best.name} comes first {of}, but is not shown to beat the baseline: {found}."
