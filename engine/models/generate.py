"""Answers by transformers' own `generate`: for models that `decode` cannot follow, only slower."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from engine.models.decode import Row, Said
from engine.models.sample import TOP_P, Sampling


def answers(
    model: Any,
    prompts: Sequence[list[int]],
    ways: Sampling,
    end: int,
    heard: Callable[[Sequence[Row]], None] = lambda _: None,
) -> list[Said]:
    """What the model says to each prompt, in order; to a single one, `heard` gets it as it grows.

    Sampled answers depend on all of `prompts`. When a token came is not told for more than one
    prompt: all are said to have come at the end.
    """
    import torch

    width = max(map(len, prompts))
    padded = [[end] * (width - len(ids)) + ids for ids in prompts]
    mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
    sampling: dict[str, Any] = {"do_sample": False}
    if ways.temperature > 0:
        sampling = {"do_sample": True, "temperature": ways.temperature,
                    "top_p": TOP_P, "top_k": 0}  # fmt: skip
    torch.manual_seed(random.Random(f"{ways.seed}:{list(prompts)}").getrandbits(63))
    start = time.perf_counter()
    alone = _Alone(ways.max_new_tokens, end, heard) if len(prompts) == 1 else None
    out = model.generate(
        input_ids=torch.tensor(padded, device=model.device),
        attention_mask=torch.tensor(mask, device=model.device),
        max_new_tokens=ways.max_new_tokens,
        eos_token_id=end,
        pad_token_id=end,
        streamer=alone,
        **sampling,
    )
    if alone:
        return [alone.row.said()]
    took = time.perf_counter() - start
    return [_said(row[width:].tolist(), end, took, len(prompts)) for row in out]


class _Alone:
    """A streamer of transformers: hears the prompt first, then one token at a time."""

    def __init__(self, longest: int, end: int, heard: Callable[[Sequence[Row]], None]) -> None:
        self.row, self.longest, self.last, self.heard = Row(), longest, end, heard
        self.start = self.before = time.perf_counter()
        self.prompt = True

    def put(self, value: Any) -> None:
        """Take the prompt, or one token of shape (1,)."""
        if self.prompt:
            self.prompt = False
            return
        now = time.perf_counter()
        self.row.hear(int(value), now - self.start, now - self.before, self.longest, self.last)
        self.before = now
        self.heard([self.row])

    def end(self) -> None:
        """Nothing is kept back."""


def _said(ids: list[int], end: int, took: float, rows: int) -> Said:
    finished = end in ids
    return Said(ids[: ids.index(end)] if finished else ids, finished, took / rows, took, took)
