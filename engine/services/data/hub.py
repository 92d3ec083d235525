"""Data sets of the Hugging Face Hub by name: their files are fetched and read, never run."""

import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from engine.core.actor import Actor, Role
from engine.core.column_mapping import ColumnMapping
from engine.core.dataset import HELD_OUT_SHARE, Dataset
from engine.core.errors import NotFound, UserError
from engine.services import access
from engine.services.data import datasets
from engine.services.people import visitors
from engine.store.connect import reading
from engine.workspace import Workspace

WAIT_S = 8  # for the first answer of the Hub
NAME = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx", ".txt", ".zip")
ABOUT = ("dataset_info", "dataset_infos", "dataset_dict", "state", "readme", "license")
SHARD = re.compile(r"-\d{5}-of-\d{5}")
File = tuple[str, int]  # name and bytes


def fetch(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    repo: str,
    *,
    file: str | None = None,
    split: str = "train",
    revision: str | None = None,
    held_out: float = HELD_OUT_SHARE,
    seed: int = 0,
    layout: str | None = None,
    mapping: ColumnMapping | None = None,
    group: str | None = None,
) -> Dataset:
    """The data of the Hub's `repo` ("owner/name") as a version: `file`, or the files of `split`.

    A script in the repository is never run. UserError without a network, within 10 seconds.
    This server's token shows what its owner keeps private, so only owners fetch with it.
    """
    actor.require(Role.TRAINER)
    if not NAME.fullmatch(repo) or ".." in repo:
        raise UserError(f"{repo[:80]!r} is not the name of a dataset.", "Give it as owner/name.")
    with reading(ws.db) as conn:  # before anything is fetched
        access.project(conn, actor, project_id)
        visitors.check_room(ws, conn, actor)
    api = HfApi(token=None if actor.role >= Role.OWNER else False)
    with tempfile.TemporaryDirectory(prefix="tuneloop-hub-") as scratch:
        commit, names = _listed(api, repo, revision, file, split)
        path = _whole([_downloaded(api, repo, commit, name, Path(scratch)) for name in names])
        suffixes = "".join(PurePosixPath(path.name).suffixes[-2:])
        name = repo.partition("/")[2].replace(".", "-") + suffixes
        return datasets.add(
            ws, actor, project_id, path, name,
            held_out=held_out, seed=seed, layout=layout, mapping=mapping, group=group,
            origin={"hub": repo, "revision": commit, "files": names},
        )  # fmt: skip


def _listed(
    api: HfApi, repo: str, revision: str | None, file: str | None, split: str
) -> tuple[str, list[str]]:
    """The commit and the files to fetch, as large as one upload at most."""
    info = _asked(
        repo,
        lambda: api.dataset_info(repo, revision=revision, timeout=WAIT_S, files_metadata=True),
    )
    files = [(one.rfilename, one.size or 0) for one in info.siblings or [] if _is_data(one)]
    chosen = [one for one in files if one[0] == file] if file else _of_split(files, split)
    if not chosen:
        raise UserError(_nothing(repo, files, file), "Choose another dataset, or upload a file.")
    if sum(size for _, size in chosen) > datasets.MAX_BYTES:
        limit = datasets.MAX_BYTES // 2**20
        raise UserError(
            f"The data of {repo} is larger than {limit} MB.",
            "Name one file of it, or a smaller set.",
        )
    return str(info.sha), [name for name, _ in chosen]


def _of_split(files: list[File], split: str) -> list[File]:
    """The files of the split, all of one table; UserError when there are several to choose from."""
    named = [one for one in files if split in re.split(r"[^a-z0-9]+", one[0].lower())] or files
    tables: dict[str, list[File]] = {}
    for name, size in named:
        tables.setdefault(SHARD.sub("", name), []).append((name, size))
    if len(tables) > 1:
        shown = ", ".join(list(tables)[:8])
        raise UserError(f"There are {len(tables):,} data files: {shown}.", "Name one of them.")
    return next(iter(tables.values()), [])


def _downloaded(api: HfApi, repo: str, commit: str, name: str, folder: Path) -> Path:
    def download() -> str:
        return api.hf_hub_download(
            repo, name, repo_type="dataset", revision=commit, local_dir=folder, etag_timeout=WAIT_S
        )  # fmt: skip

    try:
        return Path(download())
    except (OSError, HTTPError) as error:
        raise _refusal(repo, error) from None


def _whole(paths: list[Path]) -> Path:
    """The one file, or the parts of a table packed into one."""
    if len(paths) == 1:
        return paths[0]
    packed = paths[0].parent / "parts.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in paths:
            archive.write(path, path.name)
    return packed


def _asked(repo: str, question: Callable[[], Any]) -> Any:
    """The Hub's answer; a thread, because looking up an address knows no time limit."""
    answers: list[Any] = []
    refusals: list[UserError] = []

    def ask() -> None:
        try:
            answers.append(question())
        except (OSError, HTTPError, HFValidationError) as error:
            refusals.append(_refusal(repo, error))

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(WAIT_S + 1)
    if answers:
        return answers[0]
    raise refusals[0] if refusals else _unreachable("no answer")


def _refusal(repo: str, error: Exception) -> UserError:
    if isinstance(error, GatedRepoError):
        return UserError(
            f"{repo} is gated: its terms must be accepted on the Hub first.",
            "Download it on the Hub's page, and upload the file here.",
        )
    if isinstance(error, RepositoryNotFoundError | HFValidationError):
        return NotFound(f"The Hub has no dataset {repo}.", "Check the owner and the name.")
    if isinstance(error, RevisionNotFoundError | EntryNotFoundError):
        return NotFound(f"{repo} has no such revision or file.", "Leave the revision out.")
    return _unreachable(type(error).__name__)


def _unreachable(why: str) -> UserError:
    return UserError(
        f"The Hugging Face Hub cannot be reached ({why}).",
        "Download the data elsewhere, and upload the file here.",
    )


def _is_data(sibling: Any) -> bool:
    path = PurePosixPath(sibling.rfilename.lower())
    bare = PurePosixPath(path.name.removesuffix(".gz"))
    outside = path.is_absolute() or any(part.startswith(".") for part in path.parts)
    return bare.suffix in SUFFIXES and bare.stem not in ABOUT and not outside


def _nothing(repo: str, files: list[File], file: str | None) -> str:
    if file and files:
        return f"{repo} has no file {file[:80]!r}; it has {', '.join(n for n, _ in files[:8])}."
    return f"{repo} holds no data file that can be read here."
