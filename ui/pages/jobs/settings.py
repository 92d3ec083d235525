"""The settings of a run as a table: what somebody chose first, the defaults after it."""

from html import escape
from typing import Any

from pydantic_core import PydanticUndefined

from engine.core.job import Job
from engine.core.recipe import current_names
from engine.services import registered_plugins
from engine.services.evaluation import metrics
from engine.services.jobs import lifecycle
from ui.components import forms, names

LABELS = {
    "usd_per_hour": "Price of the machine",
    "max_rows": "Rows asked",
    "max_new_tokens": "Longest answer, in tokens",
    "model_new": "Model under test",
    "model_base": "Compared with",
}
ASKED = {"dataset": "Questions from"}  # by a run that does not learn
VALUES = {"held_out": "held-out rows", "train": "training rows"}
HIDDEN = {"round"}
MANY = 8  # items of a list that are written out


def table(job: Job, called: dict[str, str]) -> str:
    """Name, value and meaning of every setting; ids are shown as names."""
    fields = registered_plugins.recipe_fields(job.kind)
    labels = LABELS if lifecycle.trains(job.kind) else LABELS | ASKED
    ordered: tuple[list[str], list[str], list[str]] = ([], [], [])
    recipe = current_names(job.recipe) if lifecycle.trains(job.kind) else job.recipe
    shown = sorted(recipe.keys() - HIDDEN, key=[*fields, *sorted(recipe)].index)
    for name in shown:
        value = recipe[name]
        field = fields.get(name)
        default = _plain(field.get_default(call_default_factory=True)) if field else None
        needed = field is not None and field.is_required()
        rank = 0 if needed else 1 if value != default else 2
        about = (field.description if field else "") or ""
        ordered[rank].append(
            _row(labels.get(name) or forms.label(name), words(value, called), about, rank)
        )
    body = "".join(row for rows in ordered for row in rows)
    return f'<table class="tl-settings"><tbody>{body}</tbody></table>'


def words(value: Any, called: dict[str, str]) -> str:
    """A value as a person would write it."""
    if value is None or value in ({}, [], ""):
        return "library default" if value is None else "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {words(each, called)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        if len(value) > MANY:
            return f"{len(value):,} of them"
        return ", ".join(words(each, called) for each in value)
    text = str(value)
    if text in called:
        return called[text]
    if text in VALUES:
        return VALUES[text]
    if metrics.is_known(text):
        return metrics.title(text)
    return names.GONE if text.startswith(("model-", "dataset-")) else text


def _plain(value: Any) -> Any:
    """A default as JSON gives it back: lists instead of tuples."""
    if value is PydanticUndefined:
        return None
    return list(value) if isinstance(value, tuple) else value


def _row(label: str, value: str, about: str, rank: int) -> str:
    mark = '<span class="tl-changed">changed</span>' if rank == 1 else ""
    muted = ' class="tl-default"' if rank == 2 else ""
    return (
        f"<tr{muted}><th>{escape(label)}{mark}</th>"
        f"<td>{escape(value)}</td><td>{escape(about)}</td></tr>"
    )
