"""Work on rows in a process of its own, under limits of memory and processor time.

Run as `python -m engine.services.data.row_process` with a task as JSON on its input: it prints one
line of JSON, the task's answer or an error. A task writes its rows to a folder of its own, and
whoever asked moves what is whole to its place: what is killed half-way leaves nothing there.
"""

import ctypes
import gc
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel, TypeAdapter

from engine.core.child_environment import for_files
from engine.core.errors import Conflict, Forbidden, NoRoom, NotFound, Unavailable, UserError
from engine.core.json_object import JsonObject
from engine.files import NO_ROOM, no_room
from engine.formats import isolated
from engine.services.data.prepared_rows import CheckRows, FixRows, LoadFile, PickRows, ReadFile
from engine.services.data.version_diff import CompareRows

CPU_S = 1800  # a million rows take a quarter of it
WALL_S = 4 * 3600  # a busy machine may take long for few processor seconds
LIMITS = {"OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
PR_SET_PDEATHSIG = 1
Answer = TypeVar("Answer", covariant=True)
TASKS: dict[str, type[BaseModel]] = {
    task.__name__: task for task in (LoadFile, CheckRows, ReadFile, FixRows, PickRows, CompareRows)
}


MODULE = "engine.services.data.row_process"
REFUSALS = {
    each.__name__: each for each in (UserError, NotFound, Conflict, Forbidden, Unavailable, NoRoom)
}


class RowTask(Protocol[Answer]):
    """What can be done with a file of rows; its fields can be carried by JSON."""

    def run(self) -> Answer:
        """The answer; the rows are in the task's folder."""
        ...

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """The fields."""
        ...


def run(task: RowTask[Answer], file: Path, name: str) -> Answer:
    """The task's answer; a task on a `file` so small that it can hurt nobody is done here.

    UserError when it cannot be done within the limits; `name` is what people call the file.
    """
    if not file.is_file():
        raise NotFound(f"There is no file {name!r}.", "Check the path.")
    if isolated.is_small(file):
        return task.run()
    kind = type(task).__name__
    answered = ask(MODULE, {"task": kind, "fields": task.model_dump(mode="json")}, name)
    made: Answer = _answers(TASKS[kind]).validate_json(answered)
    return made


def _answers(task: Any) -> TypeAdapter[Any]:
    """How JSON carries what the task answers."""
    return TypeAdapter(get_type_hints(task.run)["return"])


def _limits() -> dict[str, int]:
    return {"memory": isolated.MEMORY, "cpu_s": CPU_S, "output": isolated.OUTPUT}


def ask(module: str, question: JsonObject, name: str) -> str:
    """What the process of a module answered; its refusal, or one where it was stopped or broke."""
    try:
        with isolated.READERS:
            done = subprocess.run(
                [sys.executable, "-m", module],
                input=json.dumps({**_limits(), **question}).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=WALL_S,
                env={**for_files(os.environ), **LIMITS},
                cwd=Path(__file__).parents[3],
            )
    except subprocess.TimeoutExpired:
        raise isolated.too_slow(name, WALL_S) from None
    if done.returncode == -signal.SIGXCPU:
        raise isolated.too_long(name, CPU_S)
    try:
        kind, value = json.loads(done.stdout)
    except ValueError:
        raise isolated.overwhelmed(name) from None
    if kind == "answer":
        return str(value)
    raise REFUSALS[kind](*value)


def main() -> None:
    """Do the task that is asked for, within the limits of this process."""
    answer(_done)


def answer(done: Callable[[Any], str]) -> None:
    """Answer the question on the input by `done`, within its limits, and end."""
    parent = os.getppid()
    if sys.platform == "linux":  # whoever asked is gone: nobody wants the answer any more
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    asked = json.loads(sys.stdin.read())
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (asked["cpu_s"], asked["cpu_s"] + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (asked["output"], asked["output"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.disable()  # millions of rows and no cycles: looking for these takes as long as the work
    print(json.dumps(_answer_or_refusal(done, asked)), flush=True)  # noqa: T201
    # A library may still abort while the interpreter ends, and a sound file would be called damaged
    os._exit(0)


def _done(asked: Any) -> str:
    task = TASKS[asked["task"]]
    chosen: Any = task.model_validate(asked["fields"])
    return _answers(task).dump_json(chosen.run()).decode()


def _answer_or_refusal(done: Callable[[Any], str], asked: Any) -> tuple[str, Any]:
    try:
        return "answer", done(asked)
    except UserError as error:
        kind = next(each for each in type(error).__mro__ if each.__name__ in REFUSALS)
        return kind.__name__, [error.problem, error.fix]
    except (MemoryError, RecursionError):
        refusal = UserError("These rows need more memory than they may take.", isolated.SPLIT)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        refusal = no_room()
    return "UserError", [refusal.problem, refusal.fix]


if __name__ == "__main__":
    main()
