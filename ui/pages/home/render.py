"""The welcome of Home, the progress of the demo, and its report."""

from html import escape

from engine.core.evaluation import Mean
from engine.core.job import Job, State
from engine.core.job_result import DemoExample, DemoReport
from engine.services.evaluation.metrics import title as metric_title
from ui.components import markup
from ui.components.event_cursor import Track

HERO = (
    '<div class="tl-hero"><h1>Make a language model better by judging it blind.</h1>'
    "<p>Add examples and train a small model. Then rate two answers side by side without knowing "
    "which model wrote which. The votes train the next model, and a blind round says whether it "
    "really is better, and how sure that is.</p></div>"
)
DEMO = (
    '<div class="tl-choice-words"><h3>See the whole loop</h3><p>A small model learns from old '
    "answers of a library's help desk. Half of them end with a friendly line. Raters who like "
    "that line vote blind, and the next model learns from their votes.</p><p>You watch it happen, "
    "about 10 minutes on two cores. The raters are simulated and follow that rule; nothing is "
    "scripted to win.</p></div>"
)
OWN = (
    '<div class="tl-choice-words"><h3>Use your own examples</h3><p>Questions with the answers you '
    "want, as JSONL, JSON, CSV or Parquet. About a hundred rows are enough to see a "
    "difference.</p><p>Everything stays on the machine that this server runs on.</p></div>"
)
STAGES = ("Base", "After SFT", "After DPO")


def demo_on_its_way(job: Job, track: Track) -> str:
    """The progress of the demo, or why it ended early; empty once it is done."""
    if job.state is State.DONE:
        return ""
    if job.state is State.CANCELLED:
        return markup.notice("The demo was stopped. What it made so far is in this project.")
    if job.state is State.FAILED:
        return markup.notice(f"The demo stopped early. {job.error or ''}", "bad")
    progress = track.progress
    if not progress:
        return _card(markup.progress(0, 1, "The demo waits for a worker"), "")
    done, total = progress["done"], progress["total"]
    part = f"Part {min(int(done) + 1, int(total))} of {int(total)}"
    bar = markup.progress(done, total, f"{part}: {progress['label']}", progress.get("eta_s"))
    note = "It continues when you leave this page. Each part appears on its own page."
    return _card(bar, note)


def _card(bar: str, note: str) -> str:
    below = f'<p class="tl-hint">{note}</p>' if note else ""
    return f'<div class="tl-panel"><h3>The demo is running</h3>{bar}{below}</div>'


def report(found: DemoReport) -> str:
    """What the demo showed: the verdict, the scores before and after, and what it took."""
    minutes = markup.duration(found.seconds)
    decision, colon, numbers_of_it = markup.tight(found.sentence).partition(": ")
    numbers = [
        markup.stat("Blind win rate", markup.percent(found.win_rate), _percents(found)),
        markup.stat("Votes learned from", f"{found.rated}", f"{found.pairs} training pairs"),
        markup.stat("Time", minutes, f"on {found.cores} cores"),
    ]
    return (
        '<div class="tl-panel"><small class="tl-over">What the demo showed</small>'
        f'<p class="tl-verdict">{escape(decision + colon.rstrip())}</p>'
        f'<p class="tl-verdict-numbers">{escape(numbers_of_it)}</p>{markup.stats(numbers)}'
        f"{_win_bar(found)}{_example(found.example)}{_table(found)}{_facts(found.facts)}"
        f"{_fine_print(found)}</div>"
    )


def _example(example: DemoExample | None) -> str:
    """A question and its answers before and after the votes, beside each other."""
    if example is None:
        return ""
    answers = "".join(
        f"<div><small>{title}</small><p>{escape(text)}</p></div>"
        for title, text in (("Before the votes", example.before), ("After them", example.after))
    )
    return (
        f'<div class="tl-before-after"><p><b>{escape(example.question)}</b></p><div>{answers}</div>'
        f'<p class="tl-hint">The first of {example.differing} held-out questions that the two '
        "models answer differently.</p></div>"
    )


def _facts(sentence: str) -> str:
    """What the votes cost in right answers."""
    if not sentence:
        return ""
    return f'<p class="tl-hint"><b>What the votes cost in facts.</b> {escape(sentence)}</p>'


def _win_bar(found: DemoReport) -> str:
    """The win rate with its interval on a line from 0 to 100 %, a mark at the even split."""
    low, high, rate = (100 * each for each in (found.low, found.high, found.win_rate))
    return (
        f'<div class="tl-winbar" role="img" aria-label="Win rate {rate:.0f} %, 95 % interval '
        f'{low:.0f} to {high:.0f} %"><u style="left:{low:.1f}%;width:{high - low:.1f}%"></u>'
        f'<s></s><b style="left:{rate:.1f}%"></b></div><div class="tl-winbar-words">'
        "<span>the model before wins</span><span>even</span><span>the new model wins</span></div>"
    )


def _table(found: DemoReport) -> str:
    head = "".join(f"<th>{name}</th>" for name in STAGES)
    rows = "".join(
        f"<tr><td>{escape(metric_title(metric))}</td>"
        + "".join(_cell(means[metric]) for means in (found.before, found.sft, found.after))
        + "</tr>"
        for metric in found.before
    )
    return (
        '<div class="tl-scroll"><table class="tl-table"><thead><tr><th>Score, 0 to 1'
        f"</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(mean: Mean) -> str:
    return f"<td>{mean.score:.2f} <small>{mean.low:.2f} to {mean.high:.2f}</small></td>"


def _percents(found: DemoReport) -> str:
    return f"{markup.percent(found.low)} to {markup.percent(found.high)}"


def _fine_print(found: DemoReport) -> str:
    text = (
        f"Blind round of the new model against the one before: {found.votes.words}. "
        f"The raters were simulated. {found.rater.stated} Scores are on "
        f"{found.held_out_rows} rows that no training learned from; the best state of a run was "
        f"chosen by such rows. The small numbers are 95 % intervals. {found.cost_note}"
    )
    return f'<p class="tl-hint">{escape(text)}</p>'


def visitors_note(sentence: str) -> str:
    """What a visitor of an open Space should know of what they make."""
    return f'<p class="tl-fine">{escape(sentence)}</p>'
