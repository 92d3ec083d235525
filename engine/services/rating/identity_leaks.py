"""Answers that tell whose they are: they are never shown, since they would unblind a rater."""

import re
from collections.abc import Iterable

from sqlalchemy import Connection

from engine.core.actor import LOCAL
from engine.core.project import Project
from engine.core.rating import Round
from engine.services import access
from engine.store import projects

SHORTEST_NAME = 5  # shorter names are words that answers may well contain
# nobody writes these of anything but a language model or who makes one
COMPANIES = (
    "openai", "chatgpt", "gpt-3", "gpt-4", "gpt-5", "anthropic", "deepmind", "hugging face",
    "huggingface", "smollm", "vicuna", "qwen", "deepseek", "mistral ai", "lmsys", "eleutherai",
    "moonshot ai", "zhipu", "tinyllama", "alibaba cloud", "meta ai", "google ai",
)  # fmt: skip
# words of their own right, which tell a model only where the answer says it is called so
NAMES = ("alpaca", "bard", "claude", "falcon", "gemini", "gemma", "koala", "llama", "mistral",
         "olmo", "phi", "pythia", "bloom", "dolly", "palm", "grok", "copilot")  # fmt: skip
SELF = r"(?:i am|i'm|i’m|my name is|call me)(?: an?| the)? "


class Telling:
    """Finds what would tell a rater which model speaks."""

    def __init__(self, models: set[str], projects: set[str]) -> None:
        anywhere = sorted({*COMPANIES, *models})
        called = sorted({*NAMES, *projects})
        # a model's name may go on, as in SmolLM2, but never begins inside a word
        self.pattern = re.compile(
            rf"(?<!\w)(?:{'|'.join(map(re.escape, anywhere))})"
            rf"|(?<!\w){SELF}(?:{'|'.join(map(re.escape, called))})(?!\w)"
        )

    def identifies(self, text: str) -> bool:
        """Whether the text names a model, its maker or the project as the one who speaks."""
        return self.pattern.search(" ".join(text.casefold().split())) is not None


def telling(conn: Connection, rating_round: Round, also: Iterable[str] = ()) -> Telling:
    """What would tell in a round: the names of both arms, of their bases and of the project.

    `also` are ids of further models that answers are by.
    """
    models = set()
    writes = [rating_round.plan.best_of_model] if rating_round.plan.best_of_model else []
    for arm in {rating_round.arm_new, rating_round.arm_base, *also, *writes}:
        model = access.model(conn, LOCAL, arm, outside=True)
        if model.kind != "outside":  # the file may call those by any word
            base_id = model.base_id or model.id
            base = access.model(conn, LOCAL, base_id, outside=True)
            # of ORGANISATION/NAME the name tells; answers may well speak of the organisation
            name = base.name.casefold().rpartition("/")[2]
            models |= {re.split(r"[-_ .0-9]", name)[0], name}
        if any(sign.isdigit() or sign in "-_" for sign in model.name):  # else it is plain words
            models.add(model.name.casefold())
    project: Project | None = projects.get(conn, rating_round.project_id)
    called = {project.name.casefold()} if project else set()
    long, own = ({name for name in each if len(name) >= SHORTEST_NAME} for each in (models, called))
    return Telling(long, own)
