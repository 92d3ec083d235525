"""A model card: what the model came from, what it learned, and how it scored, as YAML and text."""

from textwrap import indent

import yaml
from huggingface_hub import EvalResult, ModelCardData
from sqlalchemy import Connection

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset
from engine.core.evaluation import Evaluation
from engine.core.evaluation_sentences import caveat
from engine.core.job_result import BenchmarkScore
from engine.core.json_object import JsonObject
from engine.core.model import REPLAY, Model
from engine.core.strength import Strength
from engine.models import origin
from engine.services import access
from engine.services.evaluation import benchmarks, evaluations
from engine.services.models import registry
from engine.services.models.registry import lineage
from engine.services.preferences.lineage import stale_model
from engine.store import datasets, jobs, models, pair_exports
from engine.store.connect import reading
from engine.workspace import Workspace


def model_card(ws: Workspace, actor: Actor, model_id: str) -> str:
    """The README.md of a model; its scores are those of the newest evaluation that asked it."""
    actor.require(Role.TRAINER)
    chain = lineage(ws, actor, model_id)
    model = chain[0]
    base = origin.of_base(registry.files(ws, chain[-1]).base)
    found, asked = _newest(ws, actor, model)
    own = _results(found, asked, model.id) if found and asked else []
    public = benchmarks.of_model(ws, actor, model.project_id, model.id) if model.project_id else []
    data = ModelCardData(
        model_name=_line(model.name),
        base_model=_line(base.name),
        license=_licence_id(base.licence),
        pipeline_tag="text-generation",
        library_name="peft" if model.kind == "adapter" else "transformers",
        tags=["tuneloop", *([str(model.info["method"])] if "method" in model.info else [])],
        eval_results=own + benchmarks.for_card(public) or None,
    )
    parts = [f"---\n{data.to_yaml()}\n---", f"# {_line(model.name)}", _origin(ws, chain)]
    parts += [_base(chain[-1], base), *_strength(ws, chain), *_votes(ws, chain)]
    parts += [*_replayed(ws, chain), *_recipes(ws, chain)]
    gone = stale_model(ws, actor, model_id)
    parts += [gone] if gone else []
    parts += [_scores(found, asked, model.id)] if found and asked else []
    parts += [_public(public)] if public else []
    return "\n\n".join(parts) + "\n"


def _newest(ws: Workspace, actor: Actor, model: Model) -> tuple[Evaluation | None, Dataset | None]:
    if model.project_id is None:
        return None, None
    for ref in evaluations.list_all(ws, actor, model.project_id):
        if model.id in ref.models:
            with reading(ws.db) as conn:
                asked = access.dataset(conn, actor, ref.dataset_id)
            return evaluations.get(ws, actor, ref.id), asked
    return None, None


def _results(evaluation: Evaluation, asked: Dataset, model_id: str) -> list[EvalResult]:
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=_line(asked.name),
            dataset_name=_line(asked.label),
            dataset_split=evaluation.split,
            dataset_revision=asked.sha256,
            metric_type=metric,
            metric_name=metric,
            metric_value=round(mean.score, 6),
            metric_args={"signature": mean.signature, "rows": mean.n, "failed": mean.failed},
        )
        for metric, mean in evaluation.means[model_id].items()
    ]


def _origin(ws: Workspace, chain: list[Model]) -> str:
    """The line from the base on, and what each model of it learned."""
    steps = " from ".join(_line(model.name) for model in chain)
    lines = [f"How it came about: {steps}."]
    with reading(ws.db) as conn:
        for model in chain:
            learned = datasets.get(conn, model.dataset_id) if model.dataset_id else None
            method = model.info.get("method")
            if method and learned and not Strength.of(model):  # a mix has a sentence of its own
                lines.append(
                    f"{_line(model.name)} was trained by {method} on {_line(learned.label)}: "
                    f"{learned.train_rows:,} rows, {learned.held_out_rows:,} held out "
                    f"(SHA-256 {learned.sha256})."
                )
    return "\n\n".join(lines)


def _recipes(ws: Workspace, chain: list[Model]) -> list[str]:
    """The settings of each training as YAML, models and data by name."""
    parts = []
    with reading(ws.db) as conn:
        for model in chain:
            job = jobs.get(conn, model.job_id) if model.job_id else None
            if job is not None:
                given = {name: value for name, value in job.recipe.items() if value is not None}
                known = {"kind": job.kind, **_named(conn, given)}
                text = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
                shown = indent(text, "    ")  # a block that no line of it can end
                parts.append(f"## Recipe of {_line(model.name)}\n\n{shown.rstrip()}")
    return parts


def _named(conn: Connection, recipe: JsonObject) -> JsonObject:
    named = dict(recipe)
    for field, value in recipe.items():
        if not isinstance(value, str):
            continue
        if (model := models.get(conn, value)) is not None:
            named[field] = _line(model.name)
        elif (dataset := datasets.get(conn, value)) is not None:
            named[field] = _line(dataset.label)
    return named


