"""The panel that starts a round, and what a round of that size can show."""

from typing import Any, NamedTuple, TypedDict

import gradio as gr

from engine.core.dataset import Dataset
from engine.core.errors import UserError
from engine.core.rating import BLIND, DecisionRule, Purpose, Round
from engine.core.recipe import read
from engine.services import feedback
from engine.services.data import datasets
from engine.services.models import registry
from engine.services.rating import pasted_prompts, plans, rounds
from engine.services.rating.plans import FEWEST_PAIRS, RoundRecipe
from engine.services.rating.rounds import RATEABLE
from engine.workspace import Workspace
from ui.components import markup, names
from ui.pages.rating import options
from ui.pages.rating.options import OptionFields, default
from ui.web.session import who


class DropdownWords(TypedDict):
    """What a dropdown is called, and the help below it."""

    label: str
    info: str


PURPOSES: list[tuple[str, Purpose]] = [
    ("Collect preferences for training", "train_pairs"),
    ("Blind test of two models", "blind_eval"),
    ("A/A test: a model against itself", "aa_control"),
    ("Practice for raters", "calibration"),
]
WORDS: dict[Purpose, tuple[DropdownWords, DropdownWords]] = {
    "train_pairs": (
        {"label": "First answer from", "info": "Usually your newest model"},
        {"label": "Second answer from", "info": "The same model again gives a second sample"},
    ),
    "blind_eval": (
        {"label": "Model under test", "info": "The one that should be better"},
        {"label": "Compared with", "info": "The baseline that it should beat"},
    ),
    "aa_control": (
        {"label": "Model", "info": "Its two tries should come out even"},
        {"label": "Against itself", "info": "The same model"},
    ),
    "calibration": (
        {"label": "Model", "info": "No answer of it is shown"},
        {"label": "Second model", "info": "No answer of it is shown"},
    ),
}
NO_QUESTIONS = "There are no questions yet. Add a dataset of chats or questions on the Data page."
TRAFFIC = "traffic:"  # and the project: prompts that the API captured, no dataset yet
USUAL_PROMPTS = 60
MOST_PROMPTS = 400


class StartPanel(NamedTuple):
    """The panel; `go` is its button, the others are what a round is planned from."""

    purpose: gr.Radio
    new: gr.Dropdown
    base: gr.Dropdown
    dataset: gr.Dropdown
    prompts: gr.Slider
    overlap: gr.Slider
    longest: gr.Slider
    more: OptionFields
    go: gr.Button

    @property
    def values(self) -> list[Any]:
        """The components whose values `plan` takes, in its order."""
        return [*self[:-2], *self.more]


def build() -> tuple[StartPanel, gr.HTML]:
    """The components, in the layout that is open, and the sentence about what they can show."""
    purpose = gr.Radio(
        PURPOSES, value="train_pairs", label="Purpose", elem_id="rate-purpose"
    )  # fmt: skip
    with gr.Row():
        new = gr.Dropdown([], value=None, elem_id="rate-new", **WORDS["train_pairs"][0])
        base = gr.Dropdown([], value=None, elem_id="rate-base", **WORDS["train_pairs"][1])
    with gr.Row():
        dataset = gr.Dropdown([], value=None, label="Questions from", elem_id="rate-dataset")
        prompts = gr.Slider(6, MOST_PROMPTS, USUAL_PROMPTS, step=1, label="Comparisons to rate",
                            elem_id="rate-prompts")  # fmt: skip
    with gr.Accordion("More options", open=False):
        with gr.Row():
            overlap = gr.Slider(1, 5, default("overlap"), step=1, label="Votes per comparison",
                                elem_id="rate-overlap",
                                info="Each from a different person")  # fmt: skip
            longest = gr.Slider(16, 1024, default("max_new_tokens"), step=16,
                                label="Longest answer", elem_id="rate-longest",
                                info="In tokens; a longer answer is not shown")  # fmt: skip
        more = options.build()
    power = gr.HTML("", elem_id="rate-power")
    go = gr.Button("Start the round", variant="primary", elem_id="rate-start")
    return StartPanel(purpose, new, base, dataset, prompts, overlap, longest, more, go), power


def plan(
    ws: Workspace,
    project: str | None,
    purpose: Purpose,
    new: str | None,
    base: str | None,
    dataset: str | None,
    prompts: float,
    overlap: float,
    longest: float,
    *more: Any,
) -> Round:
    """The round, its answers queued; UserError says what is missing."""
    if not project:
        raise UserError("No project is open.", "Make one first, at the top of the page.")
    if not new or not base:
        raise UserError("A round compares two answers.", "Choose where both come from.")
    anyway = bool(more and more[-1])
    pasted, chosen = options.read(*more) if more else ([], options.RoundOptions())
    _leave_out_idle(purpose, chosen)
    if pasted:
        dataset = pasted_prompts.store(ws, who(ws), project, pasted, purpose).id
    if dataset and dataset.startswith(TRAFFIC):
        dataset = feedback.to_dataset(ws, who(ws), project, "prompts", held_out=0).id
    if not dataset:
        raise UserError("There are no questions.", "Add a dataset of chats or questions first.")
    values = {
        **chosen,
        "purpose": purpose,
        "model": new,
        "baseline": base,
        "dataset": dataset,
        "prompts": int(prompts),
        "overlap": int(overlap),
        "max_new_tokens": int(longest),
    }
    return rounds.start(ws, who(ws), project, read(RoundRecipe, values), anyway=anyway)


