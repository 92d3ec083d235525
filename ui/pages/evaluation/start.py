"""The panel that starts an evaluation, and how far the running one is."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import gradio as gr

from engine.core import recipe as recipes
from engine.core.dataset import Dataset, Split
from engine.core.errors import UserError
from engine.core.job import Job, State
from engine.services import registered_plugins
from engine.services.data import datasets
from engine.services.evaluation import contamination, metrics, task
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.components import forms, markup, names, refresh
from ui.components.event_cursor import Track
from ui.components.refresh import Drawn
from ui.web.session import who

V = TypeVar("V", bound=Drawn)

RECIPE = registered_plugins.recipe_fields("evaluate")  # limits, defaults and texts of the form
USUAL_ROWS = int(RECIPE["max_rows"].default)
ASKABLE = ("sft", "prompts")
ALL = ":all"  # after a dataset's id: all of its rows are asked


class Start(NamedTuple):
    """The panel; `fields` are what a recipe is read from, in the order that `start` takes them."""

    models: gr.Dropdown
    dataset: gr.Dropdown
    rows: gr.Slider
    longest: gr.Number
    price: gr.Number
    extras: gr.CheckboxGroup
    schema: gr.Textbox
    groups: list[gr.CheckboxGroup]
    why: gr.HTML
    seen: gr.HTML
    go: gr.Button

    @property
    def fields(self) -> list[gr.components.Component]:
        """The components whose values `start` takes."""
        return [*self[:7], *self.groups]


EXTRAS = [(str(RECIPE[name].description), name) for name in ("baselines", "perplexity")]


def build() -> Start:
    """The components, in the layout that is open."""
    with gr.Row():
        models = gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            max_choices=forms.largest(RECIPE["models"]),
            label="Models",
            info=RECIPE["models"].description,
            elem_id="evaluate-models",
        )
        dataset = gr.Dropdown(
            [],
            value=None,
            label="Questions",
            info="Held-out rows (trainings choose by them but never learn), or a whole test set",
            elem_id="evaluate-dataset",
        )
    go = gr.Button("Evaluate", variant="primary", elem_id="evaluate-start")
    why = gr.HTML("", elem_id="evaluate-task")
    seen = gr.HTML("", elem_id="evaluate-seen")
    groups, schema = _scores()
    rows, longest, price, extras = _how()
    return Start(
        models, dataset, rows, longest, price, extras, schema, groups, why, seen, go
    )  # fmt: skip


def _scores() -> tuple[list[gr.CheckboxGroup], gr.Textbox]:
    with gr.Accordion("Metrics", open=False, elem_id="evaluate-scores"):
        groups = [
            gr.CheckboxGroup(
                [(metrics.title(name), name) for name in group.names],
                value=[],
                label=group.title,
                info=group.about,
                elem_id=f"evaluate-metrics-{n}",
            )
            for n, group in enumerate(metrics.offered())
        ]
        schema = gr.Textbox(label="JSON Schema", lines=2, elem_id="evaluate-schema",
                            info="Answers are also checked against it; leave it empty if "
                            "unsure")  # fmt: skip
    return groups, schema


def _how() -> tuple[gr.Slider, gr.Number, gr.Number, gr.CheckboxGroup]:
    with gr.Row():
        rows = gr.Slider(1, USUAL_ROWS, USUAL_ROWS, step=1, label="Rows asked",
                         info=RECIPE["max_rows"].description,
                         elem_id="evaluate-rows")  # fmt: skip
        longest = gr.Number(0, minimum=0, maximum=forms.largest(RECIPE["max_new_tokens"]),
                            precision=0, label="Longest answer",
                            info="In tokens; 0 takes as many as the references need",
                            elem_id="evaluate-longest")  # fmt: skip
        price = gr.Number(0, minimum=0, maximum=forms.largest(RECIPE["usd_per_hour"]),
                          label="Price of the machine", info="Dollars an hour, if you know it",
                          elem_id="evaluate-price")  # fmt: skip
    extras = gr.CheckboxGroup(EXTRAS, value=["baselines", "perplexity"], show_label=False,
                              container=False, elem_id="evaluate-extras")  # fmt: skip
    return rows, longest, price, extras


def askable(ws: Workspace, project: str | None) -> list[tuple[str, str]]:
    """Label and value of each set of questions, newest first: held-out rows, then all rows."""
    versions = datasets.list_all(ws, who(ws), project) if project else []
    versions = [one for one in versions if one.kind in ASKABLE]
    held_out = [
        (f"{o.label}: {o.held_out_rows:,} held out", o.id) for o in versions if o.held_out_rows
    ]
    whole = [(f"{o.label}: all {o.rows:,} rows", f"{o.id}{ALL}") for o in versions]
    return held_out + whole


def which(chosen: str) -> tuple[str, Split | None]:
    """The dataset of a choice, and the split that is asked; None for all rows."""
    return (chosen.removesuffix(ALL), None) if chosen.endswith(ALL) else (chosen, "held_out")


def choices(
    ws: Workspace, project: str | None, models: list[str], dataset: str | None
) -> tuple[gr.Dropdown, gr.Dropdown, str | None]:
    """What can be chosen, with what was chosen kept where it still exists; and the dataset."""
    offered = names.choices(ws, project)
    ids = {each for _, each in offered}
    kept = [each for each in models if each in ids]
    if len(kept) < 2:  # one alone compares nothing; it was all there was when the page opened
        kept = names.first_two(ws, project)
    labels = askable(ws, project)
    ready = [each for _, each in labels]
    chosen = dataset if dataset in ready else next(iter(ready), None)
    return (
        gr.Dropdown(choices=offered, value=kept, multiselect=True),
        gr.Dropdown(choices=labels, value=chosen),
        chosen,
    )


def rows_of(ws: Workspace, chosen: str | None) -> gr.Slider:
    """The slider for a dataset: as many rows as it holds, a hundred unless it has fewer."""
    if not chosen:
        return gr.Slider(interactive=False)
    dataset, split = which(chosen)
    version = datasets.get(ws, who(ws), dataset)
    most = min(version.held_out_rows if split else version.rows, forms.largest(RECIPE["max_rows"]))
    return gr.Slider(maximum=max(2, most), value=min(USUAL_ROWS, most), interactive=True)


def suited(ws: Workspace, chosen: str | None) -> list[Any]:
    """Why which scores suit the dataset, and every group of metrics with these ticked."""
    groups = metrics.offered()
    if not chosen:
        return ["", *([gr.skip()] * len(groups))]
    guess = task.guess(ws, who(ws), *which(chosen))
    ticked = [[name for name in guess.metrics if name in group.names] for group in groups]
    named = ", ".join(metrics.title(name) for name in guess.metrics)
    message = f"{guess.message} Chosen: {named}." if named else guess.message
    tone: markup.Tone = "neutral" if named else "warn"
    return [markup.notice(message, tone), *ticked]


def seen_before(
    ws: Workspace, models: Sequence[str], chosen: str | None, rows: float | None
) -> str:
    """Whether a model was trained on questions that would be asked, as HTML."""
    if not chosen or not models:
        return ""
    dataset, split = which(chosen)
    overlap = contamination.check(
        ws, who(ws), dataset, list(models), split, int(rows or USUAL_ROWS)
    )
    known = overlap.count or overlap.near_count
    return markup.notice(
        overlap.message[:1].upper() + overlap.message[1:], "warn" if known else "good"
    )


def start(
    ws: Workspace,
    project: str | None,
    models: list[str],
    chosen: str | None,
    rows: float,
    longest: float | None,
    price: float,
    extras: list[str],
    schema: str,
    *ticked: list[str],
) -> Job:
    """The evaluation, queued; UserError says what is missing."""
    if not (project and chosen):
        raise UserError("There are no questions to ask.", "Add a dataset on the Data page.")
    if not models:
        raise UserError("No model is chosen.", "Choose at least one; two are compared.")
    asked = [name for group in ticked for name in group or []]
    asked += [f"json_schema:{schema.strip()}"] if (schema or "").strip() else []
    if not asked:
        raise UserError("No metric is chosen.", "Tick at least one under Metrics.")
    dataset, split = which(chosen)
    values = {
        "models": models,
        "dataset": dataset,
        "split": split or "all",
        "metrics": metrics.guards_last(asked),
        "max_rows": int(rows or USUAL_ROWS),
        "max_new_tokens": int(longest) if longest else None,
        "usd_per_hour": price or 0.0,
        **{name: name in (extras or []) for _, name in EXTRAS},
    }
    recipe = recipes.read(registered_plugins.recipe_of("evaluate"), values)
    data = datasets.get(ws, who(ws), dataset)
    return lifecycle.submit(ws, who(ws), project, recipe, title(ws, project, models, data, split))


def title(
    ws: Workspace, project: str, models: list[str], data: Dataset, split: Split | None
) -> str:
    """What an evaluation is called: the models it compares, and the data."""
    called = names.of_models(ws, project)
    tuned = " and ".join(called.get(each, names.GONE) for each in models[1:] or models)
    return f"{tuned} on {'held-out' if split else 'all of'} {data.label}"


def followed(ws: Workspace, view: V, found: list[Job]) -> tuple[V, str]:
    """The view with the events of those that are not over, and how far these are, as HTML."""
    going = [job for job in found if not job.over]
    seen = refresh.reading(ws, view, going)
    alive = not going or lifecycle.worker_alive(ws, who(ws))
    return seen, progress(going, seen.tracks, alive)


def progress(found: list[Job], tracks: Mapping[str, Track], alive: bool) -> str:
    """How far the evaluations are that are not over, as HTML; empty when all are."""
    return "".join(_bar(job, tracks[job.id], alive) for job in found if not job.over)


def failure(found: list[Job]) -> str:
    """Why the newest evaluation failed, as HTML; empty when it did not."""
    if found and found[0].state is State.FAILED:
        return markup.notice(f"The last evaluation failed: {found[0].error}", "bad")
    return ""


def _bar(job: Job, track: Track, alive: bool) -> str:
    if job.state is State.QUEUED:
        waiting = "waits for its turn" if alive else "waits, but no worker is running"
        return markup.notice(f"{job.name} {waiting}.", "neutral" if alive else "warn")
    report = track.progress
    if not report or not report["total"]:
        return markup.notice(f"{job.name}: the model is being loaded.", "busy")
    return markup.progress(
        report["done"], report["total"], f"{report['label']} answers", report.get("eta_s")
    )
