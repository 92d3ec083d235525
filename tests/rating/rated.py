"""Rounds with answers written by hand, and raters who follow a rule."""

from itertools import count

from engine.core.actor import LOCAL, Actor, Role
from engine.core.rating import Candidate
from engine.services.rating import comparisons, rounds, votes
from engine.services.rating.plans import RoundRecipe
from engine.store.connect import writing
from tests import helpers
from tests.rating import screen

keys = (f"rated-{n:08d}" for n in count())


def rater(name):
    return Actor(name=name, role=Role.RATER)


def answered(one, pairs, same=False):
    """Two answers a prompt: "new 3" by the arm under test, "old 3" by the other."""
    words = ("same", "same") if same else ("new", "old")
    return [
        Candidate(
            **helpers.candidate(arm, n, f"{word} {n}", seed).model_dump(),
        )
        for n in range(pairs)
        for seed, (arm, word) in enumerate(zip((one.arm_new, one.arm_base), words, strict=True), 1)
    ]


def started(
    ws, folder, purpose, *, pairs=10, overlap=1, same=False, project="Test", answer=True, **options
):  # fmt: skip
    """A round, open unless `answer` is False; `options` are fields of its recipe."""
    place = helpers.project(ws, project)
    new, old = helpers.model(ws, folder, "secret-new"), helpers.model(ws, folder, "secret-old")
    source = helpers.dataset(ws, place.id, folder, rows=4 * pairs + 40)
    recipe = RoundRecipe(
        purpose=purpose, model=new.id, baseline=new.id if purpose == "aa_control" else old.id,
        dataset=source.id, prompts=pairs, overlap=overlap, **options,
    )  # fmt: skip
    one = rounds.start(ws, LOCAL, place.id, recipe)
    if answer:
        with writing(ws.db) as conn:
            comparisons.open_with(conn, one.id, tuple(answered(one, pairs, same)))
    return rounds.get(ws, LOCAL, one.id)


def careful(ws, who, shown):
    """The new answer, or the right one of a gold item."""
    (left, right), references = votes.texts(ws, who, shown.token)
    if left in references or right in references:
        return "left" if left in references else "right"
    return "left" if "new" in left else "right"


def rate_all(ws, one, name, choose=None):
    """One rater votes on all that a round has for them; how many pairs."""
    who, cast = rater(name), 0
    shown = screen.next_pair(ws, who, one.id)
    while shown:
        choice = choose(shown) if choose else careful(ws, who, shown)
        shown = screen.vote(ws, who, shown.token, next(keys), choice)
        cast += 1
    return cast
