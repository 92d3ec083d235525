"""When to stop going round: five rules, each a function of the numbers that answers in a sentence.

Rates run from 0 to 1. `Verdict` is that of a closed blind round (engine/stats/verdict.py);
lists of them are in the order of the generations, the newest last.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from engine.core.evaluation import RegressionCheck
from engine.core.rating import Verdict
from engine.services.evaluation import blind_round_gate

Name = Literal["gain", "regression", "quality", "budget", "ceiling"]
SMALL_GAIN = 0.55  # a win rate against the generation before that is not worth a further round
MOST_TIES = 0.5


class Rule(NamedTuple):
    """`stop` tells whether the rule says to stop; `sentence` why, or why not."""

    name: Name
    stop: bool
    sentence: str


def gain(against_previous: Sequence[Verdict]) -> Rule:
    """Stop when two rounds running could not have gained more than a little."""
    highs = [one.high for one in against_previous[-2:]]
    if len(highs) < 2:
        text = "Fewer than two rounds against the generation before: too early to tell."
        return Rule("gain", False, text)
    stop = all(high < SMALL_GAIN for high in highs)
    bounds = " and ".join(f"{100 * high:.0f} %" for high in highs)
    if stop:
        text = f"The last two rounds gained little: at most {bounds} wins over the one before."
    else:
        text = (
            f"The last two rounds may still have gained: up to {bounds} wins over the one before."
        )
    return Rule("gain", stop, text)


def regression(checks: Sequence[RegressionCheck]) -> Rule:
    """Stop when the newest model regressed against the model it started from."""
    if sentence := blind_round_gate.regression(checks):
        return Rule("regression", True, sentence)
    if not checks:
        return Rule("regression", False, "The newest model is not evaluated beside its start yet.")
    return Rule("regression", False, blind_round_gate.sentence(checks))


def quality(rounds: Sequence[Verdict]) -> Rule:
    """Stop when raters cannot tell the answers apart and find as many of them bad as before."""
    decided = [one for one in rounds[-2:] if one.n]
    if len(decided) < 2:
        return Rule("quality", False, "Fewer than two rounds with votes: too early to tell.")
    before, now = (one.both_bad / one.n for one in decided)
    ties = decided[-1].ties / decided[-1].n
    stop = ties > MOST_TIES and now >= before
    numbers = f"{100 * ties:.0f} % ties; both bad {100 * before:.0f} %, then {100 * now:.0f} %"
    text = "Raters cannot tell the answers apart, and as many are bad as before" if stop else (
        "Raters still tell the answers apart, or fewer are bad than before"
    )  # fmt: skip
    return Rule("quality", stop, f"{text}: {numbers}.")


def budget(used: int, most: int | None, unit: str = "votes") -> Rule:
    """Stop when all is used that was set aside."""
    if most is None:
        return Rule("budget", False, f"{used} {unit} so far; no limit was set.")
    return Rule("budget", used >= most, f"{used} of {most} {unit} are used.")


def ceiling(newest: Verdict | None, noise: float | None) -> Rule:
    """Stop when the model wins as often as raters this noisy could say.

    Even of a perfect model a rater who errs at the rate `noise` prefers it in 1 - noise of the
    votes that name a winner. A rate shown to be higher than that (its 95 % interval) refutes the
    noise, and then nothing says to stop.
    """
    if newest is None or not newest.decisive:
        return Rule("ceiling", False, "No vote in a blind round has a winner yet.")
    if noise is None:
        text = (
            "How noisy the raters are is not known: no pair has a winner from two of them, or "
            "their winners agree no more often than chance."
        )
        return Rule("ceiling", False, text)
    highest, rate = 1 - noise, newest.decisive_rate
    rate_text = f"{100 * rate:.0f} % of the votes with a winner"
    most = f"{100 * highest:.0f} %"
    if rate < highest:
        text = f"{rate_text}; raters this noisy could say up to {most}."
        return Rule("ceiling", False, text)
    if newest.decisive_low > highest:
        text = (
            f"{rate_text}, more than the {most} that their disagreements allow: "
            "no limit is reached."
        )
        return Rule("ceiling", False, text)
    low, high = 100 * newest.decisive_low, 100 * newest.decisive_high
    text = (
        f"{rate_text} ({low:.0f} to {high:.0f} %): no less than the {most} that raters this noisy "
        "would say of a perfect model."
    )
    return Rule("ceiling", True, text)


def reasons(rules: Sequence[Rule]) -> list[str]:
    """The sentences of the rules that say to stop."""
    return [rule.sentence for rule in rules if rule.stop]
