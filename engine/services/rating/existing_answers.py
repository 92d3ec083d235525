"""Answers that exist already become an open round: people rate them, and nothing is generated.

Each prompt gives its answers in a chain, first and second, second and third; where the file names
two models, an answer of each. What is shown and left out follows the rules of every round.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.errors import NotFound, UserError
from engine.core.examples import Message
from engine.core.parsed_file import BrokenRow
from engine.core.rating import Candidate, Round, RoundOrigin, RoundPlan
from engine.files import sha256_of_file
from engine.formats.votes.answers import GivenAnswers, read_answers
from engine.services import access
from engine.services.evaluation import blind_round_gate
from engine.services.rating import comparisons, plans
from engine.services.rating.named_models import UNNAMED, NamedModels
from engine.services.rating.plans import RoundRecipe
from engine.store import rounds
from engine.store.connect import reading, writing
from engine.store.json_columns import to_json
from engine.workspace import Workspace

MOST_COMPARISONS = 5000
NAMED = 20  # refused rows that are listed
Given = tuple[str, str]  # model, text


class AnswerColumns(NamedTuple):
    """The columns of prompt and answers, where their names are none of the usual ones."""

    prompt: str | None = None
    answers: tuple[str, ...] = ()


class AnswerRound(NamedTuple):
    """A round made of a file: what was left out, by reason, and the first rows that were refused.

    It is open, or failed where nothing of it can be shown. `not_shown` are answers to the prompts
    it asks that no comparison holds, such as the fourth of a prompt where three are shown.
    """

    round: Round
    comparisons: int
    left_out: dict[str, int]
    broken: tuple[BrokenRow, ...]
    not_shown: int = 0

    @property
    def not_shown_words(self) -> str:
        """A sentence on the answers that nobody sees; empty where there are none."""
        if not self.not_shown:
            return ""
        of = self.round.plan.answers
        why = f"{of} of a prompt are shown" if of > 2 else "a comparison needs one of each model"
        noun, verb = ("answer", "is") if self.not_shown == 1 else ("answers", "are")
        return f"{self.not_shown:,} {noun} of the file {verb} not shown: {why}."


class AnswerPreview(NamedTuple):
    """What a file of answers holds; `models` are those it names, in its order."""

    rows: int
    prompts: int
    comparisons: int
    models: tuple[str, ...]
    refused: int
    broken: tuple[BrokenRow, ...]
    columns: tuple[str, ...]
    first: tuple[GivenAnswers, ...]


def preview(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    path: Path,
    name: str,
    columns: AnswerColumns = AnswerColumns(),  # noqa: B008  # a tuple does not change
) -> AnswerPreview:
    """What the file would give to rate; UserError where no prompt has two answers."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
    answers = read_answers(path, name, *columns)
    models = _models(answers.prompts)
    return AnswerPreview(
        answers.rows,
        len(answers.prompts),
        sum(len(_pairs(each, models)) for each in answers.prompts),
        models,
        len(answers.broken),
        tuple(answers.broken[:NAMED]),
        answers.columns,
        tuple(answers.prompts[:NAMED]),
    )


def start(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    path: Path,
    name: str,
    recipe: RoundRecipe,
    columns: AnswerColumns = AnswerColumns(),  # noqa: B008  # a tuple does not change
    *,
    anyway: bool = False,
) -> AnswerRound:
    """Open a round of the answers in a file.

    `recipe.model` names the model under test as the file does, empty for the first; its questions,
    sampling and dataset are not used. A blind round takes answers of two models that the file
    names. Conflict where the one under test regressed, as for every blind round.
    """
    actor.require(Role.TRAINER)
    _check(recipe)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        named = NamedModels(conn, project_id)
    given = read_answers(path, name, *columns)
    arms = _arms(_models(given.prompts), recipe)
    if recipe.purpose == "blind_eval" and not anyway and named.linked(arms[:1]):
        blind_round_gate.check(ws, actor, project_id, named.find(arms[0]).id)
    groups = _groups(given.prompts, arms, recipe)
    plan = _plan(recipe, named, arms, len(groups), name, _sha256(path))
    rating_round = Round(
        id=ids.new("round"),
        project_id=project_id,
        name=recipe.name.strip() or name[:80],
        purpose=recipe.purpose,
        arm_new=plan.arms[0],
        arm_base=plan.arms[1],
        plan=plan,
        plan_sha256=ids.sha256(to_json(plan)),
        status="preparing",
        created_by=actor.name,
        created_at=time.time(),
    )
    candidates = tuple(
        Candidate(prompt_no=n, prompt=prompt, model_id=named.find(model).id, seed=place, text=text)
        for n, (prompt, answers) in enumerate(groups)
        for place, (model, text) in enumerate(answers)
    )
    with writing(ws.db) as conn:
        access.project(conn, actor, project_id)
        named.store(conn)
        rounds.add(conn, rating_round)
        left_out = comparisons.open_with(conn, rating_round.id, candidates)
        opened = access.rating_round(conn, actor, rating_round.id)
    shown = len(groups) - sum(left_out.values())
    alone = sum(not _pairs(each, tuple(dict.fromkeys(arms))) for each in given.prompts)
    if recipe.mode == "pair" and alone:
        left_out["alone"] = alone
    broken = tuple(given.broken[:NAMED])
    return AnswerRound(opened, shown, left_out, broken, _not_shown(given.prompts, groups))


