"""Answers to many prompts at once: shared beginnings are read once, finished rows leave.

B: rows of the batch, P: tokens that all prompts begin with, W: the longest rest, V: vocabulary
"""

import time
from collections.abc import Callable, Collection, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from engine.models.sampling import Pick, Sampling, pick_for

LEAST_SHARED = 8  # tokens: below this a pass of its own costs more than it saves
LEAVE_AT = 8  # the batch is made smaller when one row in so many has finished
STEERED = (
    "no_repeat_ngram_size",
    "min_length",
    "min_new_tokens",
    "suppress_tokens",
    "begin_suppress_tokens",
    "bad_words_ids",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "sequence_bias",
    "exponential_decay_length_penalty",
    "watermarking_config",
    "encoder_no_repeat_ngram_size",
    "stop_strings",
    "penalty_alpha",
    "dola_layers",
    "prompt_lookup_num_tokens",
)
NEUTRAL = {"num_beams": 1, "guidance_scale": 1, "encoder_repetition_penalty": 1}  # steer otherwise


class Decoded(NamedTuple):
    """One row's new tokens, without the one that ends the answer.

    `first_s` and `last_s` count from the start of the batch; `seconds` is the row's share of it.
    """

    ids: list[int]
    finished: bool
    seconds: float
    first_s: float
    last_s: float


def can(model: Any) -> bool:
    """Whether `answers` says what `model.generate` would: attention only, nothing steers tokens."""
    config, usual = model.config.get_text_config(decoder=True), model.generation_config
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return (
        kinds <= {"full_attention", "sliding_attention"}
        and not getattr(model, "_is_stateful", False)
        and not config.is_encoder_decoder
        and not any(getattr(usual, name, None) for name in STEERED)
        and all(getattr(usual, name, None) in (None, value) for name, value in NEUTRAL.items())
    )


