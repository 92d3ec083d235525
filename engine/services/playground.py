"""Questions of the playground that are kept: to ask again, to rate their answers, to test with."""

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset, Split
from engine.core.errors import Conflict, UserError
from engine.core.examples import Message, Prompt
from engine.core.parsed_file import ParsedFile
from engine.core.rating import Round
from engine.services.data import datasets
from engine.services.rating import rounds
from engine.services.rating.plans import RoundRecipe
from engine.workspace import Workspace

SAVED = "Saved questions"
TEST = "Test questions"
MOST = 1000  # of one set; each is a new version, so they are few
LONGEST = 20_000  # characters


def saved(ws: Workspace, actor: Actor, project_id: str) -> list[Prompt]:
    """The saved questions of a project in the order they were saved."""
    newest = _newest(ws, actor, project_id, SAVED)
    rows = datasets.rows(ws, actor, newest.id, limit=MOST) if newest else []
    return [row.example for row in rows if isinstance(row.example, Prompt)]


def save(ws: Workspace, actor: Actor, project_id: str, question: str, system: str = "") -> Dataset:
    """The next version of the saved questions, this one at its end; Conflict where it is in it."""
    return _grow(ws, actor, project_id, SAVED, _prompt(question, system, ()), "train")


def test_sets(ws: Workspace, actor: Actor, project_id: str) -> list[str]:
    """Names of the sets of questions that a person can add to, the usual one first."""
    versions = datasets.list_all(ws, actor, project_id)
    names = (one.name for one in versions if one.kind == "prompts" and one.name != SAVED)
    return list(dict.fromkeys([TEST, *names]))


def add_to_test(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    question: str,
    right: str,
    system: str = "",
    name: str = TEST,
) -> Dataset:
    """The next version of a test set with this question and its right answer, held out.

    UserError without a right answer, or where the set holds no questions.
    """
    if not right.strip():
        raise UserError("There is no right answer to compare with.", "Type one.")
    example = _prompt(question, system, (right.strip()[:LONGEST],))
    return _grow(ws, actor, project_id, name.strip() or TEST, example, "held_out")


def rate(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    arm_new: str,
    arm_base: str,
    *,
    max_new_tokens: int = 256,
    seed: int = 1,
) -> Round:
    """A rating round in which two models answer every saved question; its answers are queued."""
    newest = _newest(ws, actor, project_id, SAVED)
    if newest is None:
        raise UserError("No question is saved.", "Save one first.")
    recipe = RoundRecipe(
        model=arm_new,
        baseline=arm_base,
        dataset=newest.id,
        prompts=newest.rows,
        max_new_tokens=max_new_tokens,
        seed=seed,
        name=f"{newest.label} from the playground"[:80],
    )
    return rounds.start(ws, actor, project_id, recipe)


def _prompt(question: str, system: str, right: tuple[str, ...]) -> Prompt:
    if not question.strip():
        raise UserError("There is no question.", "Ask one first.")
    if max(len(question), len(system)) > LONGEST:
        raise UserError(f"The question has more than {LONGEST:,} characters.", "Shorten it.")
    turns = [Message(role="system", content=system.strip())] if system.strip() else []
    asked = Message(role="user", content=question.strip())
    return Prompt(prompt=(*turns, asked), references=right)


def _newest(ws: Workspace, actor: Actor, project_id: str, name: str) -> Dataset | None:
    actor.require(Role.TRAINER)
    found = [one for one in datasets.list_all(ws, actor, project_id) if one.name == name]
    return max(found, key=lambda one: one.version, default=None)


def _grow(
    ws: Workspace, actor: Actor, project_id: str, name: str, example: Prompt, side: Split
) -> Dataset:
    newest = _newest(ws, actor, project_id, name)
    if newest and newest.kind != "prompts":
        raise UserError(f"{newest.label} holds no questions to add to.", "Choose another set.")
    if newest and newest.rows >= MOST:  # before any is read: it may be somebody's large set
        raise Conflict(f"{name} holds {MOST:,} questions already.", "Choose another set.")
    rows = datasets.load_rows(ws, newest) if newest else []
    examples = [row.example for row in rows]
    known = any(isinstance(e, Prompt) and e.prompt == example.prompt for e in examples)
    if newest and known:
        raise Conflict(f"{newest.label} has this question already.", "Ask another one.")
    added = example.model_copy(update={"source_row": len(rows) + 1})
    parsed = ParsedFile(newest.layout if newest else "prompts", "prompts", [*examples, added], [])
    origin = {"playground": newest.id if newest else ""}
    sides: list[Split] = [*(row.split for row in rows), side]
    return datasets.store(ws, actor, project_id, parsed, name, origin, held_out=0, splits=sides)
