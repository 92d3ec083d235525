"""Datasets: look at a file, keep it as an immutable version, split it once."""

import json
import time
from pathlib import Path
from typing import Any

from engine.checks.run import findings
from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset, Row, Split
from engine.core.errors import UserError
from engine.files import write_whole
from engine.formats.digest import from_jsonl, sha256_of, to_jsonl
from engine.formats.mapping import Mapping
from engine.formats.read import ParsedFile, read_file
from engine.formats.split import split
from engine.services import access
from engine.store import datasets
from engine.store.connect import reading, writing
from engine.store.rows import to_json
from engine.workspace import Workspace

MAX_BYTES = 200 * 1024 * 1024


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
    mapping: Mapping | None = None,
    group: str | None = None,
    origin: dict[str, Any] | None = None,
) -> Dataset:
    """Read, check, split and keep a file; the same content under the same name is one version.

    Columns that no layout knows are read by a `mapping` that a person has given, never by a
    guess. Rows with equal values in the column `group` stay on one side of the split.
    """
    actor.require(Role.TRAINER)
    refuse_large(path, name)
    parsed = read_file(path, name, layout, mapping, group)
    if not parsed.examples:
        raise UserError(f"{name} holds no readable row.", "See the findings, mend it, try again.")
    source = {**(origin or {"upload": name})}
    if mapping:
        source["mapping"] = mapping.model_dump(mode="json")
    if group:
        source["group"] = group
    return keep(ws, actor, project_id, parsed, _stem(name), source, held_out, seed)


def refuse_large(path: Path, name: str) -> None:
    """UserError for a file that is more than one upload may be."""
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise UserError(
            f"{name} is larger than {MAX_BYTES // 2**20} MB.", "Give a part of it, or split it."
        )


def keep(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    parsed: ParsedFile,
    name: str,
    origin: dict[str, Any],
    held_out: float,
    seed: int = 0,
    splits: list[Split] | None = None,
) -> Dataset:
    """Keep examples as a version: its rows are on the disk before the table knows of them.

    `splits` are those of an earlier version, whose rows must keep their sides.
    """
    actor.require(Role.TRAINER)
    splits = split(parsed.examples, held_out, seed) if splits is None else splits
    new = _version(actor, project_id, parsed, name, origin, splits)
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        known = datasets.with_content(conn, project_id, name, new.sha256)
        if known and known.held_out_rows == new.held_out_rows:
            return known
        version = datasets.next_version(conn, project_id, name)
        new = new.model_copy(update={"version": version})
        write_whole(ws.files / new.file / "rows.jsonl", to_jsonl(parsed.examples))
        write_whole(ws.files / new.file / "splits.json", to_json(splits).encode())
        datasets.add(conn, new)
    return new


def _version(
    actor: Actor,
    project_id: str,
    parsed: ParsedFile,
    name: str,
    origin: dict[str, Any],
    splits: list[Split],
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
        findings=tuple(findings(parsed)),
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


def _stem(name: str) -> str:
    return Path(name).name.split(".")[0][:60] or "data"


def _splits(path: Path) -> list[Split]:
    found: list[Split] = json.loads(path.read_text())
    return found
