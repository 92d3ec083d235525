"""A base without a chat template gets one that a person chooses, beside the base as it is."""

import shutil
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, UserError
from engine.core.model import Model
from engine.models import folder, offered_templates
from engine.models.chat_template import Template
from engine.services.models import registry
from engine.store import models
from engine.store.connect import writing
from engine.workspace import Workspace

FOLDER = "templated"
UNTRAINED = (
    "The base has not been trained on this form: it may continue a text instead of answering, "
    "until you train it on conversations."
)


class TemplateChoice(BaseModel):
    """A template that the base can take, and what choosing it means."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    summary: str
    meaning: str
    example: str  # a question and its answer as the model would see them


def lacking(ws: Workspace, actor: Actor) -> list[Model]:
    """The bases that have no chat template of their own."""
    bases = [one for one in registry.list_all(ws, actor) if one.kind == "base"]
    return [one for one in bases if _lacks(ws, one)]


def choices(ws: Workspace, actor: Actor, model_id: str) -> list[TemplateChoice]:
    """The templates that fit a base's tokenizer; Conflict where it has its own."""
    base = registry.get(ws, actor, model_id)
    files = _files(ws, base)
    return [
        TemplateChoice(
            name=one.name,
            title=one.title,
            summary=one.summary,
            meaning=f"{UNTRAINED} {_end(files, one)}",
            example=_example(files, one),
        )
        for one in offered_templates.fitting(files.tokenizer)
    ]


def give(ws: Workspace, actor: Actor, model_id: str, name: str) -> Model:
    """The base with this template as a base of its own; the same one where it was made already.

    Its folder holds the template and links to the files of the base, which stay as they are.
    UserError for a template whose marks the tokenizer does not know, Conflict for a base with one.
    """
    actor.require(Role.OWNER)
    base = registry.get(ws, actor, model_id)
    files = _files(ws, base)
    known = {one.name: one for one in offered_templates.fitting(files.tokenizer)}
    if name not in known:
        raise UserError(
            f"{base.name} has no tokens for the template {name[:40]!r}.",
            f"Choose {', '.join(known)}.",
        )
    place = ws.settings.home / "models" / FOLDER / f"{base.id}-{name}"
    _link(Path(base.path), place, known[name].source)
    new = Model(
        id=ids.new("model"),
        name=f"{base.name} ({known[name].title})"[:80],
        kind="base",
        source=base.source,
        path=str(place),
        base_id=base.id,
        info={**base.info, "chat_template": name},
        created_at=time.time(),
    )
    with writing(ws.db) as conn:
        for other in models.list_all(conn, None):
            if other.path == str(place):
                return other
        models.add(conn, new)
    return new


def _lacks(ws: Workspace, base: Model) -> bool:
    try:
        return folder.read(registry.files(ws, base).base).template is None
    except UserError:  # its folder is gone or broken, which other pages say
        return False


def _files(ws: Workspace, base: Model) -> folder.TemplateFiles:
    if base.kind != "base":
        raise Conflict(f"{base.name} is no base.", "Choose a base: its models follow it.")
    files = folder.read(registry.files(ws, base).base)
    if files.template is not None:
        raise Conflict(f"{base.name} has a chat template of its own.", "Train it as it is.")
    return files


def _link(base: Path, place: Path, source: str) -> None:
    """A folder with the template and links to the files, in its place in one step."""
    if place.is_dir():
        return
    aside = place.with_name(f".{place.name}-{ids.new('part')}")
    aside.mkdir(parents=True)
    try:
        for file in base.iterdir():
            if file.is_file():
                (aside / file.name).symlink_to(file.resolve())
        (aside / "chat_template.jinja").write_text(source, encoding="utf-8")
        if not place.exists():
            aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _template(files: folder.TemplateFiles, one: offered_templates.ChatTemplate) -> Template:
    return Template.of_files(files._replace(template=one.source))


def _end(files: folder.TemplateFiles, one: offered_templates.ChatTemplate) -> str:
    template = _template(files, one)
    learned = template.learned_end()
    return f"It learns to end its answers with {learned}." if learned else ""


def _example(files: folder.TemplateFiles, one: offered_templates.ChatTemplate) -> str:
    return _template(files, one).example()
