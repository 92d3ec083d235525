"""The folded part of the panel that starts a round: how it is rated and checked."""

from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import gradio as gr
from annotated_types import Ge, Le

from engine.core.rating import MOST_ANSWERS, GoldItem
from engine.services.rating import gold, pasted_prompts
from engine.services.rating.plans import GUIDELINES, SAMPLES, RoundRecipe

MODES = [("Two answers, which is better", "pair"), ("One answer, good or bad", "single")]
DECISIONS = [
    ("When all votes are in", "fixed"),
    ("As soon as there is enough evidence", "sequential"),
]


PREDICTORS = [
    ("None: votes alone", "none"),
    ("Difference in length", "length"),
    ("Difference in overlap with the reference", "overlap"),
    ("Reward head of the votes so far", "head"),
]
MOST_FURTHER = 800
USUAL_FURTHER = 240  # four for each of 60 comparisons


class OptionFields(NamedTuple):
    """The components, in the order that `read` takes their values."""

    mode: gr.Radio
    decision: gr.Radio
    gold: gr.Slider
    repeats: gr.Slider
    practice: gr.Slider
    per_rater: gr.Slider
    samples: gr.Slider
    answers: gr.Slider
    predictor: gr.Dropdown
    further: gr.Slider
    best_of: gr.Slider
    guidelines: gr.Textbox
    pasted: gr.Textbox
    gold_file: gr.File
    anyway: gr.Checkbox


def default(field: str) -> Any:
    """Where a field's component begins: at the default of the recipe."""
    return RoundRecipe.model_fields[field].default


def _share(field: str) -> tuple[int, int, int]:
    """The least, the most and the default of a share, in percent."""
    rules = {type(rule): rule for rule in RoundRecipe.model_fields[field].metadata}
    low, high = rules[Ge].ge, rules[Le].le
    return round(100 * low), round(100 * high), round(100 * default(field))


def build() -> OptionFields:
    """The components, in the layout that is open."""
    with gr.Row():
        mode = gr.Radio(MODES, value=default("mode"), label="What is shown", elem_id="rate-mode")
        decision = gr.Radio(DECISIONS, value=default("decision"), label="A blind test ends",
                            elem_id="rate-decision", info="Cannot be changed later")  # fmt: skip
    with gr.Row():
        checks = gr.Slider(*_share("gold"), step=1, label="Gold items, %", elem_id="rate-gold",
                           info="Known answers; raters who miss too many are paused")  # fmt: skip
        repeats = gr.Slider(*_share("repeats"), step=1, label="Shown twice, %",
                            elem_id="rate-repeats",
                            info="With sides swapped, to measure self-consistency")  # fmt: skip
    with gr.Row():
        practice = gr.Slider(0, 20, default("practice"), step=1, label="Practice comparisons first",
                             elem_id="rate-practice",
                             info="With the answer after each vote")  # fmt: skip
        per_rater = gr.Slider(0, 500, 150, step=10, label="Most votes per person and day",
                              elem_id="rate-per-rater", info="0: no limit")  # fmt: skip
    with gr.Row():
        answers = gr.Slider(2, MOST_ANSWERS, default("answers"), step=1,
                            label="Answers shown at a time", elem_id="rate-answers",
                            info="To collect preferences; three or four are ranked")  # fmt: skip
        samples = gr.Slider(2, 8, SAMPLES, step=1, label="Answers written to each question",
                            elem_id="rate-samples",
                            info="To collect preferences; those that differ most are shown, so "
                                 "fewer questions are lost to equal answers")  # fmt: skip
    with gr.Row():
        predictor = gr.Dropdown(PREDICTORS, value=default("predictor"), elem_id="rate-predictor",
                                label="Predictor of a blind test",
                                info="Used only where it narrows the interval")  # fmt: skip
        further = gr.Slider(0, MOST_FURTHER, USUAL_FURTHER, step=10, elem_id="rate-further",
                            label="Further questions for the predictor",
                            info="Both models answer them; nobody votes on them")  # fmt: skip
    best_of = gr.Slider(1, 8, default("best_of"), step=1, elem_id="rate-best-of",
                        label="Answers of the tested model to choose from",
                        info="The reward head of earlier votes shows the one it prefers; 1: no "
                             "choice")  # fmt: skip
    guidelines = gr.Textbox(GUIDELINES, lines=4, max_lines=12, label="Guidelines for raters",
                            elem_id="rate-guidelines")  # fmt: skip
    pasted = gr.Textbox("", lines=3, max_lines=12, label="Or paste questions, one a line",
                        elem_id="rate-pasted", info="Used instead of the dataset")  # fmt: skip
    file = gr.File(label="Your own gold items, from a file", type="filepath",
                   file_types=[".jsonl", ".json", ".csv"], elem_id="rate-gold-file")  # fmt: skip
    anyway = gr.Checkbox(False, label="Start a blind round even if the model regressed or may have",
                         elem_id="rate-anyway")  # fmt: skip
    return OptionFields(
        mode, decision, checks, repeats, practice, per_rater, samples, answers, predictor, further,
        best_of, guidelines, pasted, file, anyway,
    )  # fmt: skip


class RoundOptions(TypedDict, total=False):
    """Fields of a round's recipe that the options set; shares run from 0 to 1."""

    mode: Any
    decision: Any
    gold: float
    gold_items: list[GoldItem]
    repeats: float
    practice: int
    per_rater: int | None
    samples: int
    answers: int
    predictor: Any
    further: int
    best_of: int
    guidelines: str


def read(
    mode: Any,
    decision: Any,
    checks: float,
    repeats: float,
    practice: float,
    per_rater: float,
    samples: float,
    answers: float,
    predictor: Any,
    further: float,
    best_of: float,
    guidelines: str,
    pasted: str,
    file: str | None,
    _anyway: bool = False,
) -> tuple[list[str], RoundOptions]:
    """The pasted questions, and values of a round's recipe by field."""
    given = gold.from_file(Path(file), Path(file).name) if file else []
    values: RoundOptions = {
        "mode": mode,
        "decision": decision,
        "gold": checks / 100,
        "gold_items": given,
        "repeats": repeats / 100,
        "practice": int(practice),
        "per_rater": int(per_rater) or None,
        "samples": int(samples),
        "answers": int(answers),
        "predictor": predictor,
        "further": int(further) if predictor != "none" else 0,
        "best_of": int(best_of),
        "guidelines": guidelines.strip()[:10_000] or GUIDELINES,
    }
    return pasted_prompts.pasted(pasted), values
