"""An exported model, and the certificate that compares its answers with the model's."""

import math
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.core.evaluation import Gain, GainDecision

Precision = Literal["float32", "bfloat16", "float16"]
Quantisation = Literal["F32", "F16", "Q8_0", "Q4_K_M"]
UNROUNDED: tuple[Quantisation, ...] = ("F32", "F16")  # whose answers should be the same text
# Two next tokens whose log-odds are closer than this are a tie that rounding may decide. llama.cpp
# computes with 16-bit numbers: three of 50 answers of SmolLM2-135M part at ties of .0017 to .0039.
TIE = 0.05
# Where a model finds its own next token this much likelier, fewer bits do not turn it round: an
# answer that ends elsewhere has another end token. Q8_0 turned round gaps of up to .44.
CLEAR = 1.0

DIFFERENT = (GainDecision.BETTER, GainDecision.WORSE)


class Cause(StrEnum):
    """Why an artefact answers otherwise, where the reason is one of the known ones."""

    TEMPLATE = "template"
    DOUBLED_START = "doubled_start"
    TOKENIZER = "tokenizer"
    END_TOKEN = "end_token"
    CONTEXT = "context"
    QUANTISATION = "quantisation"
    ROUNDING = "rounding"


CAUSES: dict[Cause, str] = {
    Cause.TEMPLATE: "its chat template writes another prompt",
    Cause.DOUBLED_START: "its prompts begin with the start token twice",
    Cause.TOKENIZER: "its tokenizer cuts the same prompt into other tokens",
    Cause.END_TOKEN: "its answers end elsewhere: an end token is missing or wrong",
    Cause.CONTEXT: "its context is too short for the prompts and their answers",
    Cause.QUANTISATION: "its weights are rounded to fewer bits",
    Cause.ROUNDING: "its numbers are rounded otherwise, which decides between tokens that tie",
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
    """`n` prompts were answered greedily by the model and by the artefact, `same` word for word.

    `gap` is the widest one where answers part that have no other cause: how much likelier the model
    finds its own next token than the artefact's, as a logarithm of odds.
    """

    model_config = ConfigDict(frozen=True)

    runtime: str
    n: int
    same: int
    differences: tuple[MetricDifference, ...] = ()
    causes: tuple[Cause, ...] = ()
    gap: float | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing but ties differs, and no score with it."""
        return set(self.causes) <= {Cause.ROUNDING} and not self.unexplained and not self._shown

    @property
    def unexplained(self) -> bool:
        """Whether answers differ for none of the known reasons."""
        return self.same < self.n and not self.causes

    @property
    def _shown(self) -> tuple[MetricDifference, ...]:
        return tuple(one for one in self.differences if one.gain.decision in DIFFERENT)

    @property
    def sentence(self) -> str:
        """What it shows, in words."""
        parts = [f"{self.runtime} gives the same text on {self.same} of {self.n} prompts."]
        if self.same < self.n:
            parts += [self._of_metrics()] if self.differences else []
        if self.unexplained:
            parts.append("Prompts, tokens and ends are the same; the cause is not a known one.")
        elif self.causes:
            parts.append(f"Cause: {'; '.join(CAUSES[one] for one in self.causes)}.")
        if self.gap is not None:
            parts.append(_of_gap(self.gap))
        return " ".join(parts)

    def _of_metrics(self) -> str:
        if not self._shown:
            names = ", ".join(one.metric for one in self.differences)
            return f"No difference shown in {names}."
        each = "; ".join(
            f"{one.metric} {one.model:.3f} -> {one.artefact:.3f} "
            f"({one.gain.low:+.3f} to {one.gain.high:+.3f})"
            for one in self._shown
        )
        return f"The scores differ: {each}."


class ExportedFile(BaseModel):
    """A file of the artefact; `name` is its path inside the folder."""

    model_config = ConfigDict(frozen=True)

    name: str
    bytes: int
    sha256: str


def _of_gap(gap: float) -> str:
    odds = f"{math.expm1(gap):.1%}" if gap < 1 else f"{math.exp(gap):,.1f} times"
    more = f"at most {odds} likelier than" if gap < 1 else f"up to {odds} as likely as"
    return f"Where the texts part, the model finds its own next token {more} the other one."