def _check(recipe: RoundRecipe) -> None:
    if recipe.purpose not in ("train_pairs", "blind_eval"):
        raise UserError(
            "Answers of a file are rated for training or as a blind test.",
            "Choose one of these purposes.",
        )
    if recipe.mode == "single" and recipe.purpose != "train_pairs":
        raise UserError(
            "Single answers can be collected for training only.", "Choose pairs for this purpose."
        )
    if recipe.decision == "sequential" and recipe.purpose != "blind_eval":
        raise UserError(
            "Only a blind test of two models can stop by its evidence.",
            "Choose a fixed number of votes.",
        )
    if recipe.answers > 2 and (recipe.purpose != "train_pairs" or recipe.mode == "single"):
        raise UserError(
            "Only training comparisons can be ranked; a test compares two answers.",
            "Show two answers at a time.",
        )
    if recipe.spare:
        raise UserError("The answers are there already.", "Leave the spare answers out.")
    if recipe.samples is not None:
        raise UserError("The answers are there already.", "Leave out how many are written.")
    if recipe.gold and not recipe.gold_items:
        raise UserError("A file of answers has no references.", "Give gold items of your own.")


def _models(prompts: Sequence[GivenAnswers]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(model for each in prompts for model, _ in each.answers if model))


def _arms(models: Sequence[str], recipe: RoundRecipe) -> tuple[str, str]:
    """The model under test and the other by name; where the file has not two, one name twice."""
    wanted = recipe.model
    if wanted and wanted not in models:
        known = ", ".join(models[:10]) or "none"
        raise UserError(f"No answer is of {wanted[:60]!r}.", f"The file names: {known}.")
    if len(models) == 2:
        return (models[1], models[0]) if wanted == models[1] else (models[0], models[1])
    if recipe.purpose == "blind_eval":
        raise UserError(
            f"A blind test compares two models; the file names {len(models)}.",
            "Name the model of each answer, or rate the answers for training.",
        )
    return (models[0], models[0]) if len(models) == 1 else (UNNAMED, UNNAMED)


Group = tuple[tuple[Message, ...], tuple[Given, ...]]


def _groups(
    prompts: Sequence[GivenAnswers], arms: tuple[str, str], recipe: RoundRecipe
) -> list[Group]:
    """The prompts with what is shown together, at most as many prompts as the recipe asks for."""
    models = tuple(dict.fromkeys(arms))
    found: list[Group] = []
    asked = 0
    for each in prompts:
        shown: list[tuple[Given, ...]]
        if recipe.mode == "single":
            shown = [(answer,) for answer in dict.fromkeys(each.answers)]
        elif recipe.answers > 2:
            shown = [tuple(dict.fromkeys(each.answers))[: recipe.answers]]
            shown = [group for group in shown if len(group) > 1]
        else:
            shown = [*_pairs(each, models)]
        if shown and asked < recipe.prompts:
            asked += 1
            found += [(each.prompt, one) for one in shown]
    if not found:
        raise UserError("No prompt has an answer of both models.", "Correct the file.")
    if len(found) > MOST_COMPARISONS:
        raise UserError(
            f"The file makes {len(found):,} comparisons; {MOST_COMPARISONS:,} fit in a round.",
            "Ask fewer prompts.",
        )
    return found


def _not_shown(prompts: Sequence[GivenAnswers], groups: Sequence[Group]) -> int:
    shown: dict[tuple[Message, ...], set[Given]] = defaultdict(set)
    for prompt, answers in groups:
        shown[prompt].update(answers)
    return sum(len(set(p.answers) - shown[p.prompt]) for p in prompts if p.prompt in shown)


def _pairs(each: GivenAnswers, models: Sequence[str]) -> list[tuple[Given, Given]]:
    """An answer of each of two models, else every answer and the next."""
    if len(models) == 2:
        by_model: dict[str, list[Given]] = defaultdict(list)
        for answer in each.answers:
            by_model[answer[0]].append(answer)
        return list(zip(by_model[models[0]], by_model[models[1]], strict=False))
    return list(zip(each.answers, each.answers[1:], strict=False))


def _plan(
    recipe: RoundRecipe,
    named: NamedModels,
    arms: tuple[str, str],
    groups: int,
    name: str,
    sha256: str,
) -> RoundPlan:
    items = recipe.gold_items
    planned = plans.plan(recipe, range(groups), items[: recipe.practice], items[recipe.practice :])
    origin = RoundOrigin(
        kind="answers", file=name[:120], sha256=sha256, sides=True, linked=named.linked(arms)
    )
    ids_of_arms = (named.find(arms[0]).id, named.find(arms[1]).id)
    return planned.model_copy(
        update={
            "arms": ids_of_arms, "dataset": "", "rows": (), "prompts": groups, "origin": origin,
        }
    )  # fmt: skip


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise NotFound(f"There is no file {path.name!r}.", "Check the path.")
    return sha256_of_file(path)
