"""Votes and ratings that people already have, from a file: looked at first, then brought in whole.

A file becomes closed rounds, one for each two models and one for each model that was rated alone.
Its votes count in agreement, quality and preference pairs as others do. A verdict is given only
where the file states which answer stood on the left; it is then a verdict of that file, and the
loop reads it as a test of its own only where it was brought in as a test and both models are models
of the project. The same file twice is refused by its hash.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from engine import plugins
from engine.core.actor import Actor, Role
from engine.core.errors import Conflict, NotFound, UserError
from engine.core.imported_votes import GivenRating, GivenVote, VoteFile, VoteMapping
from engine.core.parsed_file import BrokenRow
from engine.core.rating import Purpose, RoundOrigin
from engine.files import sha256_of_file
from engine.formats.votes.read import FAMILY, load, read_votes
from engine.services import access
from engine.services.rating import imported_rounds, vote_process
from engine.services.rating.imported_rounds import ImportSource, PreparedRound
from engine.services.rating.imported_scales import Threshold, threshold
from engine.services.rating.named_models import UNNAMED, NamedModels
from engine.store import projects, rounds, votes
from engine.store.connect import reading, writing
from engine.workspace import Workspace

MOST_VOTES = 200_000
MOST_ROUNDS = 60
SHOWN = 10  # rows of a preview
NAMED = 20  # refused rows that are listed


class VoteImport(BaseModel):
    """How a file is read and what for.

    `new` is the model under test; the first that the file names where it is not given. `test` keeps
    the votes out of preference pairs and their questions out of training, as a blind round does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mapping: VoteMapping | None = None
    format: str | None = None
    new: str | None = Field(None, max_length=200)
    name: str = Field("", max_length=80)
    test: bool = False
    good_from: float | None = Field(None, allow_inf_nan=False)


class VoteRow(BaseModel):
    """A vote or rating as a preview shows it; `choice` names the answer, not a side."""

    model_config = ConfigDict(frozen=True)

    row: int
    prompt: str
    rater: str
    first: str
    second: str | None
    choice: str


class VotePreview(BaseModel):
    """What a file holds before anything is stored; `broken` lists the first refused rows.

    `votes` and `ratings` are what would be taken, `repeats` of them a rater's further votes on the
    same answers, which measure consistency alone. `textless` of them can make no pair. `models` in
    the order of the file; `rounds` is how many it makes.
    """

    model_config = ConfigDict(frozen=True)

    format: str
    title: str
    rows: int
    votes: int
    ratings: int
    repeats: int
    textless: int
    undecided: int
    skipped: dict[str, int]
    refused: int
    broken: tuple[BrokenRow, ...]
    columns: tuple[str, ...]
    mapping: VoteMapping | None
    models: tuple[str, ...]
    linked: tuple[str, ...]
    new: str
    raters: int
    sides: bool
    rounds: int
    threshold: Threshold | None
    first: tuple[VoteRow, ...]
    notes: tuple[str, ...]


class ImportedRound(BaseModel):
    """A round that votes were brought into."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    new: str
    base: str
    votes: int
    comparisons: int


class ImportedVotes(BaseModel):
    """What was stored, and the preview that it was stored as."""

    model_config = ConfigDict(frozen=True)

    rounds: tuple[ImportedRound, ...]
    seen: VotePreview


class FormatOfVotes(BaseModel):
    """A format of votes that is known."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    summary: str


class _Taken(NamedTuple):
    file: VoteFile
    ratings: list[tuple[GivenRating, bool]]
    undecided: int
    threshold: Threshold | None


def formats() -> list[FormatOfVotes]:
    """Every format that is read, a table first."""
    found = [(name, plugins.load(FAMILY, name)) for name in plugins.names(FAMILY)]
    return [FormatOfVotes(name=n, title=each.TITLE, summary=each.SUMMARY) for n, each in found]


def columns_of(
    ws: Workspace, actor: Actor, project_id: str, path: Path, name: str
) -> tuple[str, ...]:
    """The columns of a file, whatever it holds: what a mapping chooses among."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
    if vote_process.is_wanted(path):
        return vote_process.columns_of(ws, actor, project_id, path, name)
    return tuple(dict.fromkeys(key for _, row in load(path, name).rows for key in row))


def preview(
    ws: Workspace, actor: Actor, project_id: str, path: Path, name: str, how: VoteImport
) -> VotePreview:
    """What the file would bring; UserError where it holds no vote, nothing is stored."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        known = NamedModels(conn, project_id)
    if vote_process.is_wanted(path):
        return VotePreview.model_validate_json(
            vote_process.preview(ws, actor, project_id, path, name, how)
        )
    return _seen(_read(path, name, how), how, known)


