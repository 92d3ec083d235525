"""Public benchmarks: choose models and tasks, start, and read the scores side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any, NamedTuple

import gradio as gr

from engine.core.errors import UserError
from engine.core.evaluation import Gain
from engine.core.evaluation_sentences import QUESTIONS
from engine.core.job import Job, State
from engine.core.job_result import BenchmarkResult, BenchmarkScore
from engine.services.evaluation import benchmarks
from engine.services.jobs import lifecycle
from engine.workspace import Workspace
from ui.components import markup, names
from ui.components.markup import RAW
from ui.components.names import moment
from ui.components.page import Page
from ui.components.refresh import Drawn, Refresher
from ui.pages.evaluation import start as evaluation_start
from ui.pages.evaluation.render import decision_badge
from ui.web.errors import shows_errors
from ui.web.session import who

ABOUT = (
    "Questions that everybody compares models with, asked by lm-evaluation-harness. They tell "
    "whether a training cost the model something in general; your own held-out questions tell "
    "whether it helped. They are fetched from the Hugging Face Hub."
)
NOTE = (
    "lm-evaluation-harness {version}. Intervals are 95 %, from the harness's own standard error; "
    "a difference is that of the same questions, with its own interval."
)
AS_STATED = ""
SHOTS = [
    ("As the benchmark says", AS_STATED),
    *((str(n), str(n)) for n in (0, 1, 2, 3, 5, 8, 10, 25)),
]


class BenchmarkPanel(NamedTuple):
    """The components; the first six are what `start` takes, in its order."""

    models: gr.Dropdown
    tasks: gr.Dropdown
    limit: gr.Number
    shots: gr.Dropdown
    chat: gr.Checkbox
    go: gr.Button
    find: gr.Textbox
    progress: gr.HTML
    which: gr.Dropdown
    table: gr.HTML


@dataclass(frozen=True)
class BenchmarkView(Drawn):
    """What one browser session shows of the benchmarks, and those that it knows to be done."""

    done: tuple[str, ...] | None = None


REFRESHER = Refresher[BenchmarkView](("progress", "which", "table"), {})


def build(ws: Workspace, page: Page) -> None:
    """The folded panel at the end of the tab."""
    missing = benchmarks.missing()
    with gr.Accordion("Public benchmarks", open=False, elem_id="benchmarks"):
        gr.HTML(markup.notice(f"{ABOUT} {missing}".strip(), "warn" if missing else "neutral"))
        panel = _components(usable=not missing)
    _wire(ws, page, panel)


def _components(usable: bool) -> BenchmarkPanel:
    with gr.Row():
        models = gr.Dropdown([], value=[], multiselect=True, label="Models", interactive=usable,
                             max_choices=5, info="The first is the baseline",
                             elem_id="benchmarks-models")  # fmt: skip
        tasks = gr.Dropdown([], value=[], multiselect=True, label="Benchmarks", max_choices=20,
                            interactive=usable, info="Common benchmarks and search results",
                            elem_id="benchmarks-tasks")  # fmt: skip
        find = gr.Textbox(label="Find more benchmarks", placeholder="mmlu law", max_length=80,
                          interactive=usable, info="Part of a name; the list of benchmarks follows",
                          elem_id="benchmarks-find")  # fmt: skip
    with gr.Row():
        limit = gr.Number(100, minimum=0, precision=0, label="Questions of each", info="0 for all",
                          interactive=usable, elem_id="benchmarks-limit")  # fmt: skip
        shots = gr.Dropdown(SHOTS, value=AS_STATED, label="Solved examples shown",
                            info="Before each question", interactive=usable,
                            elem_id="benchmarks-shots")  # fmt: skip
        chat = gr.Checkbox(False, label="Ask as in a chat", interactive=usable,
                           info="With the model's own chat template",
                           elem_id="benchmarks-chat")  # fmt: skip
    go = gr.Button("Run the benchmarks", variant="primary", interactive=usable,
                   elem_id="benchmarks-start")  # fmt: skip
    progress = gr.HTML("", elem_id="benchmarks-progress")
    which = gr.Dropdown([], value=None, show_label=False, container=False, visible=False,
                        elem_id="benchmarks-which")  # fmt: skip
    table = gr.HTML("", elem_id="benchmarks-table")
    return BenchmarkPanel(models, tasks, limit, shots, chat, go, find, progress, which, table)


def _wire(ws: Workspace, page: Page, panel: BenchmarkPanel) -> None:
    seen = gr.State(BenchmarkView())

    @shows_errors
    def on_show(project: str | None, models: list[str], tasks: list[str], which: str | None) -> Any:
        return [*choices(ws, project, models, tasks), *poll(ws, project, BenchmarkView(), which)]

    @shows_errors
    def on_look(project: str | None, before: BenchmarkView, which: str | None) -> Any:
        return poll(ws, project, before, which)

    @shows_errors
    def on_start(project: str | None, *values: Any) -> str:
        return markup.notice(f"{start(ws, project, *values).name} is queued.", "busy")

    @shows_errors
    def on_which(project: str | None, which: str) -> str:
        return shown(ws, project, which)

    results = [seen, panel.progress, panel.which, panel.table]
    given = [page.project, panel.models, panel.tasks, panel.which]
    markup.on_show(page, on_show, given, [panel.models, panel.tasks, *results], RAW)
    markup.live(page, on_look, [page.project, seen, panel.which], results, how=RAW)
    panel.find.change(shows_errors(offered_tasks), [panel.find, panel.tasks], panel.tasks,
                     trigger_mode="always_last", **RAW)  # fmt: skip
    panel.which.input(on_which, [page.project, panel.which], panel.table, **RAW)
    panel.go.click(on_start, [page.project, *panel[:5]], panel.progress, **RAW)


def choices(
    ws: Workspace, project: str | None, models: list[str], tasks: list[str]
) -> tuple[gr.Dropdown, gr.Dropdown]:
    """The models and the usual benchmarks, with what was chosen kept where it still exists."""
    offered = names.choices(ws, project)
    kept = [one for one in models or [] if one in {each for _, each in offered}]
    return (
        gr.Dropdown(choices=offered, value=kept or names.first_two(ws, project), multiselect=True),
        offered_tasks("", tasks),
    )


def offered_tasks(text: str, chosen: list[str]) -> gr.Dropdown:
    """The benchmarks to choose from: those chosen, then what `text` finds, else the usual ones."""
    kept = [str(one) for one in chosen or []]
    wanted = str(text or "").strip()
    others = benchmarks.search(wanted) if wanted else benchmarks.usual()
    return gr.Dropdown(choices=list(dict.fromkeys([*kept, *others])), value=kept, multiselect=True)


def start(
    ws: Workspace,
    project: str | None,
    models: list[str],
    tasks: list[str],
    limit: float | None,
    shots: Any,
    chat: bool,
) -> Job:
    """The benchmark, queued; UserError says what is missing."""
    if not project or not models:
        raise UserError("No model is chosen.", "Choose at least one; two are compared.")
    if not tasks:
        raise UserError("No benchmark is chosen.", "Choose one, or look for it by its name.")
    values = {
        "models": models,
        "tasks": tasks,
        "limit": int(limit or 0) or None,
        "num_fewshot": shots or None,
        "apply_chat_template": bool(chat),
    }
    return benchmarks.submit(ws, who(ws), project, values)


def poll(ws: Workspace, project: str | None, seen: BenchmarkView, which: str | None) -> list[Any]:
    """The view, progress, the choice of results and the table, each where it is new."""
    now = (project, lifecycle.revision(ws, who(ws), project) if project else "")
    if now == seen.revision and not seen.tracks:
        return REFRESHER.unchanged()
    every = lifecycle.list_all(ws, who(ws), project, (benchmarks.KIND,)) if project else []
    ready = benchmarks.done(ws, who(ws), project) if project else []
    known, ids = seen.done, tuple(job.id for job in ready)
    seen, going = evaluation_start.followed(ws, replace(seen, done=ids, revision=now), every)
    is_new = bool(known is not None and ids and ids[0] not in known)
    chosen = which if which in ids and not is_new else next(iter(ids), None)
    labels = [(f"{job.name} · {moment(job.created_at)}", job.id) for job in ready]
    return REFRESHER.changed(
        seen,
        {"progress": going or _failure(every), "which": ids, "table": ids},
        {
            "which": lambda _: gr.Dropdown(choices=labels, value=chosen, visible=len(ids) > 1),
            "table": lambda _: shown(ws, project, chosen) if chosen else "",
        },
    )


def shown(ws: Workspace, project: str | None, which: str) -> str:
    """The scores of one benchmark, as HTML."""
    job = next(
        (job for job in benchmarks.done(ws, who(ws), project or "") if job.id == which), None
    )
    if job is None:
        return markup.notice("This result has gone.", "warn")
    called = names.of_models(ws, project)
    return table(job, {m: called.get(m, names.GONE) for m in job.result_as(BenchmarkResult).models})


def table(job: Job, called: dict[str, str]) -> str:
    """A row a task and metric, a column a model, the baseline first."""
    scores, gains = benchmarks.scores(job), benchmarks.gains(job)
    first = next(iter(scores.values()))
    by_key = {m: {one.key: one for one in each} for m, each in scores.items()}
    heads = ["Benchmark", "Questions", *(called[m] for m in scores)]
    rows = "".join(
        f"<tr><th>{escape(one.task)}<small>{escape(_how(one))}</small></th>"
        f"<td>{one.n:,} of {one.of:,}</td>"
        + "".join(_cell(by_key[m].get(one.key), gains.get(m, {})) for m in scores)
        + "</tr>"
        for one in first
    )
    titles = "".join(f"<th>{escape(head)}</th>" for head in heads)
    note = escape(NOTE.format(version=job.result_as(BenchmarkResult).lm_eval))
    return (
        f'<div class="tl-scroll"><table class="tl-scores"><thead><tr>{titles}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div><p class="tl-hint">{note}</p>'
    )


def _how(one: BenchmarkScore) -> str:
    shots = f", {one.num_fewshot} examples" if one.num_fewshot else ""
    by = "" if one.filter == "none" else f" ({one.filter})"
    version = f", version {one.version}" if one.version else ""
    better = ", lower is better" if one.higher_is_better is False else ""
    return f"{one.metric}{by}{shots}{version}{better}"


def _cell(one: BenchmarkScore | None, gains: Mapping[str, Gain]) -> str:
    if one is None:
        return "<td>–</td>"
    bounds = f"<small>{one.low:.3f} to {one.high:.3f}</small>" if one.low is not None else ""
    gain = gains.get(one.key)
    return f"<td><b>{one.score:.3f}</b>{bounds}{_difference(gain) if gain else ''}</td>"


def _difference(gain: Gain) -> str:
    between = f"{gain.diff:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
    return f"<div>{decision_badge(gain, QUESTIONS)}<small>{between}</small></div>"


def _failure(every: Sequence[Job]) -> str:
    if every and every[0].state is State.FAILED:
        return markup.notice(f"The last benchmark failed: {every[0].error}", "bad")
    return ""
