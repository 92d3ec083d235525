"""A version among others, as HTML: differences, uses and shared questions."""

from collections.abc import Sequence
from html import escape

from engine.core.dataset import Dataset, Row
from engine.services.data.leakage import SplitOverlap
from engine.services.data.usage import Use
from engine.services.data.versions import Difference, Part
from ui.components import markup
from ui.pages.data import fix_preview, row_view

USED: dict[str, str] = {
    "run": "Jobs",
    "model": "Models",
    "evaluation": "Evaluations",
    "round": "Rating rounds",
    "pairs": "Preference pairs",
    "version": "Later versions",
}
LISTED = 12  # names of a sort
ON_BOTH = {
    "evaluation": "rows to train on are test questions of {}",
    "blind round": "rows to train on are asked in the blind round {}",
    "training": "held-out rows are trained on in {}",
    "rating round": "held-out rows are rated for training in {}",
}


def difference(found: Difference, older: Dataset, newer: Dataset) -> str:
    """What lies between two versions, with the first rows of each sort."""
    numbers = [
        markup.stat("Added", f"{found.added.rows:,}"),
        markup.stat("Removed", f"{found.removed.rows:,}"),
        markup.stat("Changed", f"{found.changed.rows:,}"),
        markup.stat("Changed sides", f"{found.moved_side.rows:,}"),
        markup.stat("Unchanged", f"{found.kept.rows:,}"),
    ]
    parts = (
        ("Rows added", found.added),
        ("Rows removed", found.removed),
        ("Rows changed", found.changed),
        ("Rows that changed sides", found.moved_side),
    )
    title = f'<p class="tl-hint">From {escape(older.label)} to {escape(newer.label)}</p>'
    return title + markup.stats(numbers) + "".join(_part(name, part) for name, part in parts)


def uses(found: Sequence[Use]) -> str:
    """What was made with the version, by sort."""
    if not found:
        return markup.notice("Nothing uses this version yet.", "neutral")
    named: dict[str, list[str]] = {}
    for use in found:
        named.setdefault(use.kind, []).append(use.name)
    lines = "".join(
        f"<div><dt>{USED[kind]}</dt><dd>{escape(_listed(names))}</dd></div>"
        for kind, names in named.items()
    )
    return f'<dl class="tl-layouts">{lines}</dl>'


def origin(one: Dataset, labels: dict[str, str]) -> str:
    """Where a version came from, in a sentence."""
    made = one.origin
    if "mended" in made:
        earlier = labels.get(str(made["mended"]), "a version that is gone")
        fixes = ", ".join(fix_preview.title(str(fix)) for fix in made.get("fixes", []))
        return f"Made from {earlier}: {fixes}."
    if "hub" in made:
        return f"From {made['hub']} on the Hugging Face Hub, revision {str(made['revision'])[:12]}."
    if "pairs" in made:
        return "Made from the votes of a rating round."
    if "playground" in made:
        return "Collected in the playground."
    sheet = f", sheet {str(made['sheet'])[:40]}" if made.get("sheet") else ""
    split = " Its train and test files keep their own split." if made.get("own_split") else ""
    return f"From the file {str(made.get('upload', one.name))[:120]}{sheet}.{split}"


def overlaps(found: Sequence[SplitOverlap]) -> str:
    """The shared questions, and why they matter."""
    if not found:
        return markup.notice("No overlap between training and held-out questions.", "good")
    return "".join(markup.notice(_overlap(one), "warn") for one in found) + (
        '<p class="tl-hint">A model scores too high on test questions that it was trained on.</p>'
    )


def _overlap(one: SplitOverlap) -> str:
    rows = ON_BOTH[one.kind].format(one.other)
    known = [row for row in one.rows if row][:5]  # pairs once had no numbers: all of them 0
    numbers = ", ".join(f"{row:,}" for row in known) + (", …" if one.count > len(known) else "")
    if one.count == 1:
        rows = rows.replace("rows ", "row ", 1).replace(" are ", " is ", 1)
        rows = rows.replace("test questions", "a test question", 1)
    where = f" (row {numbers})" if known else ""
    return f"{one.count:,} {rows}{where}."


def _part(name: str, part: Part) -> str:
    if not part.rows:
        return ""
    shown = "".join(_pair(older, newer) for older, newer in part.samples)
    summary = f"{name}: show {len(part.samples):,} of {part.rows:,}"
    return f'<details class="tl-show"><summary>{summary}</summary>{shown}</details>'


def _pair(older: Row | None, newer: Row | None) -> str:
    row = newer or older
    if row is None:
        return ""
    head = f"<small>Row {row.example.source_row:,}{_sides(older, newer)}</small>"
    before = f"<del>{row_view.line(older.example)}</del>" if older else ""
    after = row_view.line(newer.example) if newer else ""
    if older and newer and older.example == newer.example:
        return head + after
    return head + before + after


def _sides(older: Row | None, newer: Row | None) -> str:
    words = {"train": "to train", "held_out": "held out"}
    if older and newer and older.split != newer.split:
        return f", was {words[older.split]}, is {words[newer.split]}"
    return ""


def _listed(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more:,} more" if more > 0 else "")
