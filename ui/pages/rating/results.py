"""What a round has brought: counts, the verdict with its picture, the pairs made of the votes."""

from collections.abc import Sequence
from html import escape
from math import ceil

from engine.core.dataset import Dataset
from engine.core.rating import POSITIONS, Panel, Round, Tally, Verdict, VotesAlone
from engine.core.recipe import FEWEST_HELD_OUT_PAIRS
from engine.services.preferences.build import PairExport, left_out
from engine.services.rating import report
from engine.services.rating.flagged_comparisons import Flagged
from engine.services.rating.paused_raters import RaterView
from engine.services.rating.progress import RoundProgress
from engine.services.rating.report import Report
from engine.services.rating.round_verdict import Live
from engine.services.rating.vote_import import refused_words
from ui.components import markup
from ui.components.markup import Tone

PURPOSE = {
    "train_pairs": "Collects preferences that a model is trained on",
    "blind_eval": "Blind test of two models",
    "aa_control": "A/A round: a model against itself",
    "calibration": "Practice for raters; nothing counts",
}
KINDS = {
    "train_pairs": "for training",
    "blind_eval": "blind test",
    "aa_control": "A/A",
    "calibration": "practice",
}
STATUS: dict[str, tuple[str, Tone]] = {
    "preparing": ("answers being written", "busy"),
    "open": ("open", "good"),
    "closed": ("closed", "neutral"),
    "failed": ("failed", "bad"),
}
HEADLINE: dict[str, tuple[str, Tone]] = {
    "better": ("The new model is better", "good"),
    "worse": ("The new model is worse", "bad"),
    "no difference shown": ("No difference shown", "neutral"),
}
PREDICTORS = {
    "length": "length",
    "overlap": "overlap with the reference",
    "head": "reward head of earlier votes",
}
MANY_CUT = 0.25  # of the pairs
HIDDEN = (
    "The result is hidden until the round is closed: seeing it would influence votes, and "
    "stopping at a lucky moment would produce a false winner."
)


def title(rating_round: Round, progress: RoundProgress) -> str:
    """Name, purpose and state of a round as the text of a dropdown."""
    purpose = KINDS[rating_round.purpose]
    words = "imported" if rating_round.imported else STATUS[rating_round.status][0]
    if rating_round.status == "open" and progress.wanted:
        words = f"{progress.votes} of {progress.wanted} votes"
    return f"{rating_round.name} · {purpose} · {words}"


def about(rating_round: Round) -> str:
    """What the shown round is for, and its state."""
    words, tone = STATUS[rating_round.status]
    plan = rating_round.plan
    prompts, overlap, origin = plan.prompts, plan.overlap, plan.origin
    size = f"{prompts} questions" + (f", {overlap} votes on each" if overlap > 1 else "")
    if rating_round.imported and origin:
        return _imported(rating_round, f"{prompts} questions, rated elsewhere; from {origin.file}")
    if plan.predictor != "none":
        size += f"; predictor {PREDICTORS[plan.predictor]}, {plan.further} questions more"
    if origin:
        size += f", with the answers of {origin.file}"
    return (
        f'<div class="tl-round">{markup.badge(words, tone)}'
        f"<p>{escape(PURPOSE[rating_round.purpose])} · {escape(size)}</p></div>"
    )


def _imported(rating_round: Round, notice: str) -> str:
    marks = markup.badge("imported", "neutral")
    if rating_round.mode == "pair" and not rating_round.states_sides:
        marks += markup.badge("not known to be blind", "warn")
    return f'<div class="tl-round">{marks}<p>{escape(notice)}</p></div>'


def share(rating_round: Round) -> str:
    """The link for colleagues; nothing where nothing can be rated."""
    if rating_round.status not in ("open", "preparing"):
        return ""
    path = f"rate/{escape(rating_round.id)}"  # from the page, under whatever prefix
    return (
        '<p class="tl-share">Colleagues on this machine rate on a page of their own: '
        f'<a href="{path}" target="_blank" rel="noopener">open it ↗</a></p>'
    )