def _leave_out_idle(purpose: Purpose, chosen: options.RoundOptions) -> None:
    """Take out the options that say nothing for this purpose."""
    if purpose != "train_pairs" or chosen.get("mode") == "single":
        chosen.pop("samples", None)  # a test needs what a user would get
        chosen.pop("answers", None)
    if purpose != "blind_eval":
        chosen.update({"predictor": "none", "further": 0})
    if chosen.get("best_of", 1) > 1:
        chosen.pop("samples", None)  # the head chooses, so nothing else does


def choices(
    ws: Workspace,
    project: str | None,
    purpose: Purpose,
    new: str | None,
    base: str | None,
    dataset: str | None,
) -> list[Any]:
    """The three dropdowns for a purpose, what was chosen kept where it fits."""
    offered = names.choices(ws, project)
    known = [each for _, each in offered]
    usual = names.first_two(ws, project)
    blind = purpose == "blind_eval"
    new = new if new in known else (usual[-1] if usual else None)
    other = _forerunner(ws, new) or next((each for each in known if each != new), None)
    base = base if base in known and purpose != "aa_control" else (other if blind else new)
    if blind and base == new:
        base = other
    sets = [(_questions(one, purpose), one.id) for one in _sets(ws, project, purpose)]
    sets += _captured(ws, project, purpose)
    known_sets = [each for _, each in sets]
    dataset = dataset if dataset in known_sets else next(iter(known_sets), None)
    first, second = WORDS[purpose]
    return [
        gr.Dropdown(offered, value=new, **first),
        gr.Dropdown(offered, value=base, **second),
        gr.Dropdown(sets, value=dataset),
    ]


def _forerunner(ws: Workspace, model: str | None) -> str | None:
    """What a model was trained from: the usual baseline of a blind test."""
    chain = registry.lineage(ws, who(ws), model) if model else []
    return chain[1].id if len(chain) > 1 else None


def power(
    ws: Workspace,
    purpose: Purpose,
    dataset: str | None,
    prompts: float,
    overlap: float,
    decision: DecisionRule = "fixed",
    pasted: str = "",
) -> str:
    """What a round of this size can show, said before it is started."""
    given = pasted_prompts.pasted(pasted)
    if not dataset and not given:
        return markup.notice(NO_QUESTIONS, "warn")
    available = len(given) or _asked(ws, dataset or "", purpose)
    pairs = min(int(prompts), available)
    expected = plans.expected(purpose, pairs, decision)
    if overlap > 1 and purpose != "calibration":
        expected += (
            f" {int(overlap)} people rate each comparison: {pairs * int(overlap)} votes in all."
        )
    if available < prompts:
        kept = "held-out " if purpose in BLIND and not given else ""
        place = "You pasted" if given else "This dataset has"
        expected = f"{place} {available:,} {kept}questions. {expected}"
    few = pairs < FEWEST_PAIRS and purpose != "calibration"
    return markup.notice(expected, "warn" if few else "neutral")


def _sets(ws: Workspace, project: str | None, purpose: Purpose) -> list[Dataset]:
    versions = datasets.list_all(ws, who(ws), project) if project else []
    fitting = [one for one in versions if one.kind in RATEABLE]
    return [one for one in fitting if purpose not in BLIND or not one.from_traffic]


def _captured(ws: Workspace, project: str | None, purpose: Purpose) -> list[tuple[str, str]]:
    """The prompts that the API captured, where a round of this purpose may take them."""
    number = feedback.captured(ws, who(ws), project) if project else 0
    if not number or purpose != "train_pairs":
        return []
    return [(f"Captured from traffic, not blind ({number:,} prompts)", f"{TRAFFIC}{project}")]


def _asked(ws: Workspace, dataset: str, purpose: Purpose) -> int:
    if dataset.startswith(TRAFFIC):
        return feedback.captured(ws, who(ws), dataset.removeprefix(TRAFFIC))
    return _available(datasets.get(ws, who(ws), dataset), purpose)


def _available(one: Dataset, purpose: Purpose) -> int:
    return one.held_out_rows if purpose in BLIND else one.train_rows


def _questions(one: Dataset, purpose: Purpose) -> str:
    kept = " held out" if purpose in BLIND else ""
    return f"{one.label} ({_available(one, purpose):,} questions{kept})"
