"""Feedback on answers of the API: traffic, which is not blind, kept apart from every verdict.

An answer is kept where its key keeps texts, and of an arena always, since somebody must know who
gave it. What people say about it becomes rows to learn from (pairs, liked and disliked answers) or
prompts of a rating round; a verdict reads votes of rounds alone and never sees it.
"""

import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import Connection

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.dataset import HELD_OUT_SHARE, Dataset
from engine.core.errors import Conflict, NotFound, UserError
from engine.core.examples import Example, Message, Preference, Prompt, Unpaired
from engine.core.model import Model
from engine.core.names import without_nul
from engine.core.parsed_file import ParsedFile
from engine.formats.held_out_split import FEWEST
from engine.services import access, projects
from engine.services.data import datasets
from engine.services.loop import champion
from engine.services.models import registry
from engine.stats.intervals import wilson
from engine.store import completions
from engine.store.completions import CompletionRow, FeedbackRow
from engine.store.connect import reading, writing
from engine.workspace import Workspace

ARENA = "arena@"
VOTE_PATH = "/vote/"
LONGEST_CORRECTION = 20_000
MOST_REJECTED = 15
MOST_KEPT, MOST_KEPT_BYTES = 10_000, 200 * 2**20  # answers of a project with their prompts
MOST_FEEDBACK = 100  # of one answer from its page, which asks nobody who they are
RowsAs = Literal["pairs", "thumbs", "prompts"]
NAMES: dict[RowsAs, str] = {
    "pairs": "Pairs from feedback",
    "thumbs": "Thumbs from feedback",
    "prompts": "Prompts from traffic",
}
_MESSAGES = TypeAdapter(tuple[Message, ...])


class ArenaChoice(NamedTuple):
    """Who answers; `other` is whom chance might have chosen instead, in an arena."""

    model: Model
    other: Model | None = None


