"""Answers by transformers' own `generate`: for models that `decode` cannot follow, only slower."""

import random
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypedDict

from engine.models.batched_decoding import Decoded, DecodedRow
from engine.models.sampling import Sampling


class SamplingOptions(TypedDict, total=False):
    """How `generate` of transformers chooses the next token."""

    do_sample: bool
    temperature: float
    top_p: float
    top_k: int


def answers(
    model: Any,
    prompts: Sequence[list[int]],
    ways: Sampling,
    ends: Collection[int],
    on_tokens: Callable[[Sequence[DecodedRow]], None] = lambda _: None,
    tokenizer: Any = None,
    given_up: Callable[[], bool] = lambda: False,
) -> list[Decoded]:
    """The answer to each prompt, in order; `on_tokens` follows the answer to a single prompt.

    `given_up` is asked after each token: where nobody waits any more, all end there.

    Sampled answers depend on all of `prompts`. When a token came is not told for more than one
    prompt: all are said to have come at the end. A model whose own settings name `stop_strings`
    needs its `tokenizer`.
    """
    import torch

    width = max(map(len, prompts))
    pad = min(ends)
    padded = [[pad] * (width - len(ids)) + ids for ids in prompts]
    mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
    sampling: SamplingOptions = {"do_sample": False}
    if not ways.is_greedy:
        sampling = {"do_sample": True, "temperature": ways.temperature,
                    "top_p": ways.top_p, "top_k": 0}  # fmt: skip
    torch.manual_seed(random.Random(f"{ways.seed}:{list(prompts)}").getrandbits(63))
    start = time.perf_counter()
    beams = (model.generation_config.num_beams or 1) > 1  # transformers streams no beams
    alone = None if beams or len(prompts) > 1 else _Alone(ways.max_new_tokens, ends, on_tokens)
    out = model.generate(
        input_ids=torch.tensor(padded, device=model.device),
        attention_mask=torch.tensor(mask, device=model.device),
        max_new_tokens=ways.max_new_tokens,
        eos_token_id=sorted(ends),
        pad_token_id=pad,
        streamer=alone,
        tokenizer=tokenizer,
        stopping_criteria=[
            lambda ids, *_, **__: torch.full((len(ids),), given_up()).to(ids.device)
        ],
        **sampling,
    )
    if alone:
        return [alone.row.decoded()]
    took = time.perf_counter() - start
    return [_decoded(row[width:].tolist(), ends, took, len(prompts)) for row in out]


class _Alone:
    """A streamer of transformers: hears the prompt first, then one token at a time."""

    def __init__(
        self, longest: int, ends: Collection[int], on_tokens: Callable[[Sequence[DecodedRow]], None]
    ) -> None:
        self.row, self.longest, self.ends, self.on_tokens = DecodedRow(), longest, ends, on_tokens
        self.start = self.before = time.perf_counter()
        self.prompt = True

    def put(self, value: Any) -> None:
        """Take the prompt, or one token of shape (1,)."""
        if self.prompt:
            self.prompt = False
            return
        now = time.perf_counter()
        self.row.append(int(value), now - self.start, now - self.before, self.longest, self.ends)
        self.before = now
        self.on_tokens([self.row])

    def end(self) -> None:
        """Nothing is kept back."""


def _decoded(ids: list[int], ends: Collection[int], took: float, rows: int) -> Decoded:
    stop = next((place for place, token in enumerate(ids) if token in ends), None)
    return Decoded(ids[:stop], stop is not None, took / rows, took, took)
