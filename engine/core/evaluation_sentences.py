"""Results of an evaluation in words: sentences are made here, from decisions and numbers."""

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from engine.core.evaluation import ENOUGH_DECIDING, FEW_ROWS, Evaluation, GainDecision, Mean

MINUS = "\N{MINUS SIGN}"
MOST_NEEDED = 100_000  # rows; a larger number says no more


class Unit(NamedTuple):
    """The rows of a test: `counted` where they are counted, `plain` elsewhere; both singular."""

    counted: str
    plain: str


ROWS = Unit("held-out row", "row")
QUESTIONS = Unit("question", "question")  # of a public benchmark
BASELINES = {
    "baseline:copy": "Copy the question",
    "baseline:frequent": "Always the most frequent answer",
    "baseline:nearest": "The answer of the most similar training row",
}
WINNERS = {GainDecision.BETTER: "Better", GainDecision.WORSE: "Worse"}


class Power(NamedTuple):
    """The `detectable` difference at 80 % power; rows `needed` for the measured one, if any."""

    detectable: float
    needed: int | None


class Measured(NamedTuple):
    """A difference, its interval at `level`, and the number of rows it was measured on."""

    diff: float
    low: float
    high: float
    n: int
    level: float = 0.95


def headline(decision: GainDecision, unit: Unit = ROWS) -> str:
    """The decision itself, as a sentence begins with it."""
    if decision is GainDecision.TOO_FEW:
        return f"No difference shown, too few {unit.plain}s to tell"
    return WINNERS.get(decision, "No difference shown")


def label(decision: GainDecision, unit: Unit = ROWS) -> str:
    """The decision in a few words, for a table."""
    if decision is GainDecision.TOO_FEW:
        return f"too few {unit.plain}s to tell"
    return headline(decision, unit).lower()


def of_gain(
    decision: GainDecision, found: Measured, power: Power | None = None, unit: Unit = ROWS
) -> str:
    """A comparison in a sentence; where no winner is named, also what the test could see."""
    if found.n == 0:
        return f"No difference shown: there is no {unit.plain} that both models answered."
    could = f"; {_power(power, unit)}" if power and decision not in WINNERS else ""
    return f"{headline(decision, unit)}: {_measured(found, unit)}{could}."


def of_chance(
    decision: GainDecision, alone: GainDecision, found: Measured, of: int, unit: Unit = ROWS
) -> str:
    """A comparison that is a winner `alone` and, allowing for all `of` of them, is none."""
    return (
        f"{headline(decision, unit)}: {_measured(found, unit)}; alone it would count as "
        f"{WINNERS[alone].lower()}, but among {of} comparisons chance does as much."
    )


def of_slice(mean: float | None, low: float, high: float, n: int, failed: int, level: float) -> str:
    """The score of a slice in a sentence; `mean` is None where every row failed."""
    rows = f"{_count(n, 'row')}" + (f", {failed} failed" if failed else "")
    if mean is None:
        return f"Nothing is known: {rows}."
    found = f"{mean:.2f} ({level * 100:g} % interval {low:.2f} to {high:.2f}) on {rows}"
    return f"{found}." if n >= FEW_ROWS else f"Too few rows to tell: {found}."


def caveat(mean: Mean) -> str:
    """A warning beside a score's interval where few rows decide it; else nothing."""
    if not mean.few_decide:
        return ""
    n, few = mean.n, mean.deciding
    wanted = FEW_ROWS if few is None else max(FEW_ROWS, n * ENOUGH_DECIDING / few)
    return (
        f"Few rows decide this number: about {n if few is None else round(few):,} of {n:,}, so its "
        f"interval may be too narrow; test on about {rounded_up(wanted)} rows."
    )


def of_cut_answers(evaluation: Evaluation, names: Mapping[str, str]) -> list[str]:
    """A sentence for each model with answers cut at the longest length, in the models' order."""
    longest = evaluation.decoding.get("max_new_tokens", "?")
    sentences = []
    for model in evaluation.models:
        cut = sum(row.outputs[model].cut for row in evaluation.rows if model in row.outputs)
        if cut:
            which = f"{cut} of {len(evaluation.rows)} answers of {names.get(model, model)}"
            verb = "was" if cut == 1 else "were"
            sentences.append(
                f"{which} {verb} cut at {longest} tokens; what would have followed is not scored."
            )
    return sentences


def baseline_title(model_id: str) -> str:
    """The name of an answer that needs no model; any other id is of a model that has gone."""
    return BASELINES.get(model_id, "A model that was deleted")


def rounded_up(rows: float) -> str:
    """Two digits: more would claim to know better."""
    unit = 10 ** max(0, len(str(ceil(rows))) - 2)
    return f"{ceil(rows / unit) * unit:,}"


def _measured(found: Measured, unit: Unit) -> str:
    return (
        f"{_signed(found.diff)} ({found.level * 100:g} % interval {_plain(found.low)} to "
        f"{_plain(found.high)}) on {_count(found.n, unit.counted)}"
    )


def _power(power: Power, unit: Unit) -> str:
    seen = f"this test could see a difference of about {_plain(power.detectable)}"
    if power.needed is None:
        return f"{seen}; none was measured"
    many = (
        f"about {rounded_up(power.needed)}"
        if power.needed <= MOST_NEEDED
        else f"more than {MOST_NEEDED:,}"
    )
    return f"{seen}; {many} {unit.plain}s would be needed for the difference measured here"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + ("s" if n != 1 else "")


def _plain(value: float) -> str:
    digits = 2 if abs(value) >= 0.01 or abs(value) < 0.0005 else 3
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def _signed(value: float) -> str:
    text = _plain(value)
    return text if text[0] == MINUS else f"+{text}"
