"""The loop in a sentence, made from its numbers."""

from engine.core.model import Model
from engine.core.rating import Verdict, same_answer_words, tally_words
from engine.services.loop.generations import Generation, Tested
from engine.stats.verdict import general_words

ALPHA = 0.05
LONGEST_NAME = 60


def with_sentence(one: Generation) -> Generation:
    """The generation with what its test against the baseline says."""
    return one.model_copy(update={"sentence": generation_sentence(one)})


def generation_sentence(one: Generation) -> str:
    """What is known of one generation."""
    name = f"Generation {one.number}"
    regressed = [each.message for each in one.regression_checks if each.regressed]
    if one.against_baseline:
        return f"{name} {_tested(one.against_baseline)}"
    if one.waiting:
        return f"{name} is being compared blind; the result is hidden until the round is closed."
    if regressed:
        return f"{name} was not shown to people, because it regressed: {' '.join(regressed)}"
    if one.against_previous:
        return (
            f"{name} was compared blind with the one before it, and not with the baseline: "
            f"{one.against_previous.report.sentence}"
        )
    return f"{name} has not been compared with the baseline yet."


def of_all(seen: list[Generation], start: Model | None) -> str:
    """What the newest generation with a result shows; what is missing where there is none."""
    if start is None:
        return "No model has been trained yet, so there is nothing to measure against."
    tested = [one for one in seen if one.against_baseline]
    if tested:
        return tested[-1].sentence
    if seen:
        return seen[-1].sentence
    return (
        f"{start.name[:LONGEST_NAME]} is the baseline. Rate its answers, train on the votes, and "
        "compare the two blind: each round becomes a point here."
    )


def _tested(one: Tested) -> str:
    verdict = one.report.verdict
    seen = one.report.tally
    if verdict is None or not verdict.n:
        return "has a closed blind round without a vote."
    numbers = (
        f"on {seen.prompts} held-out questions{same_answer_words(verdict.identical)}: it wins "
        f"{100 * verdict.win_rate:.1f} % on average "
        f"(95 % interval {100 * verdict.low:.1f} to {100 * verdict.high:.1f} %), "
        f"{_tally(verdict)}, {_raters(one)}"
    )
    if verdict.decision == "no difference shown":
        could = (
            f"this test could see a win rate of {100 * verdict.detectable:.1f} % or more"
            if verdict.detectable
            else "a test this small could not have shown one"
        )
        return f"shows no difference from the baseline {numbers}; {could}.{_luck(one)}"
    verb = "beats" if verdict.decision == "better" else "loses to"
    general = general_words(verdict.decision, verdict.panel, verdict.people)
    return f"{verb} the baseline {numbers}{_explained(one)}.{_luck(one)} {general}".rstrip()


def _tally(test: Verdict) -> str:
    return tally_words(test.wins, test.losses, test.ties, test.both_bad, test.identical)


def _raters(one: Tested) -> str:
    who = one.report.tally.panel.words
    raw = one.report.agreement.raw
    return who if raw is None else f"{who} who agree on {100 * raw:.0f} % of what two of them saw"


def _explained(one: Tested) -> str:
    """Whether length or side may be why."""
    found, position = one.report.length, one.report.position
    parts = []
    if found and found.win_rate is not None and found.length:
        verdict = one.report.verdict
        settled = verdict is not None and (
            (verdict.decision == "better" and found.low > 0.5)
            or (verdict.decision == "worse" and found.high < 0.5)
        )
        word = "not explained by length" if settled else "length may explain it"
        parts.append(f"{word} (at equal lengths {100 * found.win_rate:.0f} %)")
    if position and (one.report.tally.left + one.report.tally.right):
        left = one.report.tally.left / (one.report.tally.left + one.report.tally.right)
        word = "raters favour a side" if position.biased else "no side is shown to be favoured"
        parts.append(f"{word} (left {100 * left:.0f} %)")
    return f"; {', '.join(parts)}" if parts else ""


def _luck(one: Tested) -> str:
    """Several rounds were held, of one generation or more: one of them may be won by luck alone."""
    text = ""
    if one.earlier:
        text = (
            f" It is the newest of {len(one.earlier) + 1} blind rounds of these two models; all of "
            "them are allowed for."
        )
    if one.p < ALPHA or one.report.verdict is None or one.report.verdict.p >= ALPHA:
        return text
    return (
        f"{text} With so many rounds tested, one such result could be luck "
        f"(p {one.report.verdict.p:.2g} alone, {one.p:.2g} among all)."
    )
