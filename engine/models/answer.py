"""Models that answer: one base in memory, adapters switched in place, prompts in even batches.

The tokens of a prompt come from `Template`, as in training. An answer depends on its prompt, and
a sampled one on the seed, but not on what else is asked beside it (checked by a test).
"""

import resource
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from engine.core.errors import UserError
from engine.core.examples import Message
from engine.core.job_context import ModelFiles
from engine.models import (
    answer_states,
    batch_by_length,
    batched_decoding,
    folder,
    likelihood,
    transformers_generate,
)
from engine.models.chat_template import Template
from engine.models.sampling import Sampling

T = TypeVar("T")
Row = tuple[list[int], list[int]]  # tokens of a prompt and of its answer

MOST_ROWS = 64
GENERATE_ROWS = 16  # where only transformers' own `generate` can answer
BATCH_TOKENS = 16_384  # of prompts and answers together
CACHE_BYTES = 2**29  # of keys and values
LIKELIHOOD_TOKENS = 2048
MOST_ADAPTERS = 8  # beside one base in memory, where it is kept for the next question


class Reply(NamedTuple):
    """`seconds` is the row's share of its batch; `finished` is False when the limit cut it.

    `first_s` and `last_s`: when its first and last token were there, from the start of its batch.
    `failed` says why there is no answer at all; its text is then empty.
    """

    text: str
    tokens: int
    finished: bool
    seconds: float
    failed: str | None = None
    first_s: float = 0.0
    last_s: float = 0.0


OnTokens = Callable[[Sequence[batched_decoding.DecodedRow]], None]


