"""Datasets: look at a file, keep it as an immutable version, split it once."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from engine.checks.run import findings
from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.column_mapping import ColumnMapping
from engine.core.dataset import Dataset, Origin, Row, Split
from engine.core.errors import UserError
from engine.core.finding import Finding
from engine.files import write_atomic
from engine.formats.digest import from_jsonl, sha256_of, to_jsonl
from engine.formats.read import ParsedFile, read_file
from engine.formats.split import split
from engine.services import access
from engine.store import datasets
from engine.store.connect import reading, writing
from engine.store.rows import to_json
from engine.workspace import Workspace

MAX_BYTES = 200 * 1024 * 1024
ENDINGS = frozenset(
    {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".zip", ".gz"}
)


class Reading(BaseModel):
    """How the rows of a file are read and drawn for the split; by default as the file shows."""

    model_config = ConfigDict(frozen=True)

    layout: str | None = None
    mapping: ColumnMapping | None = None
    group: str | None = None  # a column: rows with equal values stay on one side of the split
    seed: int = 0


def add(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    path: Path,
    name: str,
    *,
    held_out: float = 0.15,
    seed: int = 0,
    layout: str | None = None,
    mapping: ColumnMapping | None = None,
    group: str | None = None,
    origin: Origin | None = None,
) -> Dataset:
    """Read, check, split and keep a file; the same content under the same name is one version.

    Columns that no layout knows are read by a `mapping` that a person has given, never by a
    guess. Rows with equal values in the column `group` stay on one side of the split.
    """
    actor.require(Role.TRAINER)
    refuse_large(path, name)
    parsed = read_file(path, name, layout, mapping, group)
    if not parsed.examples:
        raise UserError(
            f"{name} holds no readable row.", "See the findings, correct the file and try again."
        )
    how = Reading(layout=layout, mapping=mapping, group=group, seed=seed)
    source = origin_of(origin or {"upload": name}, how)
    return store(ws, actor, project_id, parsed, stem(name), source, held_out, seed)


def origin_of(origin: Origin, how: Reading) -> Origin:
    """Where a version came from, with the columns and the group that a person named."""
    named: Origin = {}
    if how.mapping:
        named["mapping"] = how.mapping.model_dump(mode="json", exclude_defaults=True)
    if how.group:
        named["group"] = how.group
    return {**origin, **named}


def refuse_large(path: Path, name: str) -> None:
    """UserError for a file that is more than one upload may be."""
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise UserError(
            f"{name} is larger than {MAX_BYTES // 2**20} MB.", "Give a part of it, or split it."
        )


def store(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    parsed: ParsedFile,
    name: str,
    origin: Origin,
    held_out: float,
    seed: int = 0,
    splits: list[Split] | None = None,
    found: Sequence[Finding] | None = None,
) -> Dataset:
    """Keep examples as a version: its rows are on the disk before the table knows of them.

    `splits` and `found` are what the split and the checks gave where they ran before; otherwise
    they run here.
    """
    actor.require(Role.TRAINER)
    splits = split(parsed.examples, held_out, seed) if splits is None else splits
    found = findings(parsed) if found is None else found
    new = _version(actor, project_id, parsed, name, origin, splits, found)
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        known = datasets.with_content(conn, project_id, name, new.sha256)
        if known and known.held_out_rows == new.held_out_rows:
            return known
        version = datasets.next_version(conn, project_id, name)
        new = new.model_copy(update={"version": version})
        write_atomic(ws.files / new.file / "rows.jsonl", to_jsonl(parsed.examples))
        write_atomic(ws.files / new.file / "splits.json", to_json(splits).encode())
        datasets.add(conn, new)
    return new


def _version(
    actor: Actor,
    project_id: str,
    parsed: ParsedFile,
    name: str,
    origin: Origin,
    splits: list[Split],
    found: Sequence[Finding],
) -> Dataset:
    dataset_id = ids.new("dataset")
    return Dataset(
        id=dataset_id,
        project_id=project_id,
        name=name,
        version=1,
        kind=parsed.kind,
        layout=parsed.layout,
        rows=len(parsed.examples),
        train_rows=splits.count("train"),
        held_out_rows=splits.count("held_out"),
        sha256=sha256_of(parsed.examples),
        file=f"datasets/{dataset_id}",
        origin=origin,
        findings=tuple(found),
        created_by=actor.name,
        created_at=time.time(),
    )


def list_all(ws: Workspace, actor: Actor, project_id: str) -> list[Dataset]:
    """Newest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return datasets.list_all(conn, project_id)


def get(ws: Workspace, actor: Actor, dataset_id: str) -> Dataset:
    """The version; NotFound otherwise."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        return access.dataset(conn, actor, dataset_id)


def rows(
    ws: Workspace,
    actor: Actor,
    dataset_id: str,
    split: Split | None = None,
    limit: int | None = None,
) -> list[Row]:
    """The rows of a version in file order, of one split where named."""
    return load_rows(ws, get(ws, actor, dataset_id), split)[:limit]


def load_rows(ws: Workspace, dataset: Dataset, split: Split | None = None) -> list[Row]:
    """The rows as the files hold them; UserError when they have gone or changed."""
    folder = ws.files / dataset.file
    try:
        examples = from_jsonl((folder / "rows.jsonl").read_bytes())
        splits = _splits(folder / "splits.json")
    except OSError:
        raise UserError(
            f"The rows of {dataset.label} are not in the data folder.", "Add the file again."
        ) from None
    if sha256_of(examples) != dataset.sha256:
        raise UserError(
            f"The rows of {dataset.label} have changed on the disk.", "Add the file again."
        )
    kept = zip(splits, examples, strict=True)
    return [
        Row(index=i, split=where, example=example)
        for i, (where, example) in enumerate(kept)
        if split is None or where == split
    ]


def stem(name: str) -> str:
    """The name of a dataset made of a file: its name without the endings of data files."""
    stripped = Path(name).name
    while (end := Path(f"x{stripped}").suffix.lower()) in ENDINGS:
        stripped = stripped[: -len(end)]
    return stripped.strip(". ")[:60] or "data"


def _splits(path: Path) -> list[Split]:
    found: list[Split] = json.loads(path.read_text())
    return found
