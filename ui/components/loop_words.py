"""The status of the loop in words: stations, their results, and the page of each next action."""

from html import escape
from typing import NamedTuple

import gradio as gr

from engine.core.project import LoopStatus, NextAction, Step, StepName
from engine.core.rating import Purpose
from engine.services.evaluation.metrics import title as metric_title
from ui.components import markup
from ui.components.page import NavigationTarget, PageName

TITLES: dict[StepName, str] = {
    "data": "Data",
    "train": "Train",
    "evaluate": "Evaluate",
    "rate": "Rate",
    "pairs": "Pairs",
    "dpo": "DPO",
    "blind": "Blind round",
    "verdict": "Verdict",
}
UNITS: dict[StepName, str] = {"data": "rows", "rate": "votes", "pairs": "pairs", "blind": "votes"}


class Action(NamedTuple):
    """The button, a sentence above it, the page that it opens, and what a new round there is for.

    Without a purpose the page shows what is there.
    """

    title: str
    text: str
    page: PageName
    purpose: Purpose | None = None

    @property
    def target(self) -> NavigationTarget:
        """What the page that it opens is to show."""
        return NavigationTarget(purpose=self.purpose)


ACTIONS: dict[NextAction, Action] = {
    "add_data": Action(
        "Add your examples", "Questions with the answers you want. 100 rows are enough.", "data"
    ),
    "train_first": Action(
        "Train a first model",
        "Supervised fine-tuning (SFT) learns from your examples: minutes on a laptop.",
        "training",
    ),
    "evaluate": Action(
        "Evaluate it",
        "Compare base and trained model on questions that no training learned from.",
        "evaluation",
    ),
    "rate": Action(
        "Rate answers blind", "Your votes become the preference pairs that DPO learns from.",
        "rating", "train_pairs",
    ),
    "make_pairs": Action(
        "Make preference pairs", "Turn the votes of your rating rounds into training data.",
        "rating",
    ),
    "train_on_pairs": Action(
        "Train on the pairs",
        "Direct preference optimisation (DPO) starts from your trained model.",
        "training",
    ),
    "test_blind": Action(
        "Test it blind", "A blind round compares the new model with the one before.", "rating",
        "blind_eval",
    ),
    "read_verdict": Action(
        "Read the verdict", "Close the blind round to see which model won.", "rating"
    ),
    "start_again": Action(
        "Start another generation",
        "The loop is closed. Rate answers of the new model to improve it further.",
        "rating", "train_pairs",
    ),
    "watch_training": Action(
        "Watch the training", "Its losses and the time left are shown live.", "jobs"
    ),
    "watch_demo": Action(
        "Watch the demo", "It trains, evaluates and rates by itself. Nothing is left to do.", "jobs"
    ),
}  # fmt: skip
STATION_PAGES: dict[StepName, PageName] = {
    "data": "data",
    "train": "training",
    "evaluate": "evaluation",
    "rate": "rating",
    "pairs": "rating",
    "dpo": "training",
    "blind": "rating",
    "verdict": "rating",
}


def result(step: Step) -> str:
    """The newest result of a station in a few words; empty before there is one."""
    if step.name == "verdict" and step.value is not None:
        return f"{markup.percent(step.value)} wins"
    if step.name == "evaluate" and step.value is not None:
        return f"{metric_title(step.label)} {step.value:.2f}"
    if step.count is not None:
        return f"{step.count:,} {UNITS[step.name]}"
    return step.label


def follow(name: NextAction) -> tuple[NavigationTarget, gr.Tabs]:
    """To the page of a next action: updates of the target and of the tabs."""
    action = ACTIONS[name]
    return action.target, gr.Tabs(selected=action.page)


def next_action(status: LoopStatus) -> str:
    """The words above the one button, as HTML."""
    title, text, *_ = ACTIONS[status.next_action]
    return (
        f'<div class="tl-next-words"><small>Next step</small><h3>{escape(title)}</h3>'
        f"<p>{escape(text)}</p></div>"
    )
