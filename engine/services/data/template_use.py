"""How the chat template of a base reads rows: of a file, an upload or a version, as findings."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

from engine.checks.run import GRAVEST_FIRST
from engine.core.actor import Actor, Role
from engine.core.examples import Example
from engine.core.finding import Finding
from engine.core.template_use import TemplateUse
from engine.models import folder
from engine.models.chat_template import Template
from engine.models.template_use import use_of
from engine.services import access
from engine.services.data import datasets, staging
from engine.services.data.prepared_rows import Reading
from engine.services.data.row_file import RowFile
from engine.services.models.registry import files as model_files
from engine.store.connect import reading
from engine.workspace import Workspace

MOST = 1000  # rows looked at: the first ones
MOST_WAITED_FOR = 200  # of them while a page waits
REMEMBERED = 64


def of_upload(
    ws: Workspace, actor: Actor, upload_id: str, how: Reading, model_id: str
) -> list[Finding]:
    """What the template of `model_id` makes of the first rows of an upload; none for most files.

    NotFound when the upload has gone, UserError when it or the template cannot be read.
    """
    return _of(staging.row_file(ws, actor, upload_id, how), _base(ws, actor, model_id))


def of_version(ws: Workspace, actor: Actor, dataset_id: str, model_id: str) -> list[Finding]:
    """The same of a dataset version."""
    version = datasets.get(ws, actor, dataset_id)
    return _of(datasets.row_file(ws, version), _base(ws, actor, model_id))


def of_examples(examples: Iterable[Example], base: Path) -> list[Finding]:
    """The same of rows that are read already, by the template of the model in the folder `base`."""
    return _findings(_used(iter(examples), base, MOST))


def together(found: Iterable[Finding], of_template: Iterable[Finding]) -> list[Finding]:
    """Findings of a file and those of a template in one list, the gravest first."""
    return sorted([*found, *of_template], key=lambda one: GRAVEST_FIRST[one.severity])


def _base(ws: Workspace, actor: Actor, model_id: str) -> Path:
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        model = access.model(conn, actor, model_id)
    return model_files(ws, model).base


def _of(rows: RowFile, base: Path) -> list[Finding]:
    return _findings(_use_of_file(rows, base, folder.identity(base)))


@lru_cache(REMEMBERED)
def _use_of_file(rows: RowFile, base: Path, _identity: str) -> tuple[TemplateUse, bool]:
    return _used(rows.examples(), base, MOST_WAITED_FOR)


def _used(examples: Iterator[Example], base: Path, most: int) -> tuple[TemplateUse, bool]:
    """The use of the first rows, and whether there are more."""
    template = Template.load(base, isolated=True)
    use = use_of(template, islice(examples, most))
    return use, next(examples, None) is not None


def _findings(found: tuple[TemplateUse, bool]) -> list[Finding]:
    use, more = found
    if not more:
        return use.findings()
    return [
        one.model_copy(update={"message": f"Of the first {use.rows:,} rows {one.message}"})
        for one in use.findings()
    ]
