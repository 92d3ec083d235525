"""Answers checked by a person's JSON Schema in a process of its own, under a limit for each answer.

A schema is a program: a `pattern` may look for longer than anybody lives, and references to two
references each double the work. Run as `python -m engine.metrics.schema_process` with the schema
and the answers as JSON on its input; it prints one line for each answer, and `?` and the name for a
reference that leads out of the schema.
"""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from engine.core.child_environment import for_files
from engine.core.errors import UserError

CPU_S = 5  # of one answer
WALL_S = 4 * 3600  # a busy machine may take long for few processor seconds
MEMORY = 2**30  # bytes of address space
# what can make the work more than the size of the schema times that of the answer
COSTLY = (
    "pattern", "patternProperties", "$ref", "$dynamicRef", "$recursiveRef", "format",
    "uniqueItems", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
LARGE = 10**7  # characters of the schema times those of the longest answer: seconds of work


def valid(schema: Any, answers: Sequence[str]) -> list[bool]:
    """Whether each answer is JSON as the schema says; UserError where that takes too long."""
    if not _costly(schema) and not _large(schema, answers):
        return [_is_valid(_validator(schema), text) for text in answers]
    asked = json.dumps({"schema": schema, "answers": list(answers)}).encode()
    done = subprocess.run(
        [sys.executable, "-m", "engine.metrics.schema_process"],
        input=asked,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=WALL_S,
        env=for_files(os.environ),
        cwd=Path(__file__).parents[2],
        check=False,
    )
    lines = done.stdout.decode().splitlines()
    if lines and lines[-1].startswith("?"):
        raise _unresolved(lines[-1][1:])
    if len(lines) < len(answers):
        raise UserError(
            f"The schema needs more than {CPU_S} seconds or {MEMORY // 2**30} GB to check answer "
            f"{len(lines) + 1}.",
            "Simplify its patterns and references, or check less, such as without uniqueItems.",
        )
    return [line == "1" for line in lines]


def _costly(schema: Any) -> bool:
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if any(key in part for key in COSTLY):
                return True
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return False


def _large(schema: Any, answers: Sequence[str]) -> bool:
    return len(json.dumps(schema)) * max(map(len, answers), default=0) > LARGE


def _unresolved(reference: str) -> UserError:
    return UserError(
        f"The schema refers to {reference}, which is not in it.", "Put all of it in one file."
    )


def _validator(schema: Any) -> Any:
    kind = validator_for(schema, default=Draft202012Validator)
    return kind(schema, registry=Registry())


def _is_valid(validator: Any, text: str) -> bool:
    try:
        return bool(validator.is_valid(json.loads(text, parse_constant=_refuse)))
    except (ValueError, RecursionError, re.error):  # re.error: a pattern that is none
        return False
    except ArithmeticError:  # a number beyond what a fraction can be taken of
        return False


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def main() -> None:
    """Check the answers that are asked for; the kernel ends this process beyond its limits."""
    asked = json.loads(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    validator = _validator(asked["schema"])
    for text in asked["answers"]:
        _allow(CPU_S)
        try:
            line = str(int(_is_valid(validator, text)))
        except Unresolvable as error:
            line = f"?{error.ref!r}"
        print(line, flush=True)  # noqa: T201


def _allow(seconds: int) -> None:
    """So much processor time more from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (until if most == resource.RLIM_INFINITY else min(until, most), most)
    )


if __name__ == "__main__":
    main()
