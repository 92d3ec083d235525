"""The certificate of an export: its own runtime answers, and the answers are compared."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.export import (
    CLEAR,
    TIE,
    ArtefactAnswer,
    Cause,
    Certificate,
    MetricDifference,
)
from engine.exporters.declared import Runtime
from engine.exporters.source import environment
from engine.metrics.score import gain, score_rows

NO_GAPS: Mapping[int, float] = MappingProxyType({})
MOST_QUIET_S = 900  # without an answer: the loading of a large model is the longest wait


class ModelAnswer(NamedTuple):
    """What the model itself read and wrote; `references` may be empty."""

    prompt: tuple[Message, ...]
    references: tuple[str, ...]
    prompt_text: str
    prompt_ids: tuple[int, ...]
    text: str
    finished: bool


class Parting(NamedTuple):
    """Where two answers part: the tokens before, and the next one of each."""

    before: tuple[int, ...]
    own: int
    found: int


# how much likelier the model finds its own next token where answers part; None where none does
Gaps = Callable[[Sequence[ModelAnswer], Sequence[ArtefactAnswer]], list[float | None]]
MAY_BE_CLOSE = (None, Cause.END_TOKEN)


def certify(
    runtime: Runtime,
    folder: Path,
    base: Path,
    own: Sequence[ModelAnswer],
    max_new_tokens: int,
    metrics: Sequence[str],
    *,
    quantised: bool = False,
    gaps: Gaps = lambda own, _: [None] * len(own),
    packages: Path | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> Certificate:
    """What `runtime` makes of the artefact in `folder`, compared with the model's own answers.

    `gaps` says for answers that differ for no other reason how far apart the model finds the next
    tokens where they part. `packages` is what the runtime fetched. `done` hears each second how
    many prompts are answered, and may raise to stop. UserError where the runtime can't load the
    artefact.
    """
    prompts = [one.prompt for one in own]
    found = ask(runtime, folder, base, prompts, max_new_tokens, done, packages)
    left = {
        row: (a, b)
        for row, (a, b) in enumerate(zip(own, found, strict=True))
        if not _same(a, b) and _cause(a, b) in MAY_BE_CLOSE
    }
    apart = gaps([a for a, _ in left.values()], [b for _, b in left.values()]) if left else []
    known = {row: gap for row, gap in zip(left, apart, strict=False) if gap is not None}
    return compare(runtime.name, own, found, metrics, quantised=quantised, gaps=known)


def compare(
    runtime: str,
    own: Sequence[ModelAnswer],
    found: Sequence[ArtefactAnswer],
    metrics: Sequence[str],
    *,
    quantised: bool = False,
    gaps: Mapping[int, float] = NO_GAPS,
) -> Certificate:
    """How many answers are the same text; where some are not, the scores of both and the causes.

    A prompt that is read otherwise is named even where every answer is the same by luck. `gaps` are
    by the number of the row.
    """
    same = sum(_same(a, b) for a, b in zip(own, found, strict=True))
    all_same = same == len(own)
    return Certificate(
        runtime=runtime,
        n=len(own),
        same=same,
        differences=() if all_same else _differences(own, found, metrics),
        causes=causes(own, found, gaps, quantised=quantised and not all_same),
        gap=max(gaps.values(), default=None),
    )


def causes(
    own: Sequence[ModelAnswer],
    found: Sequence[ArtefactAnswer],
    gaps: Mapping[int, float] = NO_GAPS,
    *,
    quantised: bool,
) -> tuple[Cause, ...]:
    """The known causes that are seen in at least one row, the first to look at first."""
    rows = enumerate(zip(own, found, strict=True))
    seen = {cause for row, (a, b) in rows if (cause := _cause(a, b, gaps.get(row)))}
    if quantised and not seen:
        seen.add(Cause.QUANTISATION)
    elif gaps and max(gaps.values()) <= TIE:
        seen.add(Cause.ROUNDING)
    return tuple(cause for cause in Cause if cause in seen)


def parting(
    own: ModelAnswer, found: ArtefactAnswer, tokens: Callable[[str], list[int]], end: int
) -> Parting | None:
    """Where two answers to the same prompt part; None where one is the other's beginning."""
    theirs = [*tokens(found.text), *([end] if found.finished else [])]
    ours = [*tokens(own.text), *([end] if own.finished else [])]
    for at, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return Parting((*own.prompt_ids, *ours[:at]), one, other)
    return None