class ModelFeedback(BaseModel):
    """What people said about a model's answers: the share of thumbs up with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    model_id: str
    name: str
    answers: int
    up: int
    down: int
    share_up: float | None
    low: float | None
    high: float | None
    corrections: int
    chosen: int


class FeedbackReport(BaseModel):
    """Feedback of a project by model; none of it is blind."""

    model_config = ConfigDict(frozen=True)

    models: tuple[ModelFeedback, ...]
    sentence: str


def choose(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    wanted: str,
    find: Callable[[], Model],
) -> ArenaChoice:
    """Who answers a request to `wanted`: of `arena@PROJECT` the champion or the challenger.

    The challenger is the newest model of the project that is not the champion.
    """
    if not wanted.startswith(ARENA):
        return ArenaChoice(find())
    project = projects.get(ws, actor, project_id)
    best = champion.current(ws, actor, project_id)
    trained = [
        one
        for one in registry.list_all(ws, actor, project_id)
        if one.project_id and one.kind != "reward" and not one.is_trial
    ]
    others = [one for one in trained if best is None or one.id != best.id]
    if wanted.removeprefix(ARENA) not in (project.id, project.name) or best is None or not others:
        raise NotFound(
            f"There is no arena {wanted!r}.",
            "It needs a champion of this project and one more trained model.",
        )
    both = (best, others[-1])
    first = secrets.randbelow(2)
    return ArenaChoice(both[first], both[1 - first])


def unnamed(error: UserError, choice: ArenaChoice, wanted: str) -> UserError:
    """`error` as whoever asked may read it: in an arena both models are called `wanted`."""
    if choice.other is None:
        return error
    names = {secret for one in (choice.model, choice.other) for secret in (one.id, one.name)}
    longest = sorted(names, key=len, reverse=True)
    any_name = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest))
    renamed = copy(error)
    renamed.problem, renamed.fix = (
        any_name.sub(lambda _: wanted, part) for part in (error.problem, error.fix)
    )
    renamed.args = (f"{renamed.problem} {renamed.fix}".strip(),)
    return renamed


def keep(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    choice: ArenaChoice,
    *,
    completion_id: str,
    key_id: str | None,
    captures: bool,
    prompt: Sequence[Message],
    text: str,
) -> str:
    """Keep an answer for feedback where its key keeps texts, or of an arena without its texts.

    The path at which a person can say what they think of it; empty where nothing is kept. Of a
    project the newest answers are kept: older ones that nobody said anything about make room, and
    where feedback takes all of it nothing further is kept.
    """
    actor.require(Role.TRAINER)
    if not captures and choice.other is None:
        return ""
    asked = _MESSAGES.dump_json(tuple(prompt)).decode() if captures else ""
    text = text if captures else ""
    new = CompletionRow(
        id=completion_id,
        project_id=project_id,
        key_id=key_id,
        model_id=choice.model.id,
        other_id=choice.other.id if choice.other else None,
        prompt=asked,
        text=text,
        created_at=time.time(),
        bytes=len(asked.encode()) + len(text.encode()),
    )
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        if not _make_room(conn, project_id, new.bytes):
            return ""
        completions.add(conn, new)
    return VOTE_PATH + completion_id


def _make_room(conn: Connection, project_id: str, size: int) -> bool:
    """Whether one more answer of this size fits, once the oldest have gone."""
    if size > MOST_KEPT_BYTES:
        return False
    for last in (False, True):
        rows, taken = completions.total(conn, project_id)
        over = (rows + 1 - MOST_KEPT, taken + size - MOST_KEPT_BYTES)
        if max(over) <= 0:
            return True
        if not last:
            completions.drop_oldest(conn, project_id, *over)
    return False


def thumb(
    ws: Workspace, actor: Actor, project_id: str, completion_id: str, up: bool, via: str = "api"
) -> None:
    """Somebody liked an answer, or did not; what they say last counts."""
    _say(ws, actor, project_id, completion_id, "thumb", "up" if up else "down", via)


def correct(
    ws: Workspace, actor: Actor, project_id: str, completion_id: str, text: str, via: str = "api"
) -> None:
    """Somebody wrote what the answer should have been."""
    without_nul(text, "The correction")
    if not text.strip():
        raise UserError("The correction is empty.", "Write the better answer.")
    if len(text) > LONGEST_CORRECTION:
        raise UserError(
            f"The correction has more than {LONGEST_CORRECTION:,} characters.", "Shorten it."
        )
    known = _kept(ws, actor, project_id, completion_id)
    if not known.text:
        raise Conflict(
            "The texts of this answer were not kept, so a correction teaches nothing.",
            "Use a key that keeps prompts and answers.",
        )
    _say(ws, actor, project_id, completion_id, "correction", text.strip(), via)


def chosen(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    completion_id: str,
    rejected: Sequence[str],
    via: str = "api",
) -> None:
    """Somebody chose an answer among several to the same prompt."""
    if not 1 <= len(rejected) <= MOST_REJECTED or completion_id in rejected:
        raise UserError(
            "A choice names the chosen answer and the others it was chosen from.",
            f"Give 1 to {MOST_REJECTED} ids of other answers.",
        )
    prompts = {_kept(ws, actor, project_id, each).prompt for each in (completion_id, *rejected)}
    if len(prompts) > 1 or "" in prompts:
        raise Conflict(
            "These answers do not answer one prompt that was kept.",
            "Choose among answers to the same messages, with a key that keeps texts.",
        )
    for each in dict.fromkeys(rejected):
        _say(ws, actor, project_id, completion_id, "chosen", each, via)


def shown(ws: Workspace, completion_id: str) -> tuple[str, str]:
    """The last question and the answer, for whoever holds the address of its vote.

    Both are empty where texts are not kept; nothing says which model answered.
    """
    with reading(ws.db) as conn:
        known = completions.get(conn, completion_id)
    if known is None:
        raise NotFound("There is no answer at this address.", "Open the link once more.")
    turns = _prompt(known)
    return (turns[-1].content if turns else "", known.text)


def vote(ws: Workspace, completion_id: str, up: bool) -> None:
    """A thumb from the page of an answer; its unguessable id is what lets somebody in."""
    with writing(ws.db) as conn:
        known = completions.get(conn, completion_id)
        if known is None:
            raise NotFound("There is no answer at this address.", "Open the link once more.")
        if completions.count_feedback(conn, completion_id) >= MOST_FEEDBACK:
            raise Conflict("This answer has all the feedback it can have.", "Thank you.")
        _add(conn, known, "thumb", "up" if up else "down", "page")


def report(ws: Workspace, actor: Actor, project_id: str) -> FeedbackReport:
    """Feedback by model, the one with most answers first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        kept = {one.id: one for one in completions.list_all(conn, project_id)}
        feedback = completions.feedback_of(conn, project_id)
        names = {
            each: access.model(conn, actor, each).name
            for each in {one.model_id for one in kept.values()}
        }
    answers = Counter(one.model_id for one in kept.values())
    found = [
        _of_model(model_id, names[model_id], many, kept, feedback)
        for model_id, many in answers.most_common()
    ]
    return FeedbackReport(models=tuple(found), sentence=_sentence(len(kept), len(feedback)))


