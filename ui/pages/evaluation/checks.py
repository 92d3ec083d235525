"""Checks beside the scores, as HTML: regressions, overlap with training data, cut answers."""

from html import escape

from engine.core.evaluation import Evaluation, Overlap, RegressionCheck
from engine.core.evaluation_sentences import of_cut_answers
from engine.services.evaluation import blind_round_gate, metrics
from ui.components import markup
from ui.pages.evaluation.render import Names, answer_badge

MOST_ROWS = 10  # row numbers named
MOST_LETTERS = 60  # of a reference that is named


def notices(evaluation: Evaluation, names: Names) -> str:
    """Notices for regressions, known questions, cut answers and references that score as equal."""
    regressed = [one for one in evaluation.regression_checks if one.regressed]
    parts = [markup.notice(_regression(one, names), "bad") for one in regressed]
    if evaluation.regression_checks and not regressed:
        doubt = blind_round_gate.unproven(evaluation.regression_checks)
        good = blind_round_gate.sentence(evaluation.regression_checks)
        parts.append(markup.notice(doubt, "warn") if doubt else markup.notice(good, "good"))
    parts += [_seen(evaluation.overlap)] if evaluation.overlap else []
    parts += [markup.notice(text, "warn") for text in of_cut_answers(evaluation, names)]
    twins = metrics.squad_twins(evaluation)
    parts += [markup.notice(_twins(*twins), "warn")] if twins else []
    lines = "".join(_line(one, names) for one in evaluation.regression_checks)
    details = f"<details><summary>All regression checks</summary><ul>{lines}</ul></details>"
    return "".join(parts) + (f'<div class="tl-checks">{details}</div>' if lines else "")


def _regression(one: RegressionCheck, names: Names) -> str:
    before = names.get(one.compared_with, one.compared_with)
    return f"{names.get(one.model, one.model)} regressed against {before}. {one.message}"


def _line(one: RegressionCheck, names: Names) -> str:
    named = escape(names.get(one.model, ""))
    return f"<li>{answer_badge(one)} <b>{named}</b> {escape(one.sentence)}</li>"


def _twins(one: str, other: str) -> str:
    shown = " and ".join(f"“{text[:MOST_LETTERS]}”" for text in (one, other))
    return (
        f"SQuAD's normalisation takes the references {shown} as equal. Exact match and token F1 "
        "tell them apart."
    )


def _seen(overlap: Overlap) -> str:
    text = overlap.message[:1].upper() + overlap.message[1:]
    rows = (*overlap.rows, *overlap.near)
    if not rows:
        return markup.notice(text, "good")
    named = ", ".join(map(str, rows[:MOST_ROWS])) + (" …" if len(rows) > MOST_ROWS else "")
    return markup.notice(f"{text} Rows: {named}.", "warn")
