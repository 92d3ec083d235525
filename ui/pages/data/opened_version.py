"""An opened version: description, statistics, fixes, system prompt, overlaps and uses."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import gradio as gr

from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.services.data import cleaning, datasets, leakage, template_use, versions
from engine.services.data.opened_rows import opened
from engine.services.data.statistics import statistics
from engine.workspace import Workspace
from ui.components import markup, words
from ui.pages.data import charts, findings, fix_preview, version_history
from ui.pages.data import statistics as in_numbers
from ui.pages.data.preview import FEW, LONGEST, base, preview_of
from ui.web.session import who

SHORTEST, LARGEST = 8, 1_000_000  # tokens that a row may be cut at
How = Literal["drop", "move"]
Act = Callable[[Workspace, str], tuple[Dataset, str]]  # to the version then, and a message


def show(ws: Workspace, one: Dataset) -> tuple[Any, ...]:
    """Updates that open a version: its id, the head, the fixes, its first rows; the rest later."""
    found = one.findings
    rows = opened(ws, who(ws), one.id, FEW)
    others = datasets.list_all(ws, who(ws), one.project_id)
    fixes = fix_preview.choices(found)
    listed = findings.listed(found, rows.named)
    return (
        one.id,
        gr.Column(visible=True),
        head(one, {other.id: other.label for other in others}) + listed,
        gr.CheckboxGroup(choices=fixes, value=[], visible=bool(fixes)),
        fix_preview.hint(fixes),
        gr.Button(visible=bool(fixes)),
        gr.Button(visible="mended" in one.origin),
        markup.part("The first rows, as the model sees them") + preview_of(ws, rows.first),
        compared(one, others),
        "",
        gr.Row(visible=False),
        gr.Accordion(visible=rows.lack_system, open=False),
        "",
        "",
    )


def head(one: Dataset, labels: dict[str, str]) -> str:
    """What a version is and where it came from."""
    kind, use = words.KINDS[one.kind]
    text = f"{kind}: {use}. {version_history.origin(one, labels)}"
    sides = f"{one.train_rows:,} {words.use(one.kind)}, {one.held_out_rows:,} held out."
    return markup.part(one.label, f"{text} {sides}")


def compared(one: Dataset, others: Sequence[Dataset]) -> Any:
    """The versions that this one can be compared with, those of its own name first."""
    alike = sorted(
        (other for other in others if other.id != one.id and other.kind == one.kind),
        key=lambda other: (other.name != one.name, other.name, -other.version),
    )
    offered = [(other.label, other.id) for other in alike]
    return gr.Dropdown(choices=[("Choose a version", ""), *offered], value="")


def measured(ws: Workspace, dataset_id: str, longest: Any) -> tuple[Any, ...]:
    """Its numbers: whether there are any, in words, the picture of lengths, and the sorts."""
    model = base(ws)
    if not dataset_id or model is None:
        return gr.Column(visible=False), "", None, ""
    found = statistics(ws, who(ws), dataset_id, model, length(longest))
    shown = gr.Column(visible=True)
    of_template = template_use.of_version(ws, who(ws), dataset_id, model)
    numbers = in_numbers.numbers(found) + (findings.listed(of_template) if of_template else "")
    return shown, numbers, charts.lengths(found), in_numbers.sorts(found)


def length(longest: Any) -> int:
    """The length asked for as tokens; the usual one for an emptied box."""
    if not longest:
        return LONGEST
    if not isinstance(longest, int | float) or not SHORTEST <= longest <= LARGEST:
        raise UserError(
            f"A row can be cut at {SHORTEST} to {LARGEST:,} tokens.", "Give a number between."
        )
    return int(longest)


def related(ws: Workspace, dataset_id: str) -> tuple[Any, ...]:
    """What rests on the version, the questions it shares with tests, and whether to mend that."""
    if not dataset_id:
        return "", "", gr.Row(visible=False)
    overlaps = leakage.overlaps(ws, who(ws), dataset_id)
    used = version_history.uses(versions.used_by(ws, who(ws), dataset_id))
    return used, version_history.overlaps(overlaps), gr.Row(visible=bool(overlaps))


def difference(ws: Workspace, dataset_id: str, other_id: Any) -> str:
    """What lies between the opened version and another, the older one first."""
    if not dataset_id or not other_id:
        return ""
    pair = [datasets.get(ws, who(ws), each) for each in (dataset_id, str(other_id))]
    older, newer = sorted(pair, key=lambda one: (one.created_at, one.version))
    return version_history.difference(versions.diff(ws, who(ws), older.id, newer.id), older, newer)


def change(ws: Workspace, dataset_id: str, fixes: Sequence[str]) -> str:
    """What the ticked fixes would do to the version."""
    if not fixes:
        return fix_preview.hint([("", "")])
    return fix_preview.change(cleaning.preview(ws, who(ws), dataset_id, fixes))


def system_change(ws: Workspace, dataset_id: str, prompt: str) -> str:
    """What adding the system prompt would do to the version; nothing while there is none."""
    return change(ws, dataset_id, [cleaning.system_prompt(prompt)]) if prompt.strip() else ""


def apply_fixes(ws: Workspace, dataset_id: str, fixes: Sequence[str]) -> tuple[Dataset, str]:
    """The next version, with the fixes applied, and a message."""
    new = cleaning.apply(ws, who(ws), dataset_id, fixes)
    return new, _made(ws, dataset_id, new)


def part_overlap(ws: Workspace, dataset_id: str, how: How) -> tuple[Dataset, str]:
    """The next version, without the questions that it shares with tests, and what came of it."""
    new = leakage.without_overlap(ws, who(ws), dataset_id, how)
    return new, _made(ws, dataset_id, new)


def undo(ws: Workspace, dataset_id: str) -> tuple[Dataset, str]:
    """The version that the opened one was made from; the opened one is gone then."""
    gone = datasets.get(ws, who(ws), dataset_id)
    earlier = cleaning.undo(ws, who(ws), dataset_id)
    return earlier, f"{gone.label} is removed; this is {earlier.label} again."


def remove(ws: Workspace, dataset_id: str) -> str:
    """Remove the opened version, and say so."""
    gone = datasets.get(ws, who(ws), dataset_id)
    cleaning.remove(ws, who(ws), dataset_id)
    return f"{gone.label} is removed."


def _made(ws: Workspace, before_id: str, new: Dataset) -> str:
    found = versions.diff(ws, who(ws), before_id, new.id)
    counts = (
        (found.removed.rows, "removed"),
        (found.changed.rows, "changed"),
        (found.moved_side.rows, "moved to the other side"),
    )
    counted = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return f"{new.label} is made: {new.rows:,} rows; {counted}."