def add(
    ws: Workspace, actor: Actor, project_id: str, path: Path, name: str, how: VoteImport
) -> ImportedVotes:
    """Store the votes of the file, all or none; Conflict where the project has this file."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        named = NamedModels(conn, project_id)
    sha256 = _sha256(path, name)
    with reading(ws.db) as conn:
        _refuse_again(conn, project_id, sha256, name)
    if vote_process.is_wanted(path):
        stored = vote_process.add(ws, actor, project_id, path, name, how)
        ws.confirm_votes()
        return ImportedVotes.model_validate_json(stored)
    taken = _read(path, name, how)
    seen = _seen(taken, how, named)
    made = _rounds(taken, _source(actor, project_id, name, sha256, how, seen), named)
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        projects.lock(conn, project_id)
        _refuse_again(conn, project_id, sha256, name)
        named.store(conn)
        for each in made:
            rounds.add(conn, each.round)
            rounds.add_comparisons(conn, each.placed)
            votes.add_imported(conn, each.votes)
    ws.confirm_votes()
    called = {model.id: model.name for model in [*named.own.values(), *named.outside.values()]}
    return ImportedVotes(
        rounds=tuple(
            ImportedRound(
                id=each.round.id,
                name=each.round.name,
                new=called[each.round.arm_new],
                base=called[each.round.arm_base],
                votes=len(each.votes),
                comparisons=len(each.placed),
            )
            for each in made
        ),
        seen=seen,
    )


def _read(path: Path, name: str, how: VoteImport) -> _Taken:
    file = read_votes(path, name, how.mapping, how.format)
    number = len(file.votes) + len(file.ratings)
    if not number:
        first = f" Row {file.broken[0].row} {file.broken[0].reason[:160]}." if file.broken else ""
        raise UserError(f"{name} holds no vote of a person.{first}", "Correct it, or map columns.")
    if number > MOST_VOTES:
        raise UserError(f"{name} has more than {MOST_VOTES:,} votes.", "Split it.")
    limit = (
        threshold([each.value for each in file.ratings], how.good_from) if file.ratings else None
    )
    labelled = [(each, limit.label(each.value)) for each in file.ratings] if limit else []
    taken = [(each, label) for each, label in labelled if label is not None]
    return _Taken(file, taken, len(labelled) - len(taken), limit)


def _source(
    actor: Actor, project_id: str, name: str, sha256: str, how: VoteImport, seen: VotePreview
) -> ImportSource:
    purpose: Purpose = "blind_eval" if how.test else "train_pairs"
    left_out = {**seen.skipped, "refused": seen.refused, "neither good nor bad": seen.undecided}
    origin = RoundOrigin(
        kind="votes" if seen.votes else "ratings",
        file=name[:120],
        sha256=sha256,
        format=seen.format,
        left_out={reason: count for reason, count in left_out.items() if count},
    )
    return ImportSource(
        project_id, actor.name, how.name.strip() or name[:60], purpose, how.new, origin
    )


def _rounds(taken: _Taken, source: ImportSource, named: NamedModels) -> list[PreparedRound]:
    rated = source._replace(origin=source.origin.model_copy(update={"kind": "ratings"}))
    return [
        *imported_rounds.of_votes(taken.file.votes, source, named),
        *imported_rounds.of_ratings(taken.ratings, rated, named),
    ]


def _seen(taken: _Taken, how: VoteImport, named: NamedModels) -> VotePreview:
    file = taken.file
    given: list[GivenVote | GivenRating]
    given = [*file.votes, *(each for each, _ in taken.ratings)]
    models = _models(taken)
    number = imported_rounds.pairs_of_models(file.votes)
    number += len({each.answer.model for each, _ in taken.ratings})
    if number > MOST_ROUNDS:
        raise UserError(
            f"The file compares {number:,} pairs of models; {MOST_ROUNDS} fit in a project.",
            "Keep the rows of the models that you compare.",
        )
    if how.new and how.new not in models:
        raise UserError(
            f"No vote is about {how.new[:60]!r}.",
            f"The models are {', '.join(models[:10]) or 'not named'}.",
        )
    if how.test:
        _refuse_as_test(taken)
    answers = [(each.first, each.second) for each in file.votes]
    without = sum(a.text is None or b.text is None for a, b in answers)
    without += sum(each.answer.text is None for each, _ in taken.ratings)
    textless = max(without, sum(not each.prompt for each in given))
    return VotePreview(
        format=file.format,
        title=plugins.load(FAMILY, file.format).TITLE,
        rows=file.rows,
        votes=len(file.votes),
        ratings=len(taken.ratings),
        repeats=imported_rounds.repeated(given),
        textless=textless,
        undecided=taken.undecided,
        skipped=dict(Counter(each.reason for each in file.skipped)),
        refused=len(file.broken),
        broken=tuple(file.broken[:NAMED]),
        columns=file.columns,
        mapping=file.mapping,
        models=models,
        linked=tuple(each for each in models if named.linked([each])),
        new=how.new or (models[0] if models else ""),
        raters=len({each.rater for each in given if each.rater}),
        sides=file.sides,
        rounds=number,
        threshold=taken.threshold,
        first=_first(taken),
        notes=file.notes,
    )


def _models(taken: _Taken) -> tuple[str, ...]:
    """The names of the models, in the order of the file."""
    sides = [side for vote in taken.file.votes for side in (vote.first, vote.second)]
    found = [*sides, *(each.answer for each, _ in taken.ratings)]
    return tuple(dict.fromkeys(each.model for each in found if each.model))


def _refuse_as_test(taken: _Taken) -> None:
    file = taken.file
    if taken.ratings or not file.votes:
        raise UserError(
            "Ratings of single answers are no test of two models.", "Import them for training."
        )
    if not file.sides:
        raise UserError(
            "The file does not say which answer stood on the left, so it is not known to be blind "
            "and can be no test.",
            "Map the columns of the left and right side, or bring the votes for training.",
        )
    if any(
        not (v.first.model and v.second.model) or v.first.model == v.second.model
        for v in file.votes
    ):
        raise UserError("A test compares two models that the file names.", "Map their columns.")


def _first(taken: _Taken) -> tuple[VoteRow, ...]:
    pairs = [
        VoteRow(
            row=vote.row,
            prompt=vote.prompt[-1].content[:200] if vote.prompt else "",
            rater=vote.rater,
            first=_side(vote.first.model, vote.first.text),
            second=_side(vote.second.model, vote.second.text),
            choice=_choice(vote.choice, vote.strength),
        )
        for vote in taken.file.votes[:SHOWN]
    ]
    singles = [
        VoteRow(
            row=each.row,
            prompt=each.prompt[-1].content[:200] if each.prompt else "",
            rater=each.rater,
            first=_side(each.answer.model, each.answer.text),
            second=None,
            choice="good" if good else "bad",
        )
        for each, good in taken.ratings[: SHOWN - len(pairs)]
    ]
    return (*pairs, *singles)


def _side(model: str, text: str | None) -> str:
    return ": ".join(part for part in (model, (text or "")[:200]) if part) or UNNAMED


def _choice(choice: str, strength: int | None) -> str:
    word = {"left": "first", "right": "second", "both_bad": "both bad"}.get(choice, choice)
    return f"{word}, {'clearly' if strength == 2 else 'slightly'}" if strength else word


def _refuse_again(conn: Connection, project_id: str, sha256: str, name: str) -> None:
    there = [
        one.name
        for one in rounds.list_all(conn, project_id)
        if one.plan.origin is not None and one.imported and one.plan.origin.sha256 == sha256
    ]
    if there:
        raise Conflict(
            f"The votes of {name} are in the project already: {', '.join(there[:3])}.",
            "Nothing was added.",
        )


def _sha256(path: Path, name: str) -> str:
    if not path.is_file():
        raise NotFound(f"There is no file {name!r}.", "Check the path.")
    return sha256_of_file(path)


def sentences(seen: VotePreview) -> list[str]:
    """What a person should know of the file, a sentence each, the most important first."""
    found = [_counts(seen), *_doubts(seen), *seen.notes]
    return [each for each in found if each]


def _counts(seen: VotePreview) -> str:
    what = " and ".join(
        part
        for part in (
            f"{seen.votes:,} votes on two answers" if seen.votes else "",
            f"{seen.ratings:,} ratings of one answer" if seen.ratings else "",
        )
        if part
    )
    rows = f"{seen.title}: {seen.rows:,} rows, {what or 'no vote'}"
    raters = "no rater named"
    if seen.raters:
        raters = f"{seen.raters:,} named rater{'s' if seen.raters > 1 else ''}"
    return f"{rows}, {raters}."


def _doubts(seen: VotePreview) -> Sequence[str]:
    skipped = ", ".join(f"{count:,} × {reason}" for reason, count in seen.skipped.items())
    return [
        refused_words(seen.refused),
        "Not known to be blind: the file does not say which answer stood on the left, so it gives "
        "no verdict." if seen.votes and not seen.sides else "",
        "All votes count as those of one unnamed rater." if not seen.raters else "",
        f"{seen.repeats:,} are a further vote of a rater on the same answers: they measure "
        "consistency and count in nothing else." if seen.repeats else "",
        f"{seen.textless:,} have no prompt or no answers beside them: no preference pair comes of "
        "those." if seen.textless else "",
        seen.threshold.sentence if seen.threshold else "",
        f"{seen.undecided:,} ratings lie between and are left out." if seen.undecided else "",
        f"Left out: {skipped}." if skipped else "",
        f"Model under test: {seen.new}." if len(seen.models) > 1 else "",
    ]  # fmt: skip


def refused_words(number: int) -> str:
    """How many rows were refused, as a sentence; empty for none."""
    if not number:
        return ""
    return "1 row was refused." if number == 1 else f"{number:,} rows were refused."


def first_reasons(broken: Sequence[BrokenRow]) -> list[str]:
    """The refused rows, a line each."""
    return [f"Row {each.row} {each.reason}." for each in broken]