class Answerer:
    """A base model and any adapters of it, ready to answer.

    With `isolated` its chat template runs in a process of its own, where one waits for all.
    """

    def __init__(self, base: Path, *, isolated: bool = False) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self.base = base
        self.template = Template.load(base, isolated=isolated)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if self.device == "cuda" else torch.float32
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            base, dtype=dtype, use_safetensors=True, local_files_only=True
        ).to(self.device)
        self._model.eval()
        self._adapters: dict[str, str] = {}  # name -> which files they were

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

    def takes(self, files: ModelFiles) -> bool:
        """Whether `files`, of the same base, can be answered without loading that anew."""
        if files.adapter is None:
            return True
        known = self._adapters.get(_name(files.model.id))
        if known is None:
            return len(self._adapters) < MOST_ADAPTERS
        return known == folder.identity(files.adapter)

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

        asked = [self.template.ids_or_refusal(prompt, files.model.reasons) for prompt in prompts]
        ids = [each for each, _ in asked]
        refusals = [why or self._refusal(len(each), max_new_tokens) for each, why in asked]
        replies = {n: Reply("", 0, False, 0.0, why) for n, why in enumerate(refusals) if why}
        lengths = {n: len(i) for n, i in enumerate(ids) if n not in replies}
        with self.using(files) as model, torch.inference_mode():
            ways = Sampling(max_new_tokens, temperature, seed)
            most = self.most_rows(MOST_ROWS if batched_decoding.can(model) else GENERATE_ROWS)
            for batch in batch_by_length.even(lengths, max_new_tokens, most):
                on_tokens = _counted(len(replies), done)
                found = self._batch(model, [ids[i] for i in batch], ways, on_tokens)
                replies.update(zip(batch, found, strict=True))
                done(len(replies))
        return [replies[i] for i in range(len(ids))]

    def likelihood(
        self,
        files: ModelFiles,
        rows: Sequence[tuple[list[int], list[int]]],
        done: Callable[[int], None] = lambda _: None,
    ) -> list[float]:
        """How unlikely the model finds each answer after its prompt: nats, summed over tokens."""
        return self._of_rows(files, rows, likelihood.nats, done)

    def final_states(
        self,
        files: ModelFiles,
        rows: Sequence[tuple[list[int], list[int]]],
        done: Callable[[int], None] = lambda _: None,
    ) -> list[answer_states.State]:
        """What the model holds in mind at the end of each answer, in the order of the rows."""
        return self._of_rows(files, rows, answer_states.final_states, done)

    def _of_rows(
        self,
        files: ModelFiles,
        rows: Sequence[Row],
        measure: Callable[[Any, Sequence[Row]], Iterable[T]],
        done: Callable[[int], None],
    ) -> list[T]:
        """What `measure` finds of each row, in their order; rows of a length go together."""
        import torch

        found: dict[int, T] = {}
        lengths = {n: len(prompt) + len(answer) for n, (prompt, answer) in enumerate(rows)}
        with self.using(files) as model, torch.inference_mode():
            for batch in batch_by_length.even(
                lengths, 0, lambda width: max(1, LIKELIHOOD_TOKENS // width)
            ):
                found.update(zip(batch, measure(model, [rows[n] for n in batch]), strict=True))
                done(len(found))
        return [found[n] for n in range(len(rows))]

    @property
    def room(self) -> int:
        """The most tokens of a prompt and its answer together."""
        return int(self._model.config.max_position_embeddings)

    def peak_mb(self) -> float:
        """The most memory this process (on a GPU: this model) has taken so far, in MB."""
        import torch

        if self.device == "cuda":
            return float(torch.cuda.max_memory_allocated()) / 1e6
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6

    def _batch(
        self, model: Any, ids: list[list[int]], ways: Sampling, on_tokens: OnTokens = lambda _: None
    ) -> list[Reply]:
        """One reply a row; `on_tokens` gets the rows after each token, where those are at hand."""
        ends = self.template.ends
        if batched_decoding.can(model):
            decoded = batched_decoding.answers(model, ids, ways, ends, on_tokens)
        else:
            decoded = transformers_generate.answers(
                model, ids, ways, ends, on_tokens, self._stop_tokenizer(model)
            )
        return [self._reply(one) for one in decoded]

    def _reply(self, one: batched_decoding.Decoded) -> Reply:
        return Reply(
            self.template.decode(one.ids).strip(),
            len(one.ids) + one.finished,
            one.finished,
            one.seconds,
            None,
            one.first_s,
            one.last_s,
        )

    def _stop_tokenizer(self, model: Any) -> Any:
        """Transformers' tokenizer, which only settings with `stop_strings` need."""
        from transformers import AutoTokenizer

        if not getattr(model.generation_config, "stop_strings", None):
            return None
        return AutoTokenizer.from_pretrained(self.base, local_files_only=True)

    def most_rows(self, most: int) -> Callable[[int], int]:
        """How many rows of a width fit into one batch."""
        config = self._model.config.get_text_config(decoder=True)
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        token = 2 * config.num_hidden_layers * heads * size * self._model.dtype.itemsize

        def rows(width: int) -> int:
            return max(1, min(most, BATCH_TOKENS // width, CACHE_BYTES // (token * width)))

        return rows

    def stream(
        self,
        files: ModelFiles,
        prompt: Sequence[Message],
        *,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        on_text: Callable[[str], None],
    ) -> Reply:
        """One reply whose text so far is handed to `on_text` after every token."""
        import torch

        ids = self.template.prompt_ids(prompt, files.model.reasons)
        refusal = self._refusal(len(ids), max_new_tokens)
        if refusal:
            raise UserError(refusal, "Shorten the prompt, or ask for fewer new tokens.")
        seen = 0

        def on_tokens(rows: Sequence[batched_decoding.DecodedRow]) -> None:
            nonlocal seen
            if len(rows[0].ids) > seen:
                seen = len(rows[0].ids)
                on_text(self.template.decode(rows[0].ids))

        with self.using(files) as model, torch.inference_mode():
            ways = Sampling(max_new_tokens, temperature, seed)
            (found,) = self._batch(model, [ids], ways, on_tokens)
        if not seen:
            on_text(found.text)
        return found

    def generate_one(
        self, model: Any, ids: list[int], ways: Sampling, given_up: Callable[[], bool]
    ) -> Reply:
        """A reply by transformers' own `generate`; `given_up` is asked after each token."""
        (found,) = transformers_generate.answers(
            model, [ids], ways, self.template.ends, lambda _: None, self._stop_tokenizer(model),
            given_up,
        )  # fmt: skip
        return self._reply(found)

    def _refusal(self, prompt_tokens: int, max_new_tokens: int) -> str | None:
        """Why a prompt cannot be answered; None when it can."""
        if prompt_tokens + max_new_tokens <= self.room:
            return None
        return (
            f"The prompt's {prompt_tokens} tokens and {max_new_tokens} new ones do not fit into "
            f"the model's {self.room}."
        )

    def _load(self, model_id: str, adapter: Path) -> None:
        from peft import PeftModel

        name = _name(model_id)
        if name in self._adapters:
            return
        found = folder.identity(adapter)
        if self._adapters:
            self._model.load_adapter(adapter, name)
        else:
            self._model = PeftModel.from_pretrained(self._model, adapter, adapter_name=name)
            self._model.eval()
        self._adapters[name] = found


def _name(model_id: str) -> str:
    """A PEFT adapter name: no dots, and no part of "lora_"."""
    return f"run-{model_id}"


def _counted(before: int, done: Callable[[int], None]) -> OnTokens:
    """Tells `done` how many are ready whenever that has grown."""
    known = 0

    def on_tokens(rows: Sequence[batched_decoding.DecodedRow]) -> None:
        nonlocal known
        over = sum(row.over for row in rows)
        if over > known:
            known = over
            done(before + over)

    return on_tokens
