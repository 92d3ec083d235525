"""Questions for a round that stand in no file: pasted ones."""

from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset, Split
from engine.core.errors import UserError
from engine.core.examples import Message, Prompt
from engine.core.normalise import normal
from engine.core.parsed_file import ParsedFile
from engine.core.rating import BLIND, Purpose
from engine.services.data import datasets
from engine.workspace import Workspace

NAME = "questions"
MOST = 2000
LONGEST = 20_000


def store(
    ws: Workspace, actor: Actor, project_id: str, questions: list[str], purpose: Purpose
) -> Dataset:
    """The questions as a dataset version: all held out for a blind round, else all to train on."""
    actor.require(Role.TRAINER)
    known = {normal(each): each.strip() for each in questions if each.strip()}
    if not known:
        raise UserError("There is no question.", "Write one a line.")
    if len(known) > MOST or max(map(len, known.values())) > LONGEST:
        raise UserError(
            f"At most {MOST:,} questions of {LONGEST:,} characters fit in here.",
            "Add them as a file of prompts.",
        )
    examples = [
        Prompt(source_row=n, prompt=(Message(role="user", content=text),))
        for n, text in enumerate(known.values(), 1)
    ]
    parsed = ParsedFile(layout="prompts", kind="prompts", examples=list(examples), broken=[])
    side: Split = "held_out" if purpose in BLIND else "train"
    splits = [side for _ in examples]
    return datasets.store(
        ws, actor, project_id, parsed, NAME, {"pasted": purpose}, 0.0, splits=splits
    )


def pasted(text: str) -> list[str]:
    """One question a line."""
    return [line for line in text.splitlines() if line.strip()]
