"""The job of an export: a model as files of another program, certified by that one's answers."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from engine import plugins
from engine.core.actor import Role
from engine.core.errors import UserError
from engine.core.examples import Chat, Prompt, references_of
from engine.core.export import (
    UNROUNDED,
    ArtefactAnswer,
    Certificate,
    ExportedFile,
    Precision,
    Quantisation,
)
from engine.core.job_context import Context, ModelFiles
from engine.core.job_outcome import Outcome
from engine.core.job_result import ExportResult
from engine.core.json_object import JsonObject
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.recipe import Ref, RefKind
from engine.exporters import certificate
from engine.exporters.card import finished_card
from engine.exporters.certificate import ModelAnswer
from engine.exporters.declared import check, options_of, runtime_of
from engine.exporters.source import Source
from engine.files import sha256_of_file
from engine.jobs import answerers
from engine.models.chat_template import Template
from engine.models.hub.upload import Pushed

TITLE = "Export"
SUMMARY = "A model becomes files that other programs read, and is checked there."
FOLDER = "export"
CERTIFICATE = "certificate.json"
TOOLS = "tools"
HUB = "hub"
*_SOME, _LAST = plugins.names("exporters")
FORMATS = f"{', '.join(_SOME)} or {_LAST}"


class Recipe(BaseRecipe):
    """Which model leaves in which format, and how it is checked.

    The form, the command and Python callers fill in these fields; `card`, `base` and `revision`
    are written by the service that starts the job.
    """

    KIND = "export"

    model: str = Field(description="The model to export")
    to: str = Field(description=f"Format: {FORMATS}")
    precision: Precision = Field("float32", description="Precision of a merged model's weights")
    quantisation: Quantisation = Field(
        "F16", description="Quantisation of a GGUF file: bits per weight"
    )
    certify: bool = Field(True, description="Let the exported model answer, and compare")
    dataset: str | None = Field(None, description="Dataset whose held-out questions are asked")
    prompts: int = Field(50, ge=1, le=1000, description="Questions of the certificate")
    max_new_tokens: int = Field(64, ge=1, le=4096, description="Longest answer, in tokens")
    metrics: tuple[str, ...] = Field(
        ("exact_match", "token_f1"), description="Scores compared where texts differ"
    )
    repository: str = Field("", description="Repository on the Hub: OWNER/NAME")
    private: bool = Field(True, description="Only its owner sees a repository on the Hub")
    add_commit: bool = Field(False, description="Add to a repository that holds files already")
    base: str = Field("", description="The base's name where it is published")
    revision: str | None = Field(None, description="The base's commit, where it is known")
    card: str = Field("", description="The model card (README.md)")

    def role(self) -> Role:
        """A push to the Hub uses this server's token, so it is for owners alone."""
        return Role.OWNER if self.to == HUB else self.ROLE

    def needs(self) -> list[Ref]:
        """The model, and the dataset of the certificate."""
        asked = [Ref(RefKind.DATASET, self.dataset)] if self.dataset else []
        return [Ref(RefKind.MODEL, self.model), *asked]


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Write the artefact beside, certify it, and only then give it its name."""
    exporter = plugins.load("exporters", recipe.to)
    check(exporter, recipe.model_dump())
    files = ctx.model(recipe.model)
    asked = _questions(recipe, ctx) if recipe.certify and recipe.dataset else []
    out = ctx.folder / FOLDER
    with _whole(ctx.folder / f".{FOLDER}", out) as aside:
        exporter.export(_source(recipe, ctx, files), aside)
        own = _own_answers(recipe, ctx, files, asked) if asked else []
        proof = _certificate(recipe, ctx, exporter, files, aside, own) if own else None
        if proof:
            text = json.dumps(_written(recipe, files, proof), indent=2, ensure_ascii=False) + "\n"
            (aside / CERTIFICATE).write_text(text, encoding="utf-8")
        card = finished_card(recipe.card, exporter, proof, recipe.max_new_tokens)
        (aside / "README.md").write_text(card, encoding="utf-8")
        made = _files(aside)
    pushed = _pushed(recipe, ctx, exporter, files, out) if recipe.to == HUB else None
    sentence = proof.sentence if proof else f"{files.model.name} is exported; nothing was compared."
    return Outcome(
        result=ExportResult(
            sentence=sentence,
            to=recipe.to,
            path=f"jobs/{ctx.job_id}/{FOLDER}",
            files=made,
            certificate=proof,
            url=pushed.url if pushed else None,
            commit=pushed.commit if pushed else None,
        )
    )


@contextmanager
def _whole(aside: Path, out: Path) -> Iterator[Path]:
    """A new folder `aside`, which is `out` at the end of the block; no part of it stays behind."""
    shutil.rmtree(aside, ignore_errors=True)  # of an attempt that was killed
    aside.mkdir(parents=True)
    try:
        yield aside
        shutil.rmtree(out, ignore_errors=True)
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _pushed(recipe: Recipe, ctx: Context, exporter: Any, files: ModelFiles, out: Path) -> Pushed:
    def done(ready: int, total: int) -> None:
        ctx.check()
        ctx.emit("progress", {"done": ready, "total": total, "label": "files"})

    source = _source(recipe, ctx, files)
    pushed: Pushed = exporter.publish(source, out, recipe.private, recipe.add_commit, done)
    return pushed


def _say(ctx: Context) -> Callable[[str], None]:
    def say(text: str) -> None:
        ctx.check()
        ctx.emit("log", {"text": text})

    return say


def _source(recipe: Recipe, ctx: Context, files: ModelFiles) -> Source:
    return Source(
        files=files,
        base=recipe.base or files.base.name,
        revision=recipe.revision,
        precision=recipe.precision,
        quantisation=recipe.quantisation,
        tools=ctx.cache / TOOLS,
        say=_say(ctx),
        alive=ctx.check,
        repository=recipe.repository,
    )


def _questions(recipe: Recipe, ctx: Context) -> list[Chat | Prompt]:
    """The first held-out rows that ask something; UserError where there is none."""
    rows = [row.example for row in ctx.rows(recipe.dataset or "", "held_out")]
    asked = [one for one in rows if isinstance(one, Chat | Prompt)][: recipe.prompts]
    if not asked:
        raise UserError(
            "The dataset has no held-out questions for the certificate.",
            "Choose another dataset, or export without a certificate.",
        )
    return asked


def _own_answers(
    recipe: Recipe, ctx: Context, files: ModelFiles, asked: list[Chat | Prompt]
) -> list[ModelAnswer]:
    """The model's own greedy answers."""
    template = Template.load(files.base)
    replies = answerers.load(ctx, files).answer(
        files,
        [one.prompt for one in asked],
        max_new_tokens=recipe.max_new_tokens,
        done=answerers.progress(ctx, 2 * len(asked), "answers"),
    )
    return [
        ModelAnswer(
            prompt=tuple(template.placed(one.prompt)),  # as other programs have to ask it
            references=references_of(one),
            prompt_text=template.prompt_text(one.prompt, files.model.reasons),
            prompt_ids=tuple(template.prompt_ids(one.prompt, files.model.reasons)),
            text=reply.text,
            finished=reply.finished,
        )
        for one, reply in zip(asked, replies, strict=True)
        if reply.failed is None
    ]


