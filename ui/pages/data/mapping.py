"""Map the columns of a file that no layout fits."""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import gradio as gr

from engine.core.column_mapping import MAY, NEEDED, ColumnMapping, ColumnRole, mapping_of
from engine.core.errors import UserError
from engine.core.examples import Kind
from ui.components import words

ROLES: dict[ColumnRole, str] = {
    "prompt": "Prompt",
    "answer": "Answer",
    "chosen": "Chosen answer",
    "rejected": "Rejected answer",
    "label": "Label (good or bad)",
    "text": "Text",
    "context": "Context (text the prompt is about)",
    "system": "System prompt",
    "references": "Reference answers (also accepted)",
}
KINDS = list(get_args(Kind))
MOST_OFFERED = 300  # columns: a longer list is no list to choose from


class MappingPanel(NamedTuple):
    """The components; `roles` in the order of ROLES."""

    whole: gr.Column
    kind: gr.Dropdown
    roles: list[gr.Dropdown]
    no_header: gr.Checkbox
    example: gr.HTML
    use: gr.Button


def build() -> MappingPanel:
    """A dropdown for the kind and for each role, the button, and two rows as they would be."""
    with gr.Column(visible=False, elem_classes="tl-panel", elem_id="data-mapping") as whole:
        kind = gr.Dropdown(
            [(f"{words.KINDS[each][0]}: {words.KINDS[each][1]}", each) for each in KINDS],
            value="sft", label="Type of the rows", elem_id="data-map-kind",
        )  # fmt: skip
        with gr.Row(elem_classes="tl-roles"):
            roles = [
                gr.Dropdown(
                    [("none", "")], value="", label=label, min_width=220,
                    elem_id=f"data-map-{role}", visible=role in roles_of("sft"),
                )
                for role, label in ROLES.items()
            ]  # fmt: skip
        no_header = gr.Checkbox(
            False, label="The first line is a row, not a header", elem_id="data-map-no-header",
            info="For CSV, TSV and Excel files without names of columns",
        )  # fmt: skip
        use = gr.Button("Use these columns", variant="primary", elem_id="data-map-use")
        example = gr.HTML("", elem_id="data-map-example")
    return MappingPanel(whole, kind, roles, no_header, example, use)


def roles_of(kind: Any) -> tuple[ColumnRole, ...]:
    """The roles of a kind that a column can be given, those it needs first; none for no kind."""
    if kind not in NEEDED:
        return ()
    return (*NEEDED[kind], *(role for role in MAY[kind] if role != "group"))


def filled(columns: Sequence[str], guessed: ColumnMapping | None) -> tuple[Any, ...]:
    """Updates of the kind and of every role, the guess filled in."""
    kind: Kind = guessed.kind if guessed else "sft"
    guess = guessed.columns if guessed else {}
    offered = offers(columns)
    needed, shown = NEEDED[kind], roles_of(kind)
    return kind, *(
        gr.Dropdown(
            choices=offered, value=guess.get(role, ""), visible=role in shown,
            label=label if role in needed else f"{label} (optional)",
        )
        for role, label in ROLES.items()
    )  # fmt: skip


def offers(columns: Sequence[str]) -> list[tuple[str, str]]:
    """The choices of a column, "none" first; a table of thousands offers its first ones."""
    return [("none", ""), *((name[:60], name) for name in columns[:MOST_OFFERED])]


def shown_for(kind: Any) -> list[Any]:
    """Updates that show the roles of the kind, those it needs named as such."""
    needed = NEEDED.get(kind, ())
    return [
        gr.Dropdown(
            visible=role in roles_of(kind),
            label=label if role in needed else f"{label} (optional)",
        )
        for role, label in ROLES.items()
    ]


def chosen(kind: Any, columns: Sequence[Any], no_header: Any = False) -> ColumnMapping:
    """The mapping that the dropdowns hold; UserError in plain words for a role that is missing."""
    shown = roles_of(kind)
    given = dict(zip(ROLES, columns, strict=True))
    pairs: dict[str, str] = {role: str(given[role]) for role in shown if given[role]}
    missing = [role for role in NEEDED.get(kind, ()) if role not in pairs]
    if missing:
        raise UserError(f"No column is chosen for: {ROLES[missing[0]].lower()}.", "Choose one.")
    return mapping_of(pairs, str(kind), header=no_header is not True)
