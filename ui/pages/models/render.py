"""The cards of the Models page, as HTML: bases, trained models and their lineage."""

from collections.abc import Sequence
from html import escape

from engine.core.json_object import JsonObject
from engine.core.model import Model
from engine.core.strength import Strength
from engine.services.jobs import kinds
from engine.services.models import registry
from engine.services.preferences.lineage import stale_model
from engine.workspace import Workspace
from ui.components import markup, names, words
from ui.web.session import who


def bases_of(found: Sequence[Model]) -> str:
    """A card for each base; what is going on while there is none."""
    head = markup.part("Base models")
    if not found:
        text = (
            "The default model is being fetched; Home shows the progress. "
            "You can also add a model of your own from a folder."
        )
        return head + markup.notice(text, "busy")
    cards = "".join(
        f'<div class="tl-card"><div class="tl-card-head"><b>{escape(one.name)}</b>'
        f"{markup.badge('base', 'neutral')}</div>"
        f'<p class="tl-card-note">Source: <b>{escape(words.source(one))}</b></p>{_note(one)}'
        f'<div class="tl-card-foot"><span>{markup.when(one.created_at)}</span></div></div>'
        for one in found
    )
    return f'{head}<div class="tl-cards tl-cards-wide">{cards}</div>'


def trained_of(ws: Workspace, project: str | None, found: Sequence[Model]) -> str:
    """A card for each trained model with its lineage; what to do while there is none."""
    head = '<div class="tl-part"><h3>Trained in this project</h3></div>'
    if not project or not found:
        text = "Train one on your examples; it takes minutes and the base stays as it is."
        return head + markup.empty("Nothing trained yet", text)
    labels, called = names.of_datasets(ws, project), names.of_models(ws, project)
    cards = "".join(_trained(ws, one, labels, called) for one in found)
    return f'{head}<div class="tl-cards tl-cards-wide">{cards}</div>'


def lineage(chain: Sequence[Model], called: dict[str, str]) -> str:
    """From the base to the model itself: one stop for each, joined by arrows."""
    stops = "".join(
        f'<li class="tl-stop"><span><small>{escape(str(one.info.get("method", "base")))}</small>'
        f"<b>{escape(called.get(one.id, one.name))}</b></span></li>"
        for one in reversed(chain)
    )
    return f'<ol class="tl-lineage">{stops}</ol>'


def losses(info: JsonObject) -> str:
    """The best held-out loss and where it started, with a word on what it means."""
    best, start = info.get("best_held_out_loss"), info.get("first_held_out_loss")
    if not isinstance(best, int | float):
        return '<p class="tl-card-note">No held-out loss: nothing was held out.</p>'
    before = f" from {start:.3f}" if isinstance(start, int | float) else ""
    return (
        f'<p class="tl-card-note">Held-out loss <b>{best:.3f}</b>{before}'
        '<span class="tl-hint"> · lower is better</span></p>'
    )


def _note(one: Model) -> str:
    note = str(one.info.get("note", ""))
    return f'<p class="tl-card-note">{escape(note)}</p>' if note else ""


def _stale(ws: Workspace, one: Model) -> str:
    warning = stale_model(ws, who(ws), one.id)
    return markup.notice(warning, "warn") if warning else ""


def _strength(one: Model, called: dict[str, str]) -> str:
    """Between which models it lies, where a dial made it."""
    where = Strength.of(one)
    if where is None:
        return ""
    start, trained = (called.get(each, names.GONE) for each in (where.start, where.trained))
    return (
        f'<p class="tl-card-note">Strength <b>{where.strength:g}</b> between {escape(start)} (0) '
        f"and {escape(trained)} (1)</p>"
    )


def _trained(ws: Workspace, one: Model, labels: dict[str, str], called: dict[str, str]) -> str:
    method = str(one.info.get("method", ""))
    taught = kinds.short_title(method)
    learned = labels.get(one.dataset_id or "", names.GONE)
    whole = markup.badge("full fine-tuning", "neutral") if one.has_all_weights else ""
    return (
        f'<div class="tl-card"><div class="tl-card-head"><b>{escape(called[one.id])}</b>'
        f'<span class="tl-card-badges">{whole} '
        f"{markup.badge(taught, 'good' if method == 'dpo' else 'neutral')}</span></div>"
        f"{lineage(registry.lineage(ws, who(ws), one.id), called)}"
        f'<p class="tl-card-note">Trained on <b>{escape(learned)}</b></p>{_stale(ws, one)}'
        f"{_strength(one, called) or losses(one.info)}"
        f'<div class="tl-card-foot"><span>{markup.when(one.created_at)}</span></div></div>'
    )