def collecting(
    rating_round: Round, seen: Tally, progress: RoundProgress, called: tuple[str, str] | None = None
) -> str:
    """Counts of a round that collects preferences, and whether raters favour a side.

    With names of two models also how often each is the better one.
    """
    votes = progress.votes
    found = [
        markup.stat("votes", f"{votes}", "" if rating_round.imported else f"of {progress.wanted}"),
        markup.stat("with a better answer", f"{seen.left + seen.right}"),
        markup.stat("ties", f"{seen.ties}"),
        markup.stat("both bad", f"{seen.both_bad}"),
        markup.stat("raters", f"{seen.raters}", _rules(seen.panel)),
    ]
    if called and rating_round.mode == "pair" and rating_round.arm_new != rating_round.arm_base:
        found[1:2] = [
            markup.stat(f"better: {called[0][:40]}", f"{seen.wins}"),
            markup.stat(f"better: {called[1][:40]}", f"{seen.losses}"),
        ]
    if rating_round.mode == "single":
        found[1:4] = [markup.stat("good", f"{seen.good}"), markup.stat("bad", f"{seen.bad}")]
    if seen.paused:
        found.append(markup.stat("waiting", f"{seen.paused}", "votes of paused raters"))
    found += _apart(seen)
    shows_sides = votes and rating_round.mode == "pair" and rating_round.states_sides
    bias = f'<p class="tl-fine">{escape(bias_words(seen))}</p>' if shows_sides else ""
    head = "What the votes say so far" if rating_round.status == "open" else "What the votes say"
    return _part(head, markup.stats(found) + bias)


def _rules(panel: Panel) -> str:
    """Simulated raters, and how many opinions they are."""
    if not panel.simulated:
        return ""
    rules = "one rule" if panel.rules == 1 else f"{panel.rules} rules"
    return f"{panel.simulated} simulated, of {rules}"


def _apart(seen: Tally) -> list[str]:
    """Votes that are in no other number."""
    found = []
    if seen.guests:
        found.append(markup.stat("guests' votes", f"{seen.guests}", "not counted"))
    if seen.deleted:
        found.append(markup.stat("deleted", f"{seen.deleted}", "votes, with their rater"))
    return found


def blind(rating_round: Round, progress: RoundProgress, live: Live | None = None) -> str:
    """How far an open blind round is; never how its votes stand."""
    bar = markup.progress(progress.votes, progress.wanted,
                       f"{progress.votes} of {progress.wanted} votes")  # fmt: skip
    seen = rating_round.plan.detectable
    size = f" It can see a win rate of {ceil(100 * seen)} % or more." if seen else ""
    hidden = f'<p class="tl-fine">{escape(HIDDEN + size)}</p>'
    evidence = ""
    if live:
        evidence = markup.notice(live.sentence, "good" if live.enough else "neutral")
    return _part("The result is hidden while people vote", bar + evidence + hidden)


def beside(found: Report) -> str:
    """What stands beside the verdict: the control, agreement, length, and every rater."""
    sentences = [found.sentence] if found.even is not None else []
    sentences += [part.sentence for part in (found.agreement, found.length, found.longer) if part]
    if found.flagged:
        sentences.append(f"{found.flagged} flags wait for a person to look at them.")
    fine = "".join(f"<li>{escape(each)}</li>" for each in sentences)
    plan = (
        f'<p class="tl-fine">Plan {escape(found.plan_sha256[:12])}, frozen before the first vote.'
    )
    inside = f"<ul>{fine}</ul>{raters(found.raters)}{plan}</p>"
    return f'<details class="tl-beside"><summary>Can I trust it?</summary>{inside}</details>'