def _cause(own: ModelAnswer, found: ArtefactAnswer, gap: float | None = None) -> Cause | None:
    if found.truncated:
        return Cause.CONTEXT
    ids, theirs = list(own.prompt_ids), list(found.prompt_ids)
    if theirs[:1] + ids == theirs and theirs[:1] == ids[:1]:
        return Cause.DOUBLED_START
    if found.prompt_text != own.prompt_text:
        return Cause.TEMPLATE
    if theirs != ids:
        return Cause.TOKENIZER
    if gap is not None and gap < CLEAR:
        return None  # whether to end here was nearly a tie
    text, exported = own.text.strip(), found.text.strip()
    runs_on = own.finished and not found.finished and exported.startswith(text)
    breaks_off = found.finished and exported != text and text.startswith(exported)
    return Cause.END_TOKEN if runs_on or breaks_off else None


def ask(
    runtime: Runtime,
    folder: Path,
    base: Path,
    prompts: Sequence[Sequence[Message]],
    max_new_tokens: int,
    done: Callable[[int], None] = lambda _: None,
    packages: Path | None = None,
) -> list[ArtefactAnswer]:
    """The artefact's greedy answers, in order, written by its runtime in a process of its own.

    `packages` is the folder with those of a runtime that is not installed beside the program.
    """
    questions = [[one.model_dump(mode="json") for one in prompt] for prompt in prompts]
    asked = {"questions": questions, "max_new_tokens": max_new_tokens, "base": str(base)}
    command = [sys.executable, str(runtime.program), str(folder)]
    with tempfile.TemporaryDirectory() as scratch:
        written, errors, given = (Path(scratch) / name for name in ("out", "errors", "in"))
        given.write_text(json.dumps(asked), encoding="utf-8")
        with given.open() as source, written.open("w") as out, errors.open("w") as problems:
            process = subprocess.Popen(
                command, stdin=source, stdout=out, stderr=problems, env=environment(packages)
            )
        try:
            found = _followed(process, written, done)
        finally:
            process.kill()
            process.wait()
        if len(found) < len(prompts):
            raise _broken(runtime, errors.read_text(encoding="utf-8", errors="replace"))
    return found


def _followed(
    process: subprocess.Popen[bytes], written: Path, done: Callable[[int], None]
) -> list[ArtefactAnswer]:
    """The answers of a process until it ends, or writes none for too long."""
    found: list[ArtefactAnswer] = []
    quiet, over = 0, False
    while not over and quiet < MOST_QUIET_S:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        over = process.poll() is not None
        lines = written.read_text(encoding="utf-8").split("\n")[:-1]
        quiet = quiet + 1 if len(lines) == len(found) else 0
        found += map(ArtefactAnswer.model_validate_json, lines[len(found) :])
        done(len(found))
    return found


def _broken(runtime: Runtime, errors: str) -> UserError:
    last = (errors.strip().splitlines() or ["no reason given"])[-1][:300]
    return UserError(
        f"{runtime.name} cannot answer with the exported model: {last}.",
        "Export it in another format, or without a certificate.",
    )


def _same(own: ModelAnswer, found: ArtefactAnswer) -> bool:
    return own.finished == found.finished and own.text.strip() == found.text.strip()


def _differences(
    own: Sequence[ModelAnswer], found: Sequence[ArtefactAnswer], metrics: Sequence[str]
) -> tuple[MetricDifference, ...]:
    both = [(a, b) for a, b in zip(own, found, strict=True) if a.references]
    if not both:
        return ()
    references = [list(a.references) for a, _ in both]
    made = []
    for name in metrics:
        before = score_rows(name, [a.text for a, _ in both], references)
        after = score_rows(name, [b.text for _, b in both], references)
        made.append(
            MetricDifference(
                metric=name,
                model=before.mean.score,
                artefact=after.mean.score,
                gain=gain(name, before, after),
            )
        )
    return tuple(made)