def _certificate(
    recipe: Recipe,
    ctx: Context,
    exporter: Any,
    files: ModelFiles,
    folder: Path,
    own: list[ModelAnswer],
) -> Certificate:
    ctx.model_cache.clear()  # two models may not fit into the memory
    runtime = runtime_of(exporter)
    return certificate.certify(
        runtime,
        folder,
        files.base,
        own,
        recipe.max_new_tokens,
        recipe.metrics,
        quantised="quantisation" in options_of(exporter) and recipe.quantisation not in UNROUNDED,
        packages=runtime.packages(ctx.cache / TOOLS, _say(ctx)),
        gaps=lambda own, found: _gaps(ctx, files, own, found),
        done=answerers.progress(ctx, 2 * len(own), "answers", len(own)),
    )


def _written(recipe: Recipe, files: ModelFiles, proof: Certificate) -> JsonObject:
    """The certificate with what was compared, as its own file says it."""
    return {
        "sentence": proof.sentence,
        "model": files.model.name,
        "format": recipe.to,
        "max_new_tokens": recipe.max_new_tokens,
        **proof.model_dump(mode="json"),
    }


def _gaps(
    ctx: Context,
    files: ModelFiles,
    own: Sequence[ModelAnswer],
    found: Sequence[ArtefactAnswer],
) -> list[float | None]:
    """How much likelier the model finds its own next token where answers part, as log-odds."""
    answerer = answerers.load(ctx, files)
    template = answerer.template
    end = template.ids(template.learned_end())[0]
    parted = [certificate.parting(a, b, template.ids, end) for a, b in zip(own, found, strict=True)]
    rows = [(list(one.before), [token]) for one in parted if one for token in (one.own, one.found)]
    nats = iter(answerer.likelihood(files, rows))
    return [abs(next(nats) - next(nats)) if one else None for one in parted]


def _files(folder: Path) -> tuple[ExportedFile, ...]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(_file(folder, path) for path in paths)


def _file(folder: Path, path: Path) -> ExportedFile:
    name = path.relative_to(folder).as_posix()
    return ExportedFile(name=name, bytes=path.stat().st_size, sha256=sha256_of_file(path))
