"""A download: a base of the Hugging Face Hub, at one commit, becomes a folder of this workspace."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from engine.core import hub_words
from engine.core.actor import Role
from engine.core.errors import UserError
from engine.core.hub import COMMIT, NAME
from engine.core.job_context import Cancelled, Context
from engine.core.job_outcome import NewBase, Outcome
from engine.core.job_result import DownloadResult
from engine.core.recipe import Recipe as BaseRecipe
from engine.core.units import memory_words
from engine.models import default, folder_check, weights_file
from engine.models.hub import download, facts, obstacles
from engine.models.hub.facts import Repository

TITLE = "Download"
SUMMARY = "A base model comes from the Hugging Face Hub."
FOLDER = "bases"  # in the cache: what is on its way, one folder a commit
SAY_EVERY_S = 1.0


class Recipe(BaseRecipe):
    """Which base, at which commit; a token is none of its fields."""

    KIND = "download"
    LANE = "download"
    ROLE = Role.OWNER
    GOES_ON = True

    name: str = Field(pattern=NAME, description="The model on the Hub: ORGANISATION/NAME")
    revision: str = Field(pattern=COMMIT, description="Its commit, all 40 digits")


def folder_name(name: str, revision: str) -> str:
    """The folder of a commit; no two commits share one."""
    return f"{name.replace('/', '--')}--{revision}"


def run(recipe: Recipe, ctx: Context) -> Outcome:
    """Download, check the whole folder, and hand it over; a stop leaves nothing behind.

    What came before a failure or a kill stays, and the next attempt goes on from there.
    """
    repository = facts.repository(recipe.name, recipe.revision)
    _check(repository)
    folder = ctx.cache / FOLDER / folder_name(repository.name, repository.revision)
    try:
        _fetch(repository, folder, ctx)
        ctx.emit("log", {"text": "Checking the files."})
        folder_check.check(folder)
        print_ = weights_file.sampled(folder)
        ctx.check()
    except Cancelled:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    published = f"{repository.name} at {repository.revision}"  # models/origin reads it
    card = {
        "name": repository.name,
        "source": "hub",
        "note": published,
        "licence": repository.licence,
    }
    (folder / default.CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
    return Outcome(
        base=NewBase(
            name=repository.name,
            folder=folder.relative_to(ctx.cache).as_posix(),
            info={
                "note": f"Commit {repository.revision[:12]}, "
                f"licence {repository.licence or 'not named'}",
                "repository": repository.name,
                "revision": repository.revision,
                "licence": repository.licence,
                "fingerprint": print_,
                "parameters": repository.parameters,
            },
        ),
        result=DownloadResult(
            sentence=f"{repository.name} is here: {memory_words(repository.bytes)}.",
            name=repository.name,
            revision=repository.revision,
            bytes=repository.bytes,
            fingerprint=print_,
        ),
    )


def _fetch(found: Repository, folder: Path, ctx: Context) -> None:
    """All files; what is broken beside the weights is found before gigabytes have come."""
    beside = tuple(file for file in found.files if not file.name.endswith(".safetensors"))
    progress = _progress(ctx, found.bytes)
    for files in (beside, found.files):
        download.fetch(found.name, found.revision, files, folder, progress, ctx.check)
        if files is beside:
            folder_check.check_beside_weights(folder)


def _check(found: Repository) -> None:
    """UserError where something stands against it by now; `fetch` looks at the disk itself."""
    base = obstacles.as_base(found, bytes_free=2**62)
    for obstacle in base.obstacles:
        raise UserError(*hub_words.obstacle(base, obstacle))


def _progress(ctx: Context, total: int) -> Callable[[int, str], None]:
    """Says how many bytes are here, at most once a second."""
    emitted = 0.0

    def came(done: int, file: str) -> None:
        nonlocal emitted
        if done >= total or time.monotonic() - emitted >= SAY_EVERY_S:
            emitted = time.monotonic()
            ctx.emit("progress", {"done": done, "total": total, "label": file})

    return came