def answers(
    model: Any,
    prompts: Sequence[list[int]],
    ways: Sampling,
    ends: Collection[int],
    on_tokens: Callable[[Sequence["DecodedRow"]], None] = lambda _: None,
) -> list[Decoded]:
    """What the model says to each prompt, in order; `on_tokens` gets all rows after each token.

    Greedy texts equal those of `model.generate` on each prompt alone, up to a rounding error that
    tips two equally likely tokens.
    """
    start = time.perf_counter()
    batch = Batch(model, prompts, ways.max_new_tokens, pick_for(model, prompts, ways))
    rows = [DecodedRow() for _ in prompts]
    before = start
    while batch.rows:
        tokens: list[int] = batch.tokens.tolist()
        now = time.perf_counter()
        share = (now - before) / len(batch.rows)
        for row, token in zip(batch.rows, tokens, strict=True):
            rows[row].append(token, now - start, share, ways.max_new_tokens, ends)
        before = now
        going = [place for place, row in enumerate(batch.rows) if not rows[row].over]
        on_tokens(rows)
        if not going:
            break
        if len(batch.rows) - len(going) >= max(1, len(batch.rows) // LEAVE_AT):
            batch.keep(going)
        batch.step()
    return [row.decoded() for row in rows]


class DecodedRow:
    """What one row has said so far; a row that is over hears nothing more."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.over = self.finished = False
        self.seconds = self.first_s = self.last_s = 0.0

    def append(
        self, token: int, at: float, share: float, longest: int, ends: Collection[int]
    ) -> None:
        """Take a token that came `at` seconds after the start."""
        self.seconds += share
        if self.over:
            return
        self.first_s, self.last_s = self.first_s or at, at
        self.finished = token in ends
        if not self.finished:
            self.ids.append(token)
        self.over = self.finished or len(self.ids) >= longest

    def decoded(self) -> Decoded:
        """As it is now."""
        return Decoded(self.ids, self.finished, self.seconds, self.first_s, self.last_s)


class Batch:
    """Prompts in the model's cache, and the next token of each that goes on: (B,).

    `rows` names each by what `pick` knows it as: its place in `prompts` unless `names` says
    otherwise, which is what batches that are joined need.
    """

    def __init__(
        self,
        model: Any,
        prompts: Sequence[list[int]],
        max_new_tokens: int,
        pick: Pick,
        names: Sequence[int] | None = None,
    ) -> None:
        import torch

        self.model, self.pick = model, pick
        self.rows = list(range(len(prompts)) if names is None else names)
        longest = max(map(len, prompts)) + max_new_tokens
        shared = _shared(prompts) if _sees(model, longest) else []
        rests = [ids[len(shared) :] for ids in prompts]
        width = max(map(len, rests))
        self.seen = len(shared) + width
        self.cache = _cache(model, self.seen + max_new_tokens)
        mask = [
            [1] * len(shared) + [0] * (width - len(rest)) + [1] * (len(rest) + max_new_tokens)
            for rest in rests
        ]
        self.mask = torch.tensor(mask, device=model.device)
        if shared:
            self._read(torch.tensor([shared], device=model.device), None, None)
            for layer in self.cache.layers:
                layer.batch_select_indices([0] * len(prompts))
        filler = prompts[0][0]  # masked: any token will do
        ids = [[filler] * (width - len(rest)) + rest for rest in rests]
        logits = self._read(
            torch.tensor(ids, device=model.device),
            self.mask[:, : self.seen],
            (self.mask[:, : self.seen].cumsum(-1) - 1).clamp(min=0)[:, len(shared) :],
        )
        self.tokens = pick(logits, self.rows)
        self.position = self.mask[:, : self.seen].sum(-1, keepdim=True)

    def keep(self, places: list[int]) -> None:
        """Let all rows but these go."""
        self.rows = [self.rows[place] for place in places]
        self.mask, self.position = self.mask[places], self.position[places]
        self.tokens = self.tokens[places]
        for layer in self.cache.layers:
            layer.batch_select_indices(places)

    def join(self, other: "Batch") -> None:
        """Take over the rows of another batch of the same model, which is of no use afterwards.

        The shorter past moves to the right end of the longer one; what is free before it is masked.
        """
        import torch

        seen = max(self.seen, other.seen)
        room = seen + max(one.mask.shape[1] - one.seen for one in (self, other))
        self.mask = torch.cat([one._moved_mask(seen, room) for one in (self, other)])
        for layer, joining in zip(self.cache.layers, other.cache.layers, strict=True):
            layer.join(joining, seen, room)
        self.position = torch.cat([self.position, other.position])
        self.tokens = torch.cat([self.tokens, other.tokens])
        self.rows += other.rows
        self.seen = seen

    def trim(self, least: int = 1) -> None:
        """Forget the places before all states, where they are at least so many."""
        unused = int((self.mask[:, : self.seen].sum(0) == 0).cumprod(0).sum())
        if unused < least:
            return
        self.mask = self.mask[:, unused:]
        self.seen -= unused
        for layer in self.cache.layers:
            layer.trim(unused)

    def _moved_mask(self, seen: int, room: int) -> Any:
        """The mask with the past moved to end at `seen`: (B, room)."""
        mask = self.mask.new_ones(len(self.rows), room)
        mask[:, : seen - self.seen] = 0
        mask[:, seen - self.seen : seen] = self.mask[:, : self.seen]
        return mask

    def step(self) -> None:
        """Say the next token of each row."""
        self.seen += 1
        logits = self._read(self.tokens[:, None], self.mask[:, : self.seen], self.position)
        self.tokens = self.pick(logits, self.rows)
        self.position = self.position + 1

    def _read(self, ids: Any, mask: Any, position: Any) -> Any:
        """Logits of the token that follows, (B, V)."""
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=position,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1]


def _sees(model: Any, tokens: int) -> bool:
    """Whether a token sees all of so many before it.

    A sliding window counts places, so it must not have a gap of filler between prompt and prompt.
    """
    window = getattr(model.config.get_text_config(decoder=True), "sliding_window", None)
    return not window or tokens <= window


def _shared(prompts: Sequence[list[int]]) -> list[int]:
    """What all prompts begin with, a token of each left over; nothing where that is too short."""
    if len(prompts) < 2:
        return []
    first, last = min(prompts), max(prompts)  # what these two share, all between them share
    most = min(map(len, prompts)) - 1
    alike = (a == b for a, b in zip(first[:most], last[:most], strict=True))
    shared = first[: sum(takewhile(bool, alike))]
    return shared if len(shared) >= LEAST_SHARED else []


class RoomyLayer:
    """Keys and values of a layer: the used part of a larger piece of memory.

    What it overrides belongs to transformers' DynamicLayer, which copies all of the past at each
    new token.
    """

    room: int  # places for the past and all that will follow
    is_initialized: bool
    keys: Any
    values: Any
    get_seq_length: Callable[[], int]
    lazy_initialization: Callable[[Any, Any], None]
    _space: list[Any]

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> Any:
        """Append the states of new tokens: all keys and all values, (B, heads, seen, size)."""
        seen = self.get_seq_length()
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._space = [_space(state, self.room) for state in (key_states, value_states)]
        now = seen + key_states.shape[-2]
        for space, state in zip(self._space, (key_states, value_states), strict=True):
            space[:, :, seen:now] = state
        self.keys, self.values = (space[:, :, :now] for space in self._space)
        return self.keys, self.values

    def batch_select_indices(self, indices: Any) -> None:
        """Keep these rows, in this order."""
        self._keep([self.keys[indices], self.values[indices]], self.room)

    def trim(self, unused: int) -> None:
        """Forget the first places."""
        self._keep([self.keys[:, :, unused:], self.values[:, :, unused:]], self.room - unused)

    def join(self, other: "RoomyLayer", seen: int, room: int) -> None:
        """Take the rows of another layer; the states end together at `seen`."""
        both = zip((self.keys, self.values), (other.keys, other.values), strict=True)
        self._keep([_end_together(pair, seen) for pair in both], room)

    def _keep(self, states: list[Any], room: int) -> None:
        self.room = room
        self._space = [_space(each, room) for each in states]
        seen = states[0].shape[2]
        self.keys, self.values = (space[:, :, :seen] for space in self._space)


def _cache(model: Any, room: int) -> Any:
    """A cache whose layers have room for every token from the start."""
    from transformers.cache_utils import Cache, DynamicLayer

    kind: Any = type("Roomy", (RoomyLayer, DynamicLayer), {"room": room})
    layers = model.config.get_text_config(decoder=True).num_hidden_layers
    return Cache(layers=[kind() for _ in range(layers)])


def _end_together(states: Sequence[Any], seen: int) -> Any:
    """Pasts of different length in one, zeros before the shorter: (B, heads, seen, size).

    Zeros, since what stands there is masked by a weight of 0 and must not be infinite.
    """
    import torch

    rows = sum(len(each) for each in states)
    whole = torch.zeros(
        rows, states[0].shape[1], seen, states[0].shape[3],
        dtype=states[0].dtype, device=states[0].device,
    )  # fmt: skip
    first = 0
    for each in states:
        whole[first : first + len(each), :, seen - each.shape[2] :] = each
        first += len(each)
    return whole


def _space(states: Any, room: int) -> Any:
    """Memory for `room` tokens that begins with `states`: (B, heads, room, size of a head)."""
    rows, heads, seen, size = states.shape
    space = states.new_empty(rows, heads, room, size)
    space[:, :, :seen] = states
    return space
