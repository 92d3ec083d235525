"""The cards of the dashboard: each shows one part of the project and opens the page of it."""

from collections.abc import Mapping, Sequence
from html import escape

from engine.services.dashboard import Changes, Dashboard, ModelScore, NewestScores, Queue, WinRate
from engine.services.evaluation.metrics import title as metric_title
from ui.components import markup, names
from ui.components.page import PageName

WIDTH, HEIGHT = 520, 168  # of the chart, in its own units
LEFT, RIGHT, TOP, BOTTOM = 46, 16, 14, 30
MOST_POINTS = 12
MOST_RATERS = 4
TONES = {"better": "tl-up", "worse": "tl-down"}
NO_RATES = "Close a blind round against the baseline to see the first win rate."
NO_SCORES = "Evaluate a model to see its scores on held-out questions."
NO_VOTES = "Nobody has voted in the last seven days."
ONE_AND_MANY = {
    "votes": ("vote", "votes"),
    "datasets": ("dataset version", "dataset versions"),
    "models": ("model", "models"),
    "evaluations": ("evaluation", "evaluations"),
    "rounds": ("round started", "rounds started"),
    "closed_rounds": ("round closed", "rounds closed"),
    "promotions": ("change of champion", "changes of champion"),
    "failed_jobs": ("job failed", "jobs failed"),
}
PAGES: dict[str, PageName] = {
    "votes": "rating", "datasets": "data", "models": "models", "evaluations": "evaluation",
    "rounds": "rating", "closed_rounds": "rating", "promotions": "loop", "failed_jobs": "jobs",
}  # fmt: skip


def cards(found: Dashboard, queue: Queue, model_names: Mapping[str, str]) -> str:
    """The cards but that of the changes, as HTML; `model_names` is by id."""
    return (
        '<div class="tl-dash">'
        + win_rates(found.win_rates, model_names)
        + scores(found.scores, model_names)
        + votes(found.votes)
        + work(queue)
        + "</div>"
    )


def win_rates(rates: Sequence[WinRate], model_names: Mapping[str, str]) -> str:
    """The chart of win rates against the baseline, and the newest one in numbers."""
    title = "Win rate against the baseline"
    if not rates:
        return _card("rates", title, "loop", f"<p>{NO_RATES}</p>")
    newest = rates[-1]
    name = model_names.get(newest.model_id, names.GONE)
    body = (
        f"<b>{markup.percent(newest.rate)}</b><p>Generation {newest.generation}, {escape(name)}: "
        f"95 % interval {_bounds(newest.low, newest.high, 100)} %</p>{_chart(rates)}"
    )
    return _card("rates", title, "loop", body)


def scores(found: NewestScores | None, model_names: Mapping[str, str]) -> str:
    """The newest evaluation: the trivial baseline, the base and the newest model on one scale."""
    if found is None:
        return _card("scores", "Newest scores", "evaluation", f"<p>{NO_SCORES}</p>")
    rows = "".join(_score(line, model_names) for line in found.lines)
    title = f"{metric_title(found.metric)} on {found.rows} held-out questions"
    return _card("scores", title, "evaluation", f"<dl>{rows}</dl>", found.evaluation_id)


def votes(by_rater: Mapping[str, int]) -> str:
    """Votes of the last seven days and who cast them."""
    title = "Votes in the last seven days"
    if not by_rater:
        return _card("votes", title, "rating", f"<p>{NO_VOTES}</p>")
    shown = list(by_rater.items())[:MOST_RATERS]
    rest = sum(by_rater.values()) - sum(number for _, number in shown)
    rows = "".join(_rater(name, number) for name, number in shown)
    rows += _rater("others", rest) if rest else ""
    body = f"<b>{sum(by_rater.values()):,}</b><p>cast in all rounds together</p><ul>{rows}</ul>"
    return _card("votes", title, "rating", body)


def work(queue: Queue) -> str:
    """The job that runs, how many wait, and the machine."""
    now = f"Running: {queue.running}" if queue.running else "No job is running."
    waiting = "1 job waits" if queue.waiting == 1 else f"{queue.waiting} jobs wait"
    machine = f"{queue.cores} CPU cores, {'worker ready' if queue.worker else 'no worker running'}"
    queued = f"{waiting if queue.waiting else 'The queue is empty'}."
    body = f"<p>{escape(now)}</p><p>{queued}</p><p class='tl-hint'>{machine}</p>"
    return _card("work", "Queue and machine", "jobs", body, queue.running_id or "")


