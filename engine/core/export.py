"""An exported model, and the certificate that compares its answers with the model's."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.core.evaluation import Gain, GainDecision

Precision = Literal["float32", "bfloat16", "float16"]
Quantisation = Literal["F16", "Q8_0"]


DIFFERENT = (GainDecision.BETTER, GainDecision.WORSE)


class Cause(StrEnum):
    """Why an artefact answers otherwise, where the reason is one of the known ones."""

    TEMPLATE = "template"
    DOUBLED_START = "doubled_start"
    TOKENIZER = "tokenizer"
    END_TOKEN = "end_token"
    CONTEXT = "context"
    QUANTISATION = "quantisation"


CAUSES: dict[Cause, str] = {
    Cause.TEMPLATE: "its chat template writes another prompt",
    Cause.DOUBLED_START: "its prompts begin with the start token twice",
    Cause.TOKENIZER: "its tokenizer cuts the same prompt into other tokens",
    Cause.END_TOKEN: "its answers end elsewhere: an end token is missing or wrong",
    Cause.CONTEXT: "its context is too short for the prompts and their answers",
    Cause.QUANTISATION: "its weights are rounded to fewer bits",
}


class ArtefactAnswer(BaseModel):
    """What a runtime made of one prompt: the text and tokens it read, and what it wrote.

    Not `finished` where the answer was cut at the limit; `truncated` where the prompt was.
    """

    model_config = ConfigDict(frozen=True)

    prompt_text: str
    prompt_ids: tuple[int, ...]
    text: str
    finished: bool
    truncated: bool = False


class MetricDifference(BaseModel):
    """A metric of the model and of the artefact on the same rows; `gain` is artefact - model."""

    model_config = ConfigDict(frozen=True)

    metric: str
    model: float
    artefact: float
    gain: Gain


class Certificate(BaseModel):
    """`n` prompts were answered greedily by the model and by the artefact, `same` word for word."""

    model_config = ConfigDict(frozen=True)

    runtime: str
    n: int
    same: int
    differences: tuple[MetricDifference, ...] = ()
    causes: tuple[Cause, ...] = ()

    @property
    def sentence(self) -> str:
        """What it shows, in words."""
        parts = [f"{self.runtime} gives the same text on {self.same} of {self.n} prompts."]
        if self.same < self.n:
            parts += [_of_metrics(self.differences)] if self.differences else []
        if self.same < self.n or self.causes:
            parts.append(_of_causes(self.causes))
        return " ".join(parts)


class ExportedFile(BaseModel):
    """A file of the artefact; `name` is its path inside the folder."""

    model_config = ConfigDict(frozen=True)

    name: str
    bytes: int
    sha256: str


def _of_metrics(differences: tuple[MetricDifference, ...]) -> str:
    shown = [one for one in differences if one.gain.decision in DIFFERENT]
    if not shown:
        names = ", ".join(one.metric for one in differences)
        return f"No difference shown in {names}."
    each = "; ".join(
        f"{one.metric} {one.model:.3f} -> {one.artefact:.3f} "
        f"({one.gain.low:+.3f} to {one.gain.high:+.3f})"
        for one in shown
    )
    return f"The scores differ: {each}."


def _of_causes(causes: tuple[Cause, ...]) -> str:
    if causes:
        return f"Look at this: {'; '.join(CAUSES[one] for one in causes)}."
    return (
        "Prompts, tokens and ends are the same: what is left is rounding, which decides where two "
        "tokens are about equally likely."
    )
