"""What the model in training answers to a few held-out prompts, after each held-out measurement."""

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, NamedTuple

from engine.core.event import SampleText
from engine.core.examples import Chat, Example, Preference, Prompt, Text, Unpaired, prompt_of
from engine.core.job_context import Context
from engine.core.recipe import TrainRecipe
from engine.models.chat_template import Template

NEW_TOKENS = 32
PROMPT_TOKENS = 512  # longer prompts would cost more than the look is worth
TEXT_TOKENS = 24  # of a plain text, its beginning is the prompt
MAX_SECONDS = 3.0


class SamplePrompt(NamedTuple):
    ids: list[int]
    prompt: str
    reference: str


def questions(
    ctx: Context, recipe: TrainRecipe, template: Template, reasons: bool = False
) -> list[SamplePrompt]:
    """At most `recipe.samples` held-out prompts, spread over the rows; the same for every step."""
    if not recipe.samples:
        return []
    rows = ctx.rows(recipe.dataset, "held_out")
    found = [_question(template, row.example, reasons) for row in _spread(rows, 4 * recipe.samples)]
    short = [question for question in found if 0 < len(question.ids) <= PROMPT_TOKENS]
    return list(_spread(short, recipe.samples))


def _spread(items: Sequence[Any], number: int) -> list[Any]:
    if len(items) <= number:
        return list(items)
    return [items[i * len(items) // number] for i in range(number)]


def _question(template: Template, example: Example, reasons: bool) -> SamplePrompt:
    if isinstance(example, Text):
        ids = template.encode(example, TEXT_TOKENS + NEW_TOKENS).input_ids
        start = ids[: min(TEXT_TOKENS, len(ids) // 2)]
        return SamplePrompt(start, template.decode(start), template.decode(ids[len(start) :]))
    prompt = prompt_of(example)
    text = prompt[-1].content if prompt else ""
    return SamplePrompt(template.ids_or_refusal(prompt, reasons)[0], text, _reference(example))


def _reference(example: Example) -> str:
    match example:
        case Chat():
            return example.answer
        case Preference():
            return example.chosen
        case Unpaired():
            return example.completion if example.label else ""
        case Prompt():
            return example.references[0] if example.references else ""
        case _:
            return ""


class SampleWriter:
    """Lets the model in training answer greedily, which draws no random number."""

    def __init__(self, ctx: Context, asked: list[SamplePrompt], template: Template) -> None:
        self._ctx = ctx
        self._asked = asked
        self._template = template
        self.said: list[tuple[int, SampleText]] = []

    def ask(self, model: Any, step: int, args: Any) -> None:
        """Emit a `sample` event for each question; all of them take a few seconds at most."""
        if not self._asked or model.get_output_embeddings() is None:
            return
        with _answering(model, args):
            texts = self._answers(model)
        for question, text in zip(self._asked, texts, strict=True):
            self._say(
                step,
                {"prompt": question.prompt, "text": text, "reference": question.reference},
            )

    def emit_again(self, samples: Iterable[tuple[int, SampleText]]) -> None:
        """Emit what an earlier attempt answered."""
        for step, sample in samples:
            self._say(step, sample)

    def _say(self, step: int, sample: SampleText) -> None:
        self.said.append((step, sample))
        self._ctx.emit("sample", {"step": step, **sample}, step)

    def _answers(self, model: Any) -> list[str]:
        import torch

        end, ends = self._template.end_id, self._template.ends
        ids = [question.ids for question in self._asked]
        width = max(map(len, ids))
        out = model.generate(
            input_ids=torch.tensor([[end] * (width - len(i)) + i for i in ids]).to(model.device),
            attention_mask=torch.tensor([[0] * (width - len(i)) + [1] * len(i) for i in ids]).to(
                model.device
            ),
            max_new_tokens=NEW_TOKENS,
            max_time=MAX_SECONDS,
            do_sample=False,
            use_cache=True,
            eos_token_id=sorted(ends),
            pad_token_id=end,
        )
        return [self._text(row[width:].tolist()) for row in out]

    def _text(self, ids: list[int]) -> str:
        ends = self._template.ends
        return self._template.decode(list(takewhile(lambda i: i not in ends, ids))).strip()


@contextmanager
def _answering(model: Any, args: Any) -> Any:
    """The model without dropout and gradients, in the numbers it trains in."""
    import torch

    half = torch.float16 if args.fp16 else torch.bfloat16
    training = model.training
    model.eval()
    try:
        with (
            torch.no_grad(),
            torch.autocast(model.device.type, dtype=half, enabled=bool(args.bf16 or args.fp16)),
        ):
            yield
    finally:
        model.train(training)
