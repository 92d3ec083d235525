"""The methods that train: which fit the data of a project, and what each may be started from."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from engine.core.dataset import Dataset
from engine.core.examples import Kind
from engine.core.model import Model
from engine.core.recipe import TrainRecipe
from engine.services import registered_plugins
from engine.services.data import datasets
from engine.services.jobs import kinds
from engine.services.jobs.replay_data import LEARNED
from engine.services.loop import champion
from engine.services.models import registry
from engine.services.training import methods as training_methods
from engine.workspace import Workspace
from ui.components import choice_cards, markup, names
from ui.components.page import PageName
from ui.web.session import who

GO = {"data": "Add data", "rating": "Rate answers"}
RULE_FOR: dict[Kind, str] = {"sft": "overlap", "prompts": "up_to_50_words"}


class Missing(NamedTuple):
    """What a method has nothing to learn from without, and the tab where one gets it."""

    title: str
    text: str
    tab: PageName


MISSING: dict[Kind, Missing] = {
    "sft": Missing("No examples to learn from yet", "Add a file, or the sample data.", "data"),
    "text": Missing("No texts to learn from yet", "Add a file, or the sample data.", "data"),
    "preference": Missing(
        "No preferences to learn from yet", "Rate answers, then make pairs of them.", "rating"
    ),
    "unpaired": Missing(
        "No answers with thumbs up or down yet",
        "Add a file with a prompt, a completion and a label in each row: true or false.",
        "data",
    ),
    "prompts": Missing(
        "No questions to answer yet", "Add a file of questions, or the sample data.", "data"
    ),
}


class Choices(NamedTuple):
    """What the dropdowns of a method offer, as (label, value)."""

    models: list[tuple[str, str]]
    datasets: list[tuple[str, str]]
    rewards: list[tuple[str, str]]
    examples: list[tuple[str, str]]

    def of(self, name: str) -> list[tuple[str, str]]:
        """The choices of a field of the recipe."""
        fields = {
            "model": self.models,
            "dataset": self.datasets,
            "reward": self.rewards,
            "replay_dataset": self.examples,
        }
        return fields[name]


NO_CHOICES = Choices([], [], [], [])


def missing(recipe: type[TrainRecipe]) -> Missing:
    """What to say where a project has nothing that this method learns from."""
    return MISSING[recipe.LEARNS[0] if recipe.LEARNS else "sft"]


def cards(found: Sequence[Dataset], chosen: str) -> str:
    """A card for each method; one without data says what it lacks and how to get it."""
    shown = []
    for kind, recipe in training_methods.known().items():
        name, text = kinds.title(kind), kinds.summary(kind)
        off = not fitting(found, recipe)
        need = missing(recipe)
        note = f'<p class="tl-lacks">{escape(f"{need.title}. {need.text}")}</p>' if off else ""
        badge = markup.badge("needs data", "neutral") if off else ""
        html = (
            f'<div class="tl-card-head{" tl-off" if off else ""}"><b>{escape(name)}</b>{badge}'
            f"</div><p>{escape(text)}</p>{note}"
        )
        shown.append(choice_cards.Pick(kind, html))
    return choice_cards.cards(shown, chosen)


def fitting(found: Sequence[Dataset], recipe: type[TrainRecipe]) -> list[Dataset]:
    """The datasets that a method learns from, in their order; all where it names no kind."""
    return [
        one
        for one in found
        if (not recipe.LEARNS or one.kind in recipe.LEARNS) and one.train_rows > 0
    ]


def first_choice(found: Sequence[Dataset]) -> str:
    """The method to begin with: the first that the project has data for."""
    methods = training_methods.known()
    return next((kind for kind, one in methods.items() if fitting(found, one)), next(iter(methods)))


def ordered(found: Sequence[Model], recipe: type[TrainRecipe]) -> list[Model]:
    """The models to start from, the usual one first.

    A method with a reference model refines a model that has seen examples: the newest one of
    supervised fine-tuning comes first, then others, bases last. All else starts from a base. A
    reward model can't write, and an adapter that writes has no layer to score with.
    """
    bases = [one for one in found if one.kind == "base"]
    newest = [one for one in reversed(found) if one.kind in ("adapter", "full")]
    if recipe.KIND == "reward":
        whole = [one for one in newest if one.kind == "full"]
        return bases + whole + [one for one in reversed(found) if one.kind == "reward"]
    if not recipe.HAS_REFERENCE:
        return bases + newest
    return sorted(newest, key=lambda one: one.info.get("method") != "sft") + bases


def choices(ws: Workspace, project: str, recipe: type[TrainRecipe]) -> Choices:
    """What one may start from, learn from and be rewarded by in a project."""
    models = registry.list_all(ws, who(ws), project)
    called = names.of_models(ws, project)
    known = datasets.list_all(ws, who(ws), project)
    sets = fitting(known, recipe)
    replays = "replay_dataset" in recipe.model_fields
    examples = [one for one in known if replays and one.kind in LEARNED and one.train_rows]
    starts = ordered(models, recipe)
    best = champion.current(ws, who(ws), project)
    if best and recipe.HAS_REFERENCE:  # what is refined is the best there is
        starts.sort(key=lambda one: one.id != best.id)
    return Choices(
        [(_label(one, called), one.id) for one in starts],
        [(f"{one.label} ({one.train_rows:,} rows to learn)", one.id) for one in sets],
        _rewards(models, called, sets) if sets and "reward" in recipe.model_fields else [],
        [(one.label, one.id) for one in examples],
    )


def _rewards(
    found: Sequence[Model], called: dict[str, str], sets: Sequence[Dataset]
) -> list[tuple[str, str]]:
    """Reward models, the newest first, then rules, the one that fits the newest data first."""
    judges = [one for one in reversed(found) if one.kind == "reward"]
    models = [(f"Reward model: {called[one.id]}", one.id) for one in judges]
    first = RULE_FOR.get(sets[0].kind, "")
    rules = sorted(registered_plugins.names("rewards"), key=lambda name: name != first)
    return models + [(f"Rule: {kinds.reward_title(name)}", name) for name in rules]


def _label(one: Model, called: dict[str, str]) -> str:
    return f"{called[one.id]} (base)" if one.kind == "base" else called[one.id]