def captured(ws: Workspace, actor: Actor, project_id: str) -> int:
    """How many different prompts the keys that keep texts have captured."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        return completions.count_prompts(conn, project_id)


def to_dataset(
    ws: Workspace, actor: Actor, project_id: str, rows_as: RowsAs, held_out: float = HELD_OUT_SHARE
) -> Dataset:
    """A dataset version of what was said: preference pairs, thumbs, or the prompts alone.

    A correction and a choice make a pair, a thumb a liked or disliked answer; every prompt kept
    makes a prompt, once. Below 8 rows nothing is held out. UserError where there is no row.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        kept = {one.id: one for one in completions.list_all(conn, project_id) if one.prompt}
        feedback = completions.feedback_of(conn, project_id)
    makers: dict[RowsAs, Callable[[], list[Example]]] = {
        "pairs": lambda: _pairs(kept, feedback),
        "thumbs": lambda: _thumbs(kept, feedback),
        "prompts": lambda: _prompts(kept),
    }
    examples = list(dict.fromkeys(makers[rows_as]()))
    if not examples:
        raise UserError(
            "No feedback makes such rows yet.",
            "They come from keys that keep prompts and answers, and from what people say there.",
        )
    numbered = [one.model_copy(update={"source_row": n}) for n, one in enumerate(examples, 1)]
    kind = numbered[0].kind
    layout = {"preference": "preference", "unpaired": "kto", "prompts": "prompts"}[kind]
    parsed = ParsedFile(layout, kind, numbered, [])
    origin = {"feedback": rows_as, "blind": "no: traffic"}
    held_out = held_out if len(numbered) >= FEWEST else 0
    return datasets.store(ws, actor, project_id, parsed, NAMES[rows_as], origin, held_out)


def _pairs(kept: dict[str, CompletionRow], feedback: Sequence[FeedbackRow]) -> list[Example]:
    found: list[Example] = []
    for one in feedback:
        about = kept.get(one.completion_id)
        if about is None:
            continue
        if one.kind == "correction" and one.value != about.text:
            pair = (one.value, about.text)
        elif one.kind == "chosen" and one.value in kept:
            pair = (about.text, kept[one.value].text)
        else:
            continue
        if pair[0] != pair[1]:
            found.append(Preference(prompt=_prompt(about), chosen=pair[0], rejected=pair[1]))
    return found


def _thumbs(kept: dict[str, CompletionRow], feedback: Sequence[FeedbackRow]) -> list[Example]:
    return [
        Unpaired(prompt=_prompt(kept[each]), completion=kept[each].text, label=up)
        for each, up in _last_thumbs(feedback).items()
        if each in kept and kept[each].text.strip()
    ]


def _prompts(kept: dict[str, CompletionRow]) -> list[Example]:
    return [Prompt(prompt=_prompt(one)) for one in kept.values()]


def _last_thumbs(feedback: Sequence[FeedbackRow]) -> dict[str, bool]:
    return {one.completion_id: one.value == "up" for one in feedback if one.kind == "thumb"}


def _of_model(
    model_id: str,
    name: str,
    many: int,
    kept: dict[str, CompletionRow],
    feedback: Sequence[FeedbackRow],
) -> ModelFeedback:
    own = {one.id for one in kept.values() if one.model_id == model_id}
    thumbs = [up for each, up in _last_thumbs(feedback).items() if each in own]
    up, n = sum(thumbs), len(thumbs)
    bounds = wilson(up / n, n) if n else None
    kinds = Counter(one.kind for one in feedback if one.completion_id in own)
    return ModelFeedback(
        model_id=model_id,
        name=name,
        answers=many,
        up=up,
        down=n - up,
        share_up=up / n if n else None,
        low=bounds.low if bounds else None,
        high=bounds.high if bounds else None,
        corrections=kinds["correction"],
        chosen=kinds["chosen"],
    )


def _sentence(answers: int, times: int) -> str:
    if not answers:
        return "No answer of the API has been kept."
    return (
        f"Answers kept: {answers:,}. Feedback on them: {times:,}. This is traffic, not blind: it "
        "enters no verdict."
    )


def _prompt(one: CompletionRow) -> tuple[Message, ...]:
    return _MESSAGES.validate_python(json.loads(one.prompt)) if one.prompt else ()


def _kept(ws: Workspace, actor: Actor, project_id: str, completion_id: str) -> CompletionRow:
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        known = completions.get(conn, completion_id)
    if known is None or known.project_id != project_id:
        raise NotFound(
            f"No answer {completion_id[:80]!r} was kept.",
            "Ask with a key that keeps prompts and answers, or ask the arena.",
        )
    return known


def _say(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    completion_id: str,
    kind: str,
    value: str,
    via: str,
) -> None:
    known = _kept(ws, actor, project_id, completion_id)
    with writing(ws.db) as conn:
        _add(conn, known, kind, value, via)


def _add(conn: Connection, about: CompletionRow, kind: str, value: str, via: str) -> None:
    new = FeedbackRow(
        id=ids.new("feedback"),
        project_id=about.project_id,
        completion_id=about.id,
        kind=kind,
        value=value,
        via=via,
        created_at=time.time(),
    )
    completions.add_feedback(conn, new)
