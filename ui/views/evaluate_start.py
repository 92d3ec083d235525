"""The panel that starts an evaluation, and how far the running one is."""

from typing import NamedTuple

import gradio as gr

from engine import plugins
from engine.core import recipe as recipes
from engine.core.actor import LOCAL
from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.job import Job, State
from engine.services import datasets, jobs
from engine.workspace import Workspace
from ui import kit
from ui.views import follow, names
from ui.views.evaluation import called

MOST_MODELS = 5
USUAL_ROWS = 100
ASKABLE = ("sft", "prompts")


class Start(NamedTuple):
    """The panel; all but the button are what a recipe is read from."""

    models: gr.Dropdown
    dataset: gr.Dropdown
    metrics: gr.CheckboxGroup
    rows: gr.Slider
    longest: gr.Number
    price: gr.Number
    go: gr.Button


def build() -> Start:
    """The components, in the layout that is open."""
    usual = plugins.load("jobs", "evaluate").Recipe.model_fields["metrics"].default
    with gr.Row():
        models = gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            max_choices=MOST_MODELS,
            label="Models",
            info="The first is the baseline that the others are compared with",
            elem_id="evaluate-models",
        )
        dataset = gr.Dropdown(
            [],
            value=None,
            label="Held-out rows of",
            info="Questions that no training has seen",
            elem_id="evaluate-dataset",
        )
    metrics = gr.CheckboxGroup(
        [(called(name), name) for name in plugins.names("metrics")],
        value=list(usual),
        label="Score with",
        elem_id="evaluate-metrics",
    )
    with gr.Row():
        rows = gr.Slider(1, USUAL_ROWS, USUAL_ROWS, step=1, label="Rows asked",
                         info="More rows show smaller differences",
                         elem_id="evaluate-rows")  # fmt: skip
        longest = gr.Number(96, minimum=1, maximum=4096, precision=0, label="Longest answer",
                            info="In tokens, about ¾ of a word each",
                            elem_id="evaluate-longest")  # fmt: skip
        price = gr.Number(0, minimum=0, maximum=1000, label="Price of this machine",
                          info="Dollars an hour, if you know it",
                          elem_id="evaluate-price")  # fmt: skip
    go = gr.Button("Evaluate", variant="primary", elem_id="evaluate-start")
    return Start(models, dataset, metrics, rows, longest, price, go)


def askable(ws: Workspace, project: str | None) -> list[Dataset]:
    """Datasets with held-out rows that a model can be asked, newest first."""
    found = datasets.list_all(ws, LOCAL, project) if project else []
    return [one for one in found if one.held_out_rows and one.kind in ASKABLE]


def choices(
    ws: Workspace, project: str | None, models: list[str], dataset: str | None
) -> tuple[gr.Dropdown, gr.Dropdown, gr.Slider]:
    """What can be chosen, with what was chosen kept where it still exists."""
    offered = names.choices(ws, project)
    ids = {each for _, each in offered}
    kept = [each for each in models if each in ids]
    if len(kept) < 2:  # one alone compares nothing; it was all there was when the page opened
        kept = names.first_two(ws, project)
    sets = askable(ws, project)
    ready = [one.id for one in sets]
    chosen = dataset if dataset in ready else next(iter(ready), None)
    labels = [(f"{one.label} ({one.held_out_rows:,} held out)", one.id) for one in sets]
    return (
        gr.Dropdown(choices=offered, value=kept, multiselect=True),
        gr.Dropdown(choices=labels, value=chosen),
        rows_of(ws, chosen),
    )


def rows_of(ws: Workspace, dataset: str | None) -> gr.Slider:
    """The slider for a dataset: as many rows as it holds, a hundred unless it has fewer."""
    if not dataset:
        return gr.Slider(interactive=False)
    most = datasets.get(ws, LOCAL, dataset).held_out_rows
    return gr.Slider(maximum=max(2, most), value=min(USUAL_ROWS, most), interactive=True)


def start(
    ws: Workspace,
    project: str | None,
    models: list[str],
    dataset: str | None,
    metrics: list[str],
    rows: float,
    longest: float,
    price: float,
) -> Job:
    """The evaluation, queued; UserError says what is missing."""
    if not (project and dataset):
        raise UserError("There are no held-out rows to ask.", "Add a dataset on the Data tab.")
    if not models:
        raise UserError("No model is chosen.", "Choose at least one; two are compared.")
    if not metrics:
        raise UserError("No metric is chosen.", "Tick at least one.")
    values = {
        "models": models,
        "dataset": dataset,
        "metrics": metrics,
        "max_rows": int(rows),
        "max_new_tokens": int(longest or 96),
        "usd_per_hour": price or 0.0,
    }
    recipe = recipes.read(plugins.load("jobs", "evaluate").Recipe, values)
    data = datasets.get(ws, LOCAL, dataset)
    return jobs.submit(ws, LOCAL, project, recipe, title(ws, project, models, data))


def title(ws: Workspace, project: str, models: list[str], data: Dataset) -> str:
    """What an evaluation is called: the models it compares, and the data."""
    called = names.of_models(ws, project)
    tuned = " and ".join(called.get(each, names.GONE) for each in models[1:] or models)
    return f"{tuned} on held-out {data.label}"


def progress(found: list[Job], tracks: dict[str, follow.Track], alive: bool) -> str:
    """How far the evaluations are that are not over, as HTML; empty when all are."""
    return "".join(_bar(job, tracks[job.id], alive) for job in found if not job.over)


def failure(found: list[Job]) -> str:
    """Why the newest evaluation failed, as HTML; empty when it did not."""
    if found and found[0].state is State.FAILED:
        return kit.notice(f"The last evaluation failed: {found[0].error}", "bad")
    return ""


def _bar(job: Job, track: follow.Track, alive: bool) -> str:
    if job.state is State.QUEUED:
        waiting = "waits for its turn" if alive else "waits, but no worker is running"
        return kit.notice(f"{job.name} {waiting}.", "neutral" if alive else "warn")
    said = track.progress
    if not said.get("total"):
        return kit.notice(f"{job.name}: the model is being loaded.", "busy")
    return kit.progress(said["done"], said["total"], f"{said['label']} answers", said.get("eta_s"))