def changes(found: Changes) -> str:
    """What was added since the last visit, each line a link to its page."""
    title = "Since your last visit"
    if found.since is None:
        return _plain(title, "<p>Changes appear here from your next visit on.</p>")
    if not found.any:
        return _plain(title, f"<p>Nothing new since {markup.when(found.since)}.</p>")
    rows = "".join(
        f'<li><button type="button" data-page="{page}">{_count(name, getattr(found, name))}'
        "</button></li>"
        for name, page in PAGES.items()
        if getattr(found, name)
    )
    return _plain(title, f"<p>Since {markup.when(found.since)}</p><ul>{rows}</ul>")


def _count(name: str, number: int) -> str:
    one, many = ONE_AND_MANY[name]
    return f"{number:,} {one if number == 1 else many}"


def _card(name: str, title: str, page: PageName, body: str, aim: str = "") -> str:
    where = f' data-aim="{escape(aim)}"' if aim else ""
    return (
        f'<section class="tl-dash-card tl-dash-{name}"><button type="button" data-page="{page}"'
        f"{where}><h3>{escape(title)}</h3></button>{body}</section>"
    )


def _plain(title: str, body: str) -> str:
    return f'<section class="tl-dash-card tl-dash-new"><h3>{escape(title)}</h3>{body}</section>'


def _rater(name: str, number: int) -> str:
    return f'<li><span dir="auto">{escape(name)}</span><i>{number:,}</i></li>'


def _score(line: ModelScore, model_names: Mapping[str, str]) -> str:
    mean = line.mean
    name = line.name if line.baseline else (
        model_names.get(line.model_id, line.name))  # fmt: skip
    kind = " tl-plain" if line.baseline else ""
    return (
        f'<div class="tl-dash-score{kind}"><dt dir="auto">{escape(name)}</dt>'
        f"<dd>{mean.score:.2f} <small>{mean.low:.2f} to {mean.high:.2f}</small></dd>"
        f'<i aria-hidden="true"><u style="left:{100 * mean.low:.1f}%;'
        f'width:{100 * (mean.high - mean.low):.1f}%"></u>'
        f'<b style="left:{100 * mean.score:.1f}%"></b></i></div>'
    )


def _bounds(low: float, high: float, factor: float) -> str:
    return f"{factor * low:.0f} to {factor * high:.0f}"


def _chart(rates: Sequence[WinRate]) -> str:
    """One point a generation with its interval; the even split is a line."""
    shown = rates[-MOST_POINTS:]
    step = (WIDTH - LEFT - RIGHT) / len(shown)
    points = "".join(_point(LEFT + step * (n + 0.5), rate) for n, rate in enumerate(shown))
    scale = "".join(
        f'<line class="{"tl-even" if at == 0.5 else "tl-axis"}" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
        f'y1="{_y(at):.1f}" y2="{_y(at):.1f}"/>'
        f'<text class="tl-scale" x="{LEFT - 8}" y="{_y(at) + 4:.1f}">{markup.percent(at)}</text>'
        for at in (0.0, 0.5, 1.0)
    )
    spoken = "; ".join(
        f"generation {rate.generation} {markup.percent(rate.rate)}, "
        f"{_bounds(rate.low, rate.high, 100)} %"
        for rate in shown
    )
    return (
        f'<svg class="tl-dash-chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Win rate by generation: {spoken}">{scale}{points}</svg>'
    )


def _point(x: float, rate: WinRate) -> str:
    tone = TONES.get(rate.decision, "tl-level")
    low, high, y = _y(rate.low), _y(rate.high), _y(rate.rate)
    return (
        f'<g class="tl-rate {tone}">'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5"/></g>'
        f'<text class="tl-scale tl-below" x="{x:.1f}" y="{HEIGHT - 8}">{rate.generation}</text>'
    )


def _y(rate: float) -> float:
    return TOP + (1 - rate) * (HEIGHT - TOP - BOTTOM)
