"""The results as text: what each loss wins, how many votes a shown win took, what coins show."""

from collections import defaultdict
from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from scipy.stats import t

from tests.bench.loopbench.grid import COIN, LOSSES
from tests.bench.loopbench.run import ROUNDS

HEAD = (
    "| data | tuning | loss | votes | noise | seeds | win rate (95 %) | rounds that end better | "
    "votes to a win (95 %) | facts |\n|---|---|---|---|---|---|---|---|---|---|"
)


def whole(rows: Sequence[dict]) -> str:
    """Everything, as Markdown."""
    judged = [row for row in rows if row["rate"] is None]
    told = [row for row in judged if row["noise"] < COIN]
    coins = [row for row in judged if row["noise"] == COIN]
    parts = [HEAD, *_lines(told), "", *_compared(told), "", _null(coins), _time(rows)]
    return "\n".join(part for part in parts if part is not None)


def interval(values: Sequence[float]) -> str:
    """Mean and Student's interval of it, in the seeds."""
    mean = fmean(values)
    if len(values) < 2:
        return f"{mean:.3g}"
    half = t.ppf(0.975, len(values) - 1) * stdev(values) / sqrt(len(values))
    return f"{mean:.3g} ({mean - half:.3g} to {mean + half:.3g})"


def _grouped(rows: Sequence[dict]) -> dict[tuple, list[dict]]:
    found = defaultdict(list)
    for row in rows:
        found[row["data"], row["tuning"], row["votes"], row["noise"], row["loss"]].append(row)
    order = list(LOSSES)
    return dict(sorted(found.items(), key=lambda one: (*one[0][:4], order.index(one[0][4]))))


def _lines(rows: Sequence[dict]) -> list[str]:
    found = []
    for (data, tuning, votes, noise, loss), group in _grouped(rows).items():
        won = interval([row["win"] for row in group])
        better = fmean(row["better"] for row in group)
        total = interval([row["votes"] + row["asked"] for row in group])
        reached = fmean(row["early"] for row in group)
        facts = fmean(row["facts"] for row in group)
        found.append(
            f"| {data} | {tuning} | {loss} | {votes} | {noise:g} | {len(group)} | {won} | "
            f"{better:.0%} | {total}, reached by {reached:.0%} | {facts:.2f} |"
        )
    return found


def _compared(rows: Sequence[dict]) -> list[str]:
    """Each loss against sigmoid on the same votes: the mean difference of the win rates."""
    found = ["Difference to sigmoid on the same votes, seeds and noise (win rate, 95 %):"]
    known = {_place(row): row["win"] for row in rows if row["loss"] == "sigmoid"}
    pairs = defaultdict(list)
    for row in rows:
        if row["loss"] != "sigmoid" and _place(row) in known:
            pairs[row["data"], row["tuning"], row["loss"]].append(row["win"] - known[_place(row)])
    for (data, tuning, loss), differences in sorted(pairs.items()):
        found.append(f"- {data}, {tuning}, {loss}: {interval(differences)}, n = {len(differences)}")
    return found


def _place(row: dict) -> tuple:
    return tuple(row[name] for name in ("data", "tuning", "votes", "noise", "seed"))


def _null(coins: Sequence[dict]) -> str:
    if not coins:
        return "No row of raters who toss coins yet."
    rounds = ROUNDS * len(coins)
    named = round(sum((row["better"] + row["worse"]) * ROUNDS for row in coins))
    shown = 1 - named / rounds
    return (
        f"Raters who toss coins: {shown:.1%} of {rounds} blind rounds on {len(coins)} trainings "
        "end with no difference shown (95 % or more is promised)."
    )


def _time(rows: Sequence[dict]) -> str:
    seconds = [row["cpu_s"] for row in rows]
    return f"{len(rows)} cells, {fmean(seconds):.1f} CPU seconds each, {sum(seconds) / 60:.0f} min."