def _base(model: Model, base: origin.BaseOrigin) -> str:
    """The base with its commit and licence, and how the weights here differ from it."""
    revision = f" at {base.revision}" if base.revision else ""
    changed = f" Its weights here are {_line(base.changed)}." if base.changed else ""
    licence = _line(base.licence) if base.licence else "not recorded; look at its own page"
    return (
        f"Base: {_line(base.name)}{revision} (called {_line(model.name)} here).{changed}\n\n"
        f"Licence of the base: {licence}. The licence of the training data is not recorded: know "
        "it before you pass this model on."
    )


def _votes(ws: Workspace, chain: list[Model]) -> list[str]:
    """For each model that learned from votes: how many there are, in how many rounds."""
    lines = []
    with reading(ws.db) as conn:
        for model in chain:
            known = pair_exports.list_all(conn, model.project_id) if model.project_id else []
            made = next((one for one in known if one.dataset_id == model.dataset_id), None)
            if made:
                lines.append(
                    f"{_line(model.name)} learned from {made.counts.get('votes', 0):,} votes of "
                    f"{len(made.rounds)} rounds, which made {made.pairs:,} rows."
                )
    return lines


def _strength(ws: Workspace, chain: list[Model]) -> list[str]:
    """For each model between two others: which they are, and where it lies."""
    lines = []
    with reading(ws.db) as conn:
        for model in chain:
            if where := Strength.of(model):
                ends = (models.get(conn, each) for each in (where.start, where.trained))
                start, trained = (_line(end.name) if end else "a deleted model" for end in ends)
                lines.append(
                    f"{_line(model.name)} is a weighted sum of two adapters: strength "
                    f"{where.strength:g}, where {start} is 0 and {trained} is 1."
                )
    return lines


def _replayed(ws: Workspace, chain: list[Model]) -> list[str]:
    """For each model that learned examples beside votes: which, and how many in each batch."""
    lines = []
    with reading(ws.db) as conn:
        for model in chain:
            known = model.info.get(REPLAY)
            if isinstance(known, dict):
                dataset = datasets.get(conn, str(known["dataset"]))
                named = (
                    f"{_line(dataset.label)} (SHA-256 {dataset.sha256})"
                    if dataset
                    else "a dataset that was deleted"
                )
                lines.append(
                    f"{_line(model.name)} replayed {known['each']} of {known['rows']:,} rows of "
                    f"{named} in each batch, with weight {known['weight']:g}."
                )
    return lines


def _licence_id(licence: str | None) -> str | None:
    """A licence as the Hub writes it."""
    return licence.lower() if licence else None


def _scores(evaluation: Evaluation, asked: Dataset, model_id: str) -> str:
    lines = [
        f"## Scores on {len(evaluation.rows):,} rows of {_line(asked.label)} ({evaluation.split})",
        "| metric | score | 95 % interval | against the first model asked |\n|---|---|---|---|",
    ]
    gains = evaluation.gains.get(model_id, {})
    rows = [
        f"| {metric} | {mean.score:.3f} | {mean.low:.3f} to {mean.high:.3f} | "
        f"{gains[metric].sentence if metric in gains else 'it is the first'} |"
        for metric, mean in evaluation.means[model_id].items()
    ]
    lines[-1] = "\n".join([lines[-1], *rows])
    warnings = {metric: caveat(mean) for metric, mean in evaluation.means[model_id].items()}
    few = [f"- {metric}: {text}" for metric, text in warnings.items() if text]
    lines += ["\n".join(few)] if few else []
    regressed = [
        f"- {one.message}"
        for one in evaluation.regression_checks
        if one.model == model_id and one.regressed
    ]
    if regressed:
        lines.append("It regressed against the model it started from:\n\n" + "\n".join(regressed))
    lines += [evaluation.overlap.message] if evaluation.overlap else []
    return "\n\n".join(lines)


def _public(found: list[BenchmarkScore]) -> str:
    rows = [
        f"| {_line(one.task)} | {_line(one.metric)} | {one.score:.3f} | "
        + (f"{one.low:.3f} to {one.high:.3f}" if one.low is not None else "not known")
        + f" | {one.n:,} of {one.of:,} | {one.num_fewshot or 0} |"
        for one in found
    ]
    heads = "| task | metric | score | 95 % interval | questions | examples |"
    title = "## Public benchmarks (lm-evaluation-harness)"
    return "\n".join([title, "", heads, "|---|---|---|---|---|---|", *rows])


def _line(text: str) -> str:
    """A name on one line that Markdown and HTML leave as it is."""
    kept = " ".join(text.split())[:120]
    return "".join("_" if letter in "<>[]`|*#" else letter for letter in kept)