def raters(found: Sequence[RaterView]) -> str:
    """A row for each rater, those with a reason to look first."""
    if not found:
        return '<p class="tl-fine">Nobody has voted yet.</p>'
    heads = ("Rater", "Votes", "Time per comparison", "Gold items", "Left chosen", "To look at")
    rows = "".join(f"<tr>{_cells(heads, _rater(one))}</tr>" for one in found)
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        '<div class="tl-wide"><table class="tl-settings tl-raters"><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cells(heads: Sequence[str], values: Sequence[str]) -> str:
    """Each says what it is: on a phone they stand below one another, without the heads."""
    return "".join(
        f'<td data-head="{head}">{value}</td>' for head, value in zip(heads, values, strict=True)
    )


def _rater(one: RaterView) -> list[str]:
    known = one.quality
    gold = f"{known.gold.right} of {known.gold.of}" if known.gold.of else "–"
    odd = "; ".join([*known.reasons, *([one.decided] if one.decided else [])]) or "nothing"
    state = markup.badge("paused", "warn") if one.paused else ""
    left = markup.percent(known.left_share) if one.sides else "–"
    seconds = f"{one.seconds:.0f} s" if one.seconds else "–"
    words = (one.rater, f"{one.votes}", seconds, gold, left, odd)
    escaped = [escape(each) for each in words]
    return [f"{escaped[0]} {state}", *escaped[1:]]


def flagged(found: Sequence[Flagged]) -> str:
    """The flags that wait, each with what it is about."""
    if not found:
        return '<p class="tl-fine">Nothing is flagged.</p>'
    items = "".join(
        f"<li><b>{escape(one.kind.replace('_', ' '))}</b> · {escape(one.target)} · "
        f"{escape(one.rater)}<br><span>{escape(_about(one)[:300])}</span>"
        f"{f'<br><i>{escape(one.note)}</i>' if one.note else ''}</li>"
        for one in found
    )
    return f'<ul class="tl-flags">{items}</ul>'


def _about(one: Flagged) -> str:
    asked = one.prompt[-1].content if one.prompt else ""
    texts: dict[str, str] = dict(zip(POSITIONS, (one.left, one.right, *one.more), strict=False))
    return texts.get(one.target, asked)


def bias_words(seen: Tally) -> str:
    """Whether one side of the screen is favoured, with its numbers."""
    return report.position(seen).sentence


def verdict(found: Verdict, seen: Tally, called: tuple[str, str], hidden: dict[str, int]) -> str:
    """The closed blind round: headline, sentence, picture, numbers, and what was not shown."""
    head, tone = HEADLINE[found.decision]
    if found.panel:
        head += f" in the eyes of {found.panel.words}"
    new, base = called
    arms = (
        f'<p class="tl-arms"><span><b>New model</b> {escape(new)}</span>'
        f"<span><b>Baseline</b> {escape(base)}</span></p>"
    )
    numbers = [
        markup.stat("votes cast", f"{found.votes}"),
        markup.stat("wins", f"{found.wins}"),
        markup.stat("losses", f"{found.losses}"),
        markup.stat("ties", f"{found.voted_ties}"),
        markup.stat("both bad", f"{found.both_bad}"),
        markup.stat("decisive votes won",
                 markup.percent(found.decisive_rate) if found.decisive else "–",
                 f"{found.wins} of {found.decisive}"),
        markup.stat("raters", f"{seen.raters}", _rules(seen.panel) or f"{seen.prompts} questions"),
    ]  # fmt: skip
    if found.identical:
        numbers.insert(5, markup.stat("same answer", f"{found.identical}", "questions, no vote"))
    numbers += _apart(seen)
    notes = [bias_words(seen), *_not_shown(hidden)]
    fine = "".join(f'<p class="tl-fine">{escape(note)}</p>' for note in notes)
    return (
        f'<div class="tl-judged tl-{tone}"><h3>{escape(head)}</h3>'
        f"<p>{escape(markup.tight(found.sentence))}</p>"
        f"{arms}{picture(found)}{_votes_alone(found)}</div>{markup.stats(numbers)}{fine}"
    )


