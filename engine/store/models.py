"""Models: bases shared by all projects, and those that a project trained."""

from sqlalchemy import Connection, insert, or_, select, update

from engine.core.model import Model
from engine.store.json_columns import dumped, loaded
from engine.store.tables import model

OUTSIDE = "outside"


def add(conn: Connection, new: Model) -> None:
    """Store a model."""
    conn.execute(insert(model).values(dumped(new.model_dump(mode="json"), "info")))


def get(conn: Connection, model_id: str) -> Model | None:
    """The model, or None."""
    row = conn.execute(select(model).where(model.c.id == model_id)).mappings().one_or_none()
    return Model.model_validate(loaded(row, "info")) if row else None


def list_all(conn: Connection, project_id: str | None) -> list[Model]:
    """Bases first, then the project's models, oldest first; None: bases alone.

    Those that are known by name alone are not among them (`outside`).

    What a search for settings tried comes before what was trained in earnest, so that the newest
    model, which pages offer first, is none of them.
    """
    query = (
        select(model)
        .where(or_(model.c.project_id.is_(None), model.c.project_id == project_id))
        .where(model.c.kind != OUTSIDE)
        .order_by(
            model.c.project_id.is_not(None),
            model.c.is_trial.desc(),
            model.c.created_at,
            model.c.id,
        )
    )
    return [Model.model_validate(loaded(row, "info")) for row in conn.execute(query).mappings()]


def needing(conn: Connection, base_id: str) -> list[Model]:
    """The models of all projects that do not work without this base, oldest first."""
    query = (
        select(model)
        .where(or_(model.c.base_id == base_id, model.c.parent_id == base_id))
        .order_by(model.c.created_at, model.c.id)
    )
    found = [Model.model_validate(loaded(row, "info")) for row in conn.execute(query).mappings()]
    return [one for one in found if not one.has_all_weights]


def remove_base(conn: Connection, base_id: str) -> None:
    """Keep a base by its name alone, without files."""
    conn.execute(update(model).where(model.c.id == base_id).values(kind=OUTSIDE, path=""))


def outside(conn: Connection, project_id: str, *, removed: bool = False) -> list[Model]:
    """The models that the project knows by name alone, oldest first.

    With `removed` the bases that have been removed are among them.
    """
    of_project = model.c.project_id == project_id
    wanted = or_(of_project, model.c.project_id.is_(None)) if removed else of_project
    query = (
        select(model)
        .where(wanted, model.c.kind == OUTSIDE)
        .order_by(model.c.created_at, model.c.id)
    )
    return [Model.model_validate(loaded(row, "info")) for row in conn.execute(query).mappings()]
