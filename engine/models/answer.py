"""Models that answer: one base in memory, adapters switched in place, prompts in even batches.

The tokens of a prompt come from `Template`, as in training. Greedy answers do not depend on the
batch (left padding, checked by a test); sampled ones depend on the seed and on the list of prompts.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine.core.context import ModelFiles
from engine.core.errors import UserError
from engine.core.examples import Message
from engine.models.chat import Template

BATCH_ROWS = 16
BATCH_TOKENS = 4096


class Reply(NamedTuple):
    """`seconds` is the row's share of its batch; `finished` is False when the limit cut it.

    `failed` says why there is no answer at all; its text is then empty.
    """

    text: str
    tokens: int
    finished: bool
    seconds: float
    failed: str | None = None


class Answerer:
    """A base model and any adapters of it, ready to answer."""

    def __init__(self, base: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self.base = base
        self.template = Template.load(base)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if self.device == "cuda" else torch.float32
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            base, dtype=dtype, use_safetensors=True, local_files_only=True
        ).to(self.device)
        self._model.eval()
        self._adapters: set[str] = set()

    @contextmanager
    def using(self, files: ModelFiles) -> Iterator[Any]:
        """The base with the adapter of `files` switched on, or off for the base itself."""
        if files.adapter is None:
            if not self._adapters:
                yield self._model
                return
            with self._model.disable_adapter():
                yield self._model
            return
        self._load(files.model.id, files.adapter)
        self._model.set_adapter(_name(files.model.id))
        yield self._model

    def answer(
        self,
        files: ModelFiles,
        prompts: Sequence[Sequence[Message]],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        done: Callable[[int], None] = lambda _: None,
    ) -> list[Reply]:
        """One reply a prompt, in order; `done` hears how many are ready and may raise to stop."""
        import torch

        torch.manual_seed(seed)
        ids = [self.template.prompt_ids(prompt) for prompt in prompts]
        refusals = [self._refusal(len(i), max_new_tokens) for i in ids]
        replies = {n: Reply("", 0, False, 0.0, why) for n, why in enumerate(refusals) if why}
        lengths = {n: len(i) for n, i in enumerate(ids) if n not in replies}
        with self.using(files) as model, torch.inference_mode():
            for batch in _batches(lengths, max_new_tokens):
                found = self._batch(model, [ids[i] for i in batch], max_new_tokens, temperature)
                replies.update(zip(batch, found, strict=True))
                done(len(replies))
        return [replies[i] for i in range(len(ids))]

    def stream(
        self,
        files: ModelFiles,
        prompt: Sequence[Message],
        *,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        said: Callable[[str], None],
    ) -> Reply:
        """One reply whose text so far is handed to `said` after every token."""
        import torch
        from transformers.generation.streamers import BaseStreamer

        ids = self.template.prompt_ids(prompt)
        refusal = self._refusal(len(ids), max_new_tokens)
        if refusal:
            raise UserError(refusal, "Shorten the prompt, or ask for fewer new tokens.")
        heard: list[int] = []
        decode = self.template.decode

        class Streamer(BaseStreamer):
            """Hears the prompt first, then one token at a time."""

            def put(self, value: Any) -> None:
                if value.numel() == 1:
                    heard.append(int(value.flatten()[0]))
                    said(decode(heard))

            def end(self) -> None:
                """Nothing is kept back."""

        torch.manual_seed(seed)
        with self.using(files) as model, torch.inference_mode():
            found = self._batch(model, [ids], max_new_tokens, temperature, Streamer())
        return found[0]

    def _batch(
        self,
        model: Any,
        ids: list[list[int]],
        max_new_tokens: int,
        temperature: float,
        streamer: Any = None,
    ) -> list[Reply]:
        import torch

        end = self.template.end_id
        width = max(map(len, ids))
        padded = [[end] * (width - len(i)) + i for i in ids]
        mask = [[0] * (width - len(i)) + [1] * len(i) for i in ids]
        sampling: dict[str, Any] = {"do_sample": False}
        if temperature > 0:
            sampling = {"do_sample": True, "temperature": temperature, "top_p": 0.95, "top_k": 0}
        start = time.perf_counter()
        out = model.generate(
            input_ids=torch.tensor(padded, device=self.device),
            attention_mask=torch.tensor(mask, device=self.device),
            max_new_tokens=max_new_tokens,
            eos_token_id=end,
            pad_token_id=end,
            streamer=streamer,
            **sampling,
        )
        each = (time.perf_counter() - start) / len(ids)
        return [self._reply(row[width:].tolist(), end, each) for row in out]

    def _reply(self, ids: list[int], end: int, seconds: float) -> Reply:
        finished = end in ids
        kept = ids[: ids.index(end)] if finished else ids
        return Reply(self.template.decode(kept).strip(), len(kept) + finished, finished, seconds)

    def _refusal(self, prompt_tokens: int, max_new_tokens: int) -> str | None:
        """Why a prompt cannot be answered; None when it can."""
        room = self._model.config.max_position_embeddings
        if prompt_tokens + max_new_tokens <= room:
            return None
        return (
            f"The prompt's {prompt_tokens} tokens and {max_new_tokens} new ones do not fit into "
            f"the model's {room}."
        )

    def _load(self, model_id: str, adapter: Path) -> None:
        from peft import PeftModel

        name = _name(model_id)
        if name in self._adapters:
            return
        if self._adapters:
            self._model.load_adapter(adapter, name)
        else:
            self._model = PeftModel.from_pretrained(self._model, adapter, adapter_name=name)
            self._model.eval()
        self._adapters.add(name)


def _name(model_id: str) -> str:
    """A PEFT adapter name: no dots, and no part of "lora_"."""
    return f"run-{model_id}"


def _batches(lengths: dict[int, int], max_new_tokens: int) -> Iterator[list[int]]:
    """Row numbers by falling length, as many as the token budget holds; the longest come first.

    A batch that would not fit into the memory fails at the start, not after an hour.
    """
    order = sorted(lengths, key=lambda row: (-lengths[row], row))
    while order:
        width = lengths[order[0]] + max_new_tokens
        size = max(1, min(BATCH_ROWS, BATCH_TOKENS // width))
        yield order[:size]
        order = order[size:]