def picture(found: Verdict) -> str:
    """The win rate as a point on its interval, with the line of no difference at one half."""
    by = " with the predictor" if found.predictor and found.predictor.used else ""
    words = f"Win rate{by} {_interval(found)}"
    return (
        f'<div class="tl-duel" role="img" aria-label="{escape(words)}">'
        '<div class="tl-duel-ends"><span>← baseline preferred</span>'
        f"<span>new model preferred →</span></div>{_track(found)}"
        '<div class="tl-duel-scale"><span>0 %</span><span>50 % · no difference</span>'
        f"<span>100 %</span></div><p>{escape(markup.tight(words))}; "
        "ties and both bad count half.</p></div>"
    )


def _votes_alone(found: Verdict) -> str:
    """The same picture of the votes alone, where a predictor was used."""
    alone = found.votes_only
    if alone is None or found.predictor is None or not found.predictor.used:
        return ""
    words = f"By votes alone {_interval(alone)}"
    return (
        f'<div class="tl-duel" role="img" aria-label="{escape(words)}">{_track(alone)}'
        f"<p>{escape(markup.tight(words))}.</p></div>"
    )


def _interval(found: Verdict | VotesAlone) -> str:
    return (
        f"{markup.percent(found.win_rate)}, 95 % interval {markup.percent(found.low)} to "
        f"{markup.percent(found.high)}"
    )


def _track(found: Verdict | VotesAlone) -> str:
    low, high, rate = (100 * each for each in (found.low, found.high, found.win_rate))
    return (
        '<div class="tl-duel-track"><i class="tl-duel-half"></i>'
        f'<i class="tl-duel-band" style="left:{low:.2f}%;width:{high - low:.2f}%"></i>'
        f'<i class="tl-duel-dot" style="left:{rate:.2f}%"></i></div>'
    )


def made(export: PairExport, dataset: Dataset, stale: str = "") -> str:
    """The pairs made of the votes, what was left out and why, and whether votes have gone."""
    out = left_out(export.counts)
    left = f"Left out: {out}." if out else "Nothing was left out."
    checked = (
        f"{dataset.train_rows} to learn from, {dataset.held_out_rows} held out to check"
        if dataset.held_out_rows
        else f"all to learn from; fewer than {FEWEST_HELD_OUT_PAIRS} are never held out"
    )
    return (
        f'<div class="tl-made"><b>{export.pairs} pairs</b> from {export.counts["votes"]} votes, '
        f"kept as {escape(dataset.label)}: {checked}.<br><span>{escape(left)}</span></div>"
        f"{markup.notice(stale, 'warn') if stale else ''}"
    )


def cut_short(rating_round: Round, hidden: dict[str, int]) -> str:
    """A notice where many pairs of an open round are missing, because answers were cut."""
    cut, of = hidden.get("truncated", 0), rating_round.plan.prompts
    if not of or cut < MANY_CUT * of:
        return ""
    text = (
        f"{cut} of {of} comparisons are not shown: an answer reached the longest length, "
        f"{rating_round.plan.max_new_tokens} tokens. For more to rate, start another round with "
        "longer answers, under More options."
    )
    return markup.notice(text, "warn")


def _not_shown(hidden: dict[str, int]) -> list[str]:
    sentences = []
    if hidden.get("truncated"):
        cut = hidden["truncated"]
        pairs = "comparison was" if cut == 1 else "comparisons were"
        sentences.append(f"{cut} {pairs} not shown, because an answer reached the longest length.")
    if hidden.get("empty"):
        sentences.append(f"{hidden['empty']} without any answer.")
    if hidden.get("identity"):
        sentences.append(f"{hidden['identity']} in which an answer names its model.")
    if hidden.get("refused"):
        sentences.append(refused_words(hidden["refused"]))
    if hidden.get("identical"):
        same = hidden["identical"]
        sentences.append(f"{same} with two identical answers: counted as a tie, not shown.")
    return sentences


def _part(head: str, html: str) -> str:
    return f'<div class="tl-part"><h3>{escape(head)}</h3></div>{html}'
