"""The panel that brings votes, ratings or answers of a file into the project."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.core.imported_votes import VoteMapping, VoteRole, vote_mapping
from engine.core.rating import Purpose
from engine.services.rating import existing_answers, plans, vote_import
from engine.services.rating.existing_answers import AnswerColumns, AnswerPreview
from engine.services.rating.plans import RoundRecipe
from engine.services.rating.vote_import import VoteImport, VotePreview
from engine.workspace import Workspace
from ui.components import markup
from ui.components.page import Page, opened
from ui.web.errors import shows_errors
from ui.web.session import who

SUFFIXES = [".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".ndjson", ".parquet", ".zip", ".gz"]
VOTES, ANSWERS = "votes", "answers"
KINDS = [("Votes or ratings", VOTES), ("Answers that people still have to rate", ANSWERS)]
PURPOSES: list[tuple[str, Purpose]] = [
    ("For training", "train_pairs"), ("As a blind test of two models", "blind_eval"),
]  # fmt: skip
ROLES: dict[VoteRole, str] = {
    "choice": "Choice",
    "rater": "Rater",
    "prompt": "Prompt",
    "left_model": "Model on the left",
    "right_model": "Model on the right",
    "left_answer": "Answer on the left",
    "right_answer": "Answer on the right",
    "model_a": "Model A, side unknown",
    "model_b": "Model B, side unknown",
    "answer_a": "Answer A, side unknown",
    "answer_b": "Answer B, side unknown",
    "rating": "Rating of one answer",
    "answer": "The rated answer",
    "model": "Its model",
}
OF_ONE: tuple[VoteRole, ...] = ("rating", "answer", "model")
OF_BOTH: tuple[VoteRole, ...] = ("rater", "prompt")
MOST_OFFERED = 300  # columns
SHOWN = 5  # rows
FIRST_MODEL = ""
FIRST = ("The first that the file names", FIRST_MODEL)
GUIDE = (
    "<p>Import votes that people gave elsewhere, or answers that they still have to rate:</p><ul>"
    "<li><b>Tables</b>: one vote a row with <code>prompt</code>, <code>rater</code>, "
    "<code>model_left</code>, <code>model_right</code> and <code>choice</code>. Other names can be "
    "mapped.</li><li><b>Exports</b> of Label Studio, Argilla, Open WebUI, LangSmith and Langfuse."
    "</li><li><b>Answers</b>: a prompt with two or more answers a row.</li></ul>"
)


class HeldFile(NamedTuple):
    """A file that was uploaded in this session."""

    path: str
    name: str


class FilePanel(NamedTuple):
    """The components; `held` keeps the upload, `roles` are in the order of ROLES."""

    held: gr.State
    file: gr.File
    report: gr.HTML
    kind: gr.Radio
    columns: gr.Accordion
    roles: list[gr.Dropdown]
    asked: gr.Dropdown
    answers: gr.Dropdown
    options: gr.Column
    purpose: gr.Radio
    new: gr.Dropdown
    overlap: gr.Slider
    name: gr.Textbox
    go: gr.Button
    rows: gr.HTML

    @property
    def given(self) -> list[Any]:
        """The components whose values `wanted` takes, in its order."""
        return [self.held, self.kind, self.purpose, self.new, self.overlap, self.name,
                self.asked, self.answers, *self.roles]  # fmt: skip

    @property
    def drawn(self) -> list[Any]:
        """The components that a look at the file updates, in the order of `_updates`."""
        return [self.report, self.kind, self.columns, self.asked, self.answers, *self.roles,
                self.options, self.new, self.overlap, self.go, self.rows]  # fmt: skip


class Wanted(NamedTuple):
    """What the panel asks for, as the browser sent it."""

    held: HeldFile | None
    kind: str
    purpose: Purpose
    new: str
    overlap: int
    name: str
    asked: str
    answers: tuple[str, ...]
    mapping: VoteMapping | None


def build() -> FilePanel:
    """A file on one side, what was understood on the other; options, button and rows below."""
    held = gr.State(None)
    with gr.Row(equal_height=False, elem_classes="tl-drop"):
        with gr.Column(scale=2, min_width=280):
            file = gr.File(
                label="CSV, Excel, JSONL, JSON, Parquet or ZIP", file_types=SUFFIXES, height=150,
                elem_id="bring-file",
            )  # fmt: skip
            kind = gr.Radio(KINDS, value=VOTES, label="The file holds", visible=False,
                            elem_id="bring-kind")  # fmt: skip
        with gr.Column(scale=3, min_width=280):
            report = gr.HTML(GUIDE, elem_id="bring-report")
    columns = gr.Accordion("Columns", open=False, visible=False, elem_id="bring-columns")
    with columns, gr.Row(elem_classes="tl-roles"):
        asked = _column("Prompt", "bring-asked")
        answers = gr.Dropdown([], value=[], multiselect=True, label="Columns of answers",
                              info="Each is called like its model", min_width=220,
                              visible=False, elem_id="bring-answers")  # fmt: skip
        roles = [_column(label, f"bring-map-{role}") for role, label in ROLES.items()]
    with gr.Column(visible=False) as options:
        with gr.Row():
            purpose = gr.Radio(PURPOSES, value="train_pairs", label="Use", elem_id="bring-purpose")
            new = gr.Dropdown([FIRST], value=FIRST_MODEL, label="Model under test",
                              elem_id="bring-new")  # fmt: skip
        with gr.Row():
            overlap = gr.Slider(1, 5, 1, step=1, label="Votes per comparison",
                                elem_id="bring-overlap")  # fmt: skip
            name = gr.Textbox("", label="Name", info="Optional; by default the file's",
                              max_length=60, elem_id="bring-name")  # fmt: skip
    go = gr.Button("Add the votes", variant="primary", visible=False, elem_id="bring-add")
    rows = gr.HTML("", elem_id="bring-rows")
    return FilePanel(held, file, report, kind, columns, roles, asked, answers, options, purpose,
                     new, overlap, name, go, rows)  # fmt: skip


def wire(ws: Workspace, page: Page, panel: FilePanel) -> None:
    """Look at the file when it is dropped and after each change; the button is wired by the tab."""
    busy = {**markup.RAW, "show_progress": "full", "show_progress_on": panel.report,
            "trigger_mode": "always_last"}  # fmt: skip
    out = panel.drawn

    @shows_errors
    def on_file(path: str | None, project: str | None) -> list[Any]:
        held = HeldFile(path, Path(path).name) if path else None
        return [held, *dropped(ws, project, held)]

    @shows_errors
    def on_change(project: str | None, *values: Any) -> list[Any]:
        return look(ws, project, wanted(*values))

    # a file comes as a path only where Gradio prepares it, which also checks that it was uploaded
    panel.file.change(
        on_file, [panel.file, page.project], [panel.held, *out], **{**busy, "preprocess": True}
    )
    changes = [panel.kind, panel.purpose, panel.asked, panel.answers, *panel.roles]
    gr.on([each.input for each in changes], on_change, [page.project, *panel.given], out, **busy)


def wanted(
    held: HeldFile | None,
    kind: Any,
    purpose: Any,
    new: Any,
    overlap: Any,
    name: Any,
    asked: Any,
    answers: Any,
    *roles: Any,
) -> Wanted:
    """What came from the browser, whatever it is, as what the panel asks for."""
    columns: dict[str, str] = {
        role: str(column) for role, column in zip(ROLES, roles, strict=True) if column
    }
    listed = answers if isinstance(answers, list) else []
    return Wanted(
        held=held,
        kind=ANSWERS if kind == ANSWERS else VOTES,
        purpose="blind_eval" if purpose == "blind_eval" else "train_pairs",
        new=str(new or ""),
        overlap=int(overlap) if isinstance(overlap, int | float) and 1 <= overlap <= 5 else 1,
        name=str(name or "")[:60],
        asked=str(asked or ""),
        answers=tuple(map(str, listed[:20])),
        mapping=vote_mapping(columns) if columns else None,
    )


def dropped(ws: Workspace, project: str | None, held: HeldFile | None) -> list[Any]:
    """What a dropped file holds: votes where it can be read so, else answers, else columns."""
    if held is None:
        return _nothing(GUIDE)
    asked = Wanted(held, VOTES, "train_pairs", "", 1, "", "", (), None)
    try:
        return _votes(ws, opened(project), asked, guess=True)
    except UserError as error:
        try:
            return _answers(ws, opened(project), asked._replace(kind=ANSWERS))
        except UserError:
            return _refused(ws, opened(project), asked, error)


def look(ws: Workspace, project: str | None, asked: Wanted) -> list[Any]:
    """What the file holds, read as the panel says."""
    if asked.held is None:
        return _nothing(GUIDE)
    try:
        if asked.kind == ANSWERS:
            return _answers(ws, opened(project), asked)
        return _votes(ws, opened(project), asked, guess=False)
    except UserError as error:
        return _refused(ws, opened(project), asked, error)


def start_import(ws: Workspace, project: str | None, asked: Wanted) -> str | None:
    """Store the votes or open the round; the id of the round to show."""
    if asked.held is None:
        raise UserError("No file is chosen.", "Drop one first.")
    path, name = Path(asked.held.path), asked.held.name
    if asked.kind == ANSWERS:
        made = existing_answers.start(
            ws, who(ws), opened(project), path, name, _recipe(asked), _answer_columns(asked)
        )
        opens = f"{made.round.name}: {made.comparisons:,} comparisons to rate."
        gr.Success(f"{opens} {made.not_shown_words}".strip(), title="Opened")
        return made.round.id
    imported = vote_import.add(ws, who(ws), opened(project), path, name, _how(asked))
    number = sum(each.votes for each in imported.rounds)
    gr.Success(f"{number:,} votes are in the project.", title="Added")
    return imported.rounds[0].id if imported.rounds else None


def _how(asked: Wanted) -> VoteImport:
    return VoteImport(
        mapping=asked.mapping,
        new=asked.new or None,
        name=asked.name,
        test=asked.purpose == "blind_eval",
    )


def _recipe(asked: Wanted) -> RoundRecipe:
    return RoundRecipe(
        purpose=asked.purpose,
        model=asked.new,
        dataset="",
        prompts=plans.MOST_PROMPTS,
        overlap=asked.overlap,
        name=asked.name,
    )


def _answer_columns(asked: Wanted) -> AnswerColumns:
    return AnswerColumns(asked.asked or None, asked.answers)


def _votes(ws: Workspace, project: str, asked: Wanted, *, guess: bool) -> list[Any]:
    assert asked.held is not None
    path, name = Path(asked.held.path), asked.held.name
    seen = vote_import.preview(ws, who(ws), project, path, name, _how(asked._replace(new="")))
    table = seen.mapping is not None
    used = seen.mapping.columns if guess and seen.mapping else None
    return _updates(
        report=_votes_report(seen),
        asked=asked,
        columns=seen.columns if table else (),
        used=used,
        models=seen.models,
        number=seen.votes + seen.ratings,
        rows=_vote_rows(seen),
    )


def _answers(ws: Workspace, project: str, asked: Wanted) -> list[Any]:
    assert asked.held is not None
    path, name = Path(asked.held.path), asked.held.name
    seen = existing_answers.preview(ws, who(ws), project, path, name, _answer_columns(asked))
    return _updates(
        report=_answers_report(seen),
        asked=asked,
        columns=seen.columns,
        used=None,
        models=seen.models,
        number=seen.comparisons,
        rows=_answer_rows(seen),
    )


def _refused(ws: Workspace, project: str, asked: Wanted, error: UserError) -> list[Any]:
    """What is wrong, and the columns to map, where the file has any."""
    assert asked.held is not None
    try:
        path, name = Path(asked.held.path), asked.held.name
        columns = vote_import.columns_of(ws, who(ws), project, path, name)
    except UserError:
        columns = ()
    return _updates(
        report=markup.notice(f"{error.problem} {error.fix}".strip(), "warn"),
        asked=asked,
        columns=columns,
        used=None,
        models=(),
        number=0,
        rows="",
        unfold=bool(columns),
    )


def _nothing(report: str) -> list[Any]:
    none = [("none", "")]
    hidden = [gr.Dropdown(choices=none, visible=False, value="") for _ in ROLES]
    return [
        report,
        gr.Radio(visible=False, value=VOTES),
        gr.Accordion(visible=False, open=False),
        gr.Dropdown(choices=none, visible=False, value=""),
        gr.Dropdown(choices=[], visible=False, value=None),
        *hidden,
        gr.Column(visible=False),
        gr.Dropdown(choices=[FIRST], value=FIRST_MODEL),
        gr.Slider(visible=False),
        gr.Button(visible=False),
        "",
    ]


def _updates(
    *,
    report: str,
    asked: Wanted,
    columns: Sequence[str],
    used: dict[VoteRole, str] | None,
    models: Sequence[str],
    number: int,
    rows: str,
    unfold: bool = False,
) -> list[Any]:
    votes = asked.kind == VOTES
    offered = [("none", ""), *((each[:60], each) for each in columns[:MOST_OFFERED])]
    shown = _relevant(used or (asked.mapping.columns if asked.mapping else {}))
    roles = [
        gr.Dropdown(
            choices=offered, visible=votes and bool(columns) and role in shown,
            **({} if used is None else {"value": used.get(role, "")}),
        )
        for role in ROLES
    ]  # fmt: skip
    box: dict[str, Any] = {"visible": bool(columns)}
    if unfold:
        box["open"] = True
    known = [FIRST, *((m[:60], m) for m in models)]
    kept = asked.new if asked.new in models else FIRST_MODEL
    what = "Add the votes" if votes else "Open the round"
    return [
        report,
        gr.Radio(visible=True, value=asked.kind),
        gr.Accordion(**box),
        gr.Dropdown(choices=offered, visible=not votes),
        gr.Dropdown(choices=offered[1:], visible=not votes),
        *roles,
        gr.Column(visible=number > 0),
        gr.Dropdown(choices=known, value=kept, visible=len(models) > 1),
        gr.Slider(visible=not votes),
        gr.Button(what, visible=number > 0),
        rows,
    ]


def _relevant(columns: Mapping[VoteRole, str]) -> set[VoteRole]:
    """The roles of a table of votes or of ratings; all where it is neither yet."""
    if "choice" in columns:
        return set(ROLES) - set(OF_ONE)
    return {*OF_ONE, *OF_BOTH} if "rating" in columns else set(ROLES)


def _column(label: str, name: str) -> gr.Dropdown:
    return gr.Dropdown([("none", "")], value="", label=label, min_width=220, visible=False,
                       elem_id=name)  # fmt: skip


def _votes_report(seen: VotePreview) -> str:
    first, *others = vote_import.sentences(seen)
    listed = [each for each in others if each != vote_import.refused_words(seen.refused)]
    lines = "".join(f"<li>{escape(each)}</li>" for each in listed)
    doubtful = seen.refused or (seen.votes and not seen.sides)
    refused = _flaws(vote_import.first_reasons(seen.broken), seen.refused)
    return markup.notice(first, "warn" if doubtful else "good") + f"<ul>{lines}</ul>" + refused


def _answers_report(seen: AnswerPreview) -> str:
    models = f", of {', '.join(seen.models[:6])}" if seen.models else ", without names of models"
    counts = f"{seen.prompts:,} prompts make {seen.comparisons:,} comparisons{models}."
    refused = _flaws(vote_import.first_reasons(seen.broken), seen.refused)
    return markup.notice(counts, "warn" if seen.refused else "good") + refused


def _flaws(lines: Sequence[str], number: int) -> str:
    if not lines:
        return ""
    listed = "".join(f"<li>{escape(each)}</li>" for each in lines)
    head = vote_import.refused_words(number)
    return f"<details><summary>{head}</summary><ul>{listed}</ul></details>"


def _vote_rows(seen: VotePreview) -> str:
    heads = ("Row", "Prompt", "First", "Second", "Choice", "Rater")
    rows = [
        (f"{r.row}", r.prompt or "–", r.first, r.second or "–", r.choice, r.rater or "–")
        for r in seen.first[:SHOWN]
    ]
    return _table(heads, rows)


def _answer_rows(seen: AnswerPreview) -> str:
    heads = ("Row", "Prompt", "First", "Second")
    rows = []
    for each in seen.first[:SHOWN]:
        texts = [": ".join(filter(None, answer)) for answer in each.answers]
        second = (texts[1:] or ["–"])[0]
        rows.append((f"{each.row}", each.prompt[-1].content, texts[0], second))
    return _table(heads, rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-head="{name}">{escape(cell[:160])}</td>'
            for name, cell in zip(heads, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        markup.part("The first rows")
        + '<div class="tl-wide"><table class="tl-settings tl-raters tl-brought"><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
