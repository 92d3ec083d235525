"""Settings from a file of another program: what they become here, and what has no equal."""

from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from engine.core.actor import Role
from engine.services.training import recipe_import
from engine.services.training.recipe_import import ImportedRecipe
from engine.workspace import Workspace
from ui.components import forms, markup
from ui.pages.training import refresh
from ui.pages.training.form import TrainingForm
from ui.web.session import who

INTRO = (
    "The settings of a configuration of Axolotl, LLaMA-Factory or TRL fill the form. Every key "
    "that has no equal here is listed. Model and data stay as you chose them."
)
AS_IN_FILE = "As the file says"
METHODS = [(AS_IN_FILE, ""), ("SFT", "sft"), ("DPO", "dpo"), ("KTO", "kto"), ("Reward", "reward")]
PROGRAMS = {"axolotl": "Axolotl", "llamafactory": "LLaMA-Factory", "trl": "TRL"}
KNOWN_BY_KEYS = ("Known by its keys", "")
NOT_FILLED = ("kind", "model", "dataset")  # chosen on the page


class RecipePanel(NamedTuple):
    """A file, the program and the method where it does not say them, and the report."""

    file: gr.File
    program: gr.Dropdown
    method: gr.Dropdown
    report: gr.HTML


def build() -> RecipePanel:
    """The panel, closed."""
    with gr.Accordion(
        "Settings from Axolotl, LLaMA-Factory or TRL", open=False, elem_id="train-import"
    ):
        gr.HTML(f'<p class="tl-hint">{escape(INTRO)}</p>')
        with gr.Row():
            file = gr.File(
                label="YAML or JSON", file_types=[".yaml", ".yml", ".json"], height=120, scale=2,
                elem_id="train-import-file",
            )  # fmt: skip
            programs = [KNOWN_BY_KEYS, *((title, name) for name, title in PROGRAMS.items())]
            program = gr.Dropdown(
                programs, value="", label="Program", elem_id="train-import-program"
            )
            method = gr.Dropdown(
                METHODS, value="", label="Method", info="TRL's files do not say it: SFT otherwise",
                elem_id="train-import-method",
            )  # fmt: skip
        report = gr.HTML("", elem_id="train-import-report")
    return RecipePanel(file, program, method, report)


def read(ws: Workspace, path: str, program: str, method: str) -> ImportedRecipe:
    """The recipe in an uploaded file; UserError says what is wrong with it."""
    who(ws).require(Role.TRAINER)
    return recipe_import.read(Path(path), program or None, method or None)


def fills(found: ImportedRecipe, made: list[TrainingForm]) -> list[Any]:
    """Updates of the fields of all forms: those of its method take what the file sets."""
    return [
        update
        for form in made
        for update in refresh.fills(form, _values(found, form) if form.kind == _kind(found) else {})
    ]


def report(found: ImportedRecipe) -> str:
    """Where each key went, and the keys without an equal with the reason."""
    program = PROGRAMS.get(found.source, found.source)
    base = found.recipe.get("model")
    wants = f" The file names the base {base}: choose it above if it is here." if base else ""
    head = f"{len(found.matched)} keys of {program} are in the form.{wants}"
    rows = "".join(
        f"<tr><td><code>{escape(one.key)}</code></td><td>{escape(one.value)}</td>"
        f"<td>{escape(one.why)}</td></tr>"
        for one in found.unmatched
    )
    head_row = "<tr><td>No equal</td><td>Value</td><td>Why</td></tr>"
    table = f"<thead>{head_row}</thead><tbody>{rows}</tbody>"
    lost = f'<div class="tl-log"><table class="tl-settings tl-even">{table}</table></div>'
    return markup.notice(head, "good") + (lost if rows else "")


def _kind(found: ImportedRecipe) -> str:
    return str(found.recipe["kind"])


def _values(found: ImportedRecipe, form: TrainingForm) -> dict[str, Any]:
    given = {name: value for name, value in found.recipe.items() if name != "kind"}
    whole = form.recipe.model_validate({**given, "model": "?", "dataset": "?"})
    shown = forms.filled(whole)
    return {name: shown[name] for name in given if name in shown and name not in NOT_FILLED}
