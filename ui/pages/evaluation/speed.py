"""How fast the models answered and what that costs, and how surprised they were; as HTML."""

from html import escape

from engine.core.evaluation import Evaluation
from ui.pages.evaluation.render import Names

HOUR_S = 3600
NO_PRICE = "The cost of 1,000 answers appears when you say what the machine costs an hour, above."
SURPRISE = (
    "Perplexity: as if the model had to guess each next piece of the right answer among so many "
    "that are equally likely. Lower is better, 1 is certain; models of one family only."
)


def table(evaluation: Evaluation, names: Names, price: float) -> str:
    """A row a model: tokens a second, waits for the first and the last token, memory, cost."""
    timed = any(one.first_p50_s for one in evaluation.speed.values())
    memory = any(one.peak_mb for one in evaluation.speed.values())
    heads = ["Model", "Tokens a second"]
    heads += [
        "Median time to first token",
        "95 % by",
        "Median time to last token",
        "95 % by",
    ] * timed
    heads += ["Seconds per answer", "Slowest 5 %"] * (not timed)
    heads += ["Memory"] * memory + ["Failed"] + ["1,000 answers"] * bool(price)
    rows = "".join(
        _row(evaluation, names, model, price, timed, memory) for model in evaluation.models
    )
    return _table(heads, rows) + f'<p class="tl-hint">{escape(_notes(evaluation, price))}</p>'


def surprise(evaluation: Evaluation, names: Names) -> str:
    """How surprised each model is by the right answers; nothing where that was not measured."""
    if not evaluation.perplexity:
        return ""
    rows = "".join(
        f"<tr><th>{escape(names[model])}</th><td><b>{one.score:,.2f}</b>"
        f"<small>{one.low:,.2f} to {one.high:,.2f}</small></td><td>{one.tokens:,}</td></tr>"
        for model, one in evaluation.perplexity.items()
    )
    heads = ["Model", "Perplexity of the right answers", "Tokens"]
    wide = "".join(
        f'<p class="tl-hint">{escape(f"{names[model]}: {one.caution}")}</p>'
        for model, one in evaluation.perplexity.items()
        if one.caution
    )
    return f'{_table(heads, rows)}{wide}<p class="tl-hint">{SURPRISE}</p>'


def usual_price(evaluation: Evaluation) -> float:
    """The price an hour that the evaluation was started with; 0 where none was said."""
    measured = evaluation.speed[evaluation.models[0]]
    seconds = measured.seconds / max(1, _answered(evaluation, evaluation.models[0])) * 1000
    return round(measured.usd_per_1000 / seconds * HOUR_S, 4) if seconds else 0.0


def cost(evaluation: Evaluation, model: str, price: float) -> float:
    """Dollars for 1,000 answers on a machine of `price` dollars an hour."""
    answered = max(1, _answered(evaluation, model))
    return price / HOUR_S * evaluation.speed[model].seconds / answered * 1000


def _answered(evaluation: Evaluation, model: str) -> int:
    return sum(row.outputs[model].failed is None for row in evaluation.rows)


def _row(
    evaluation: Evaluation, names: Names, model: str, price: float, timed: bool, memory: bool
) -> str:
    measured = evaluation.speed[model]
    times = [measured.p50_s, measured.p95_s]
    if timed:
        times = [measured.first_p50_s, measured.first_p95_s]
        times += [measured.last_p50_s, measured.last_p95_s]
    cells = [f"{measured.tokens_per_s:,.1f}", *(f"{seconds:.2f} s" for seconds in times)]
    peak = measured.peak_mb
    cells += [f"{peak / 1000:,.1f} GB" if peak else "–"] * memory
    cells += [f"{len(evaluation.rows) - _answered(evaluation, model)} of {len(evaluation.rows):,}"]
    cells += [f"${cost(evaluation, model, price):,.4g}"] if price else []
    inside = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr><th>{escape(names[model])}</th>{inside}</tr>"


def _notes(evaluation: Evaluation, price: float) -> str:
    hardware = evaluation.decoding.get("hardware")
    cached = sum(one.cached for one in evaluation.speed.values())
    notes = [f"Measured on {hardware}."] if hardware else []
    notes += ["Times count from the start of the batch that an answer was written in."]
    if cached:
        notes.append(
            f"{cached:,} answers come from an earlier evaluation of the same model, with the times "
            "measured there."
        )
    return " ".join([*notes, *([] if price else [NO_PRICE])])


def _table(heads: list[str], rows: str) -> str:
    titles = "".join(f"<th>{head}</th>" for head in heads)
    return (
        f'<div class="tl-scroll"><table class="tl-scores tl-speed"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
