"""Rounds for the pages to show, made without a model: answers are written by hand.

    seed.open_round(ws, folder, answers=[("a question", "new answer", "old answer")])

The new answer of a pair is the one of `round.arm_new`.
"""

from collections.abc import Sequence
from pathlib import Path

from engine.core.actor import LOCAL, Actor, Role
from engine.core.examples import Message
from engine.core.rating import Candidate, Purpose, Round
from engine.services import projects
from engine.services.rating import comparisons, rounds
from engine.services.rating.plans import RoundRecipe
from engine.store.connect import writing
from engine.workspace import Workspace
from tests import helpers
from tests.rating import screen

Answer = tuple[str, str, str]  # question, answer of the new model, answer of the baseline

XSS = (
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1>",
    "<details open ontoggle=window.hit=1>x</details>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "[click](javascript:window.hit=1)",
    "[click](data:text/html,<script>window.hit=1</script>)",
    "![x](http://tracker.invalid/pixel.png)",
    "<style>body{display:none}</style>",
    "<a href='javascript:window.hit=1'>x</a>",
    "${globalThis.hit=1}",
    "{{constructor.constructor('window.hit=1')()}}",
    "${x",
    "`<math><mtext></form><form><mglyph><style></math><img src onerror=window.hit=1>`",
    '<link rel="stylesheet" href="http://tracker.invalid/a.css">',
    "<form action=http://tracker.invalid><button>go</button></form>",
    "\u202etxet desrever\u202c &lt;script&gt;window.hit=1&lt;/script&gt;",
)


def plain(pairs: int) -> list[Answer]:
    """`pairs` questions with two answers each."""
    return [(f"prompt {n}?", f"new answer {n}.", f"old answer {n}.") for n in range(pairs)]


def hostile() -> list[Answer]:
    """One pair for each thing that an answer must not be able to do, in all three places."""
    return [(f"{text} q", f"{text} new", f"{text} old") for text in XSS]


def preparing(
    ws: Workspace,
    folder: Path,
    *,
    project: str | None = None,
    purpose: Purpose = "train_pairs",
    pairs: int = 20,
    overlap: int = 1,
    models: tuple[str, str] = ("secret-new", "secret-old"),
) -> Round:
    """A round that waits for its answers; models and a dataset are made for it."""
    project = project or projects.create(ws, LOCAL, "Test").id
    new, old = (helpers.model(ws, folder, name) for name in models)
    source = helpers.dataset(ws, project, folder, rows=4 * pairs)
    recipe = RoundRecipe(
        purpose=purpose, model=new.id, baseline=old.id, dataset=source.id, prompts=pairs,
        overlap=overlap,
    )  # fmt: skip
    return rounds.start(ws, LOCAL, project, recipe)


def candidates(one: Round, answers: Sequence[Answer]) -> list[Candidate]:
    """What a worker would have written for the round."""
    return [
        Candidate(
            prompt_no=n,
            prompt=(Message(role="user", content=question),),
            model_id=arm,
            seed=1,
            text=text,
        )
        for n, (question, *texts) in enumerate(answers)
        for arm, text in zip((one.arm_new, one.arm_base), texts, strict=True)
    ]


def answer(ws: Workspace, one: Round, answers: Sequence[Answer]) -> Round:
    """The round opened with these answers."""
    with writing(ws.db) as conn:
        comparisons.open_with(conn, one.id, tuple(candidates(one, answers)))
    return rounds.get(ws, LOCAL, one.id)


def open_round(
    ws: Workspace,
    folder: Path,
    *,
    answers: Sequence[Answer] | None = None,
    project: str | None = None,
    purpose: Purpose = "train_pairs",
    pairs: int = 20,
    overlap: int = 1,
) -> Round:
    """A round that is ready to rate."""
    answers = plain(pairs) if answers is None else answers
    waiting = preparing(
        ws, folder, project=project, purpose=purpose, pairs=len(answers), overlap=overlap
    )
    return answer(ws, waiting, answers)


def prefer_new(ws: Workspace, one: Round, share: float = 1.0, rater: str = "rater-a") -> int:
    """One rater votes on all pairs of `plain` answers, `share` of them for the new model."""
    who = Actor(name=rater, role=Role.RATER)
    shown, cast = screen.next_pair(ws, who, one.id), 0
    while shown:
        new_is_left = "new" in shown.left
        for_new = cast < share * shown.total
        side = "left" if new_is_left == for_new else "right"
        shown = screen.vote(ws, who, shown.token, f"{one.id}-{rater}-{cast}", side, 4000)
        cast += 1
    return cast
