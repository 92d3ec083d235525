"""Tasks of lm-evaluation-harness with their questions, or one sentence on why they can't be had."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from engine.core.errors import UserError
from engine.jobs.benchmark import names

LOCAL_FIX = "Look into the task's file."


class LoadedTasks(TypedDict):
    """The harness's own objects by name, as its TaskManager gives them."""

    tasks: dict[str, object]
    groups: dict[str, object]
    group_map: dict[str, object]


class Tasks(NamedTuple):
    """What `lm_eval.evaluate` takes, and how many questions that is."""

    loaded: LoadedTasks
    questions: int


def load(
    wanted: Sequence[str], own: Path | None, limit: int | None, num_fewshot: int | None, seed: int
) -> Tasks:
    """The tasks by name, of the folder `own` first; UserError names the one that can't be had."""
    names.check(wanted, _own(own).all_tasks if own else ())
    names.check(wanted, _own(own).all_tasks if own else ())
    whole: LoadedTasks = {"tasks": {}, "groups": {}, "group_map": {}}
    for name in dict.fromkeys(wanted):
        part = _one(name, _manager(name, own))
        if twice := whole["tasks"].keys() & part["tasks"].keys():
            raise UserError(
                f"{name} holds {min(twice)}, which is asked already.", "Name only one of the two."
            )
        whole["tasks"].update(part["tasks"])
        whole["groups"].update(part.get("groups") or {})
        whole["group_map"].update(part.get("group_map") or {})
    for name, task in whole["tasks"].items():
        _refuse(name, task)
        _set_examples(task, num_fewshot, seed)
    return Tasks(whole, sum(_questions(name, t, limit) for name, t in whole["tasks"].items()))


def _own(folder: Path) -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=folder, include_defaults=False)


def _manager(name: str, own: Path | None) -> Any:
    """Of one task only its own folder is read: reading all of them takes many seconds."""
    from lm_eval.tasks import TaskManager

    if own and name in (mine := _own(own)).all_tasks:
        return mine if _is_whole(mine, name) else TaskManager(include_path=own)
    kind, file = names.known()[name]
    return TaskManager() if kind == "group" else _own(file.parent)


def _is_whole(manager: Any, name: str) -> bool:
    """Whether a task, or all parts of a group, are among those that the manager has read."""
    parts = (manager.task_index[name].cfg or {}).get("task")
    return not isinstance(parts, list) or all(part in manager.all_tasks for part in parts)


def _one(name: str, manager: Any) -> LoadedTasks:
    try:
        found: LoadedTasks = manager.load([name])
    except Exception as error:  # task files are programs of others: they may raise anything
        raise UserError(*_why(name, error)) from error
    return found


def _why(name: str, error: Exception) -> tuple[str, str]:
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, ModuleNotFoundError) and each.name:
            return (
                f"{name} needs the Python module {each.name}, which is not here.",
                "Install the package that has it, or choose another task.",
            )
    reason = " ".join(str(chain[0]).split())[:300].rstrip(".") or type(error).__name__
    if any("on the hub" in str(each).lower() or _is_unreachable(each) for each in chain):
        return (
            f"The questions of {name} can't be reached: {reason}.",
            "Go online once so that they are kept, or choose another task.",
        )
    return f"{name} can't be loaded: {reason}.", LOCAL_FIX


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_unreachable(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return type(error).__name__ in ("OfflineModeIsEnabled", "LocalEntryNotFoundError")


def _refuse(name: str, task: Any) -> None:
    if getattr(task, "UNSAFE_CODE", False):
        raise UserError(
            f"{name} runs the programs that a model writes.", "Such tasks are not run here."
        )
    if getattr(task, "MULTIMODAL", False):
        raise UserError(f"{name} asks about pictures or sounds.", "Choose a task of texts.")


def _set_examples(task: Any, num_fewshot: int | None, seed: int) -> None:
    """As `lm_eval.simple_evaluate` does it: a task that says 0 itself keeps its 0."""
    usual = task.get_config("num_fewshot")
    if num_fewshot is not None and usual != 0:
        task.set_config(key="num_fewshot", value=num_fewshot)
    elif usual is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=seed)


def _questions(name: str, task: Any, limit: int | None) -> int:
    try:
        there = len(task.eval_docs)
    except Exception as error:  # as above: a task may prepare its questions by a program
        raise UserError(*_why(name, error)) from error
    if not there:
        raise UserError(f"{name} has no questions.", LOCAL_FIX)
    return min(there, limit or there)
