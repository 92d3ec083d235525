"""Continuous batching: prompts join a batch that is being answered, and finished rows leave it.

One model at a time. An answer does not depend on who else is in the batch, up to a rounding error
that tips two equally likely tokens (checked by a test).
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from engine.models.batched_decoding import Batch
from engine.models.sampling import EachItsOwn, Penalised, Sampling, penalty_of

TRIM_AT = 64  # unused places before all pasts: moving the past for fewer costs more than it saves


class NewToken(NamedTuple):
    """A token of the row `row`; `ends` where the model says with it that the answer is over."""

    row: int
    token: int
    ends: bool


class RunningBatch:
    """The rows that a model answers at the moment, each by a `Sampling` of its own."""

    def __init__(self, model: Any, ends: Collection[int]) -> None:
        self._model, self._ends = model, ends
        self._own = EachItsOwn()
        penalty = penalty_of(model)
        self._penalised = None if penalty == 1.0 else Penalised(self._own, penalty, [])
        self._batch: Batch | None = None
        self._left: dict[int, int] = {}  # row -> tokens that it may still say

    def __len__(self) -> int:
        return len(self._left)

    @property
    def width(self) -> int:
        """Places of the longest row once it is over: what a row of the batch takes of memory."""
        return int(self._batch.mask.shape[1]) if self._batch else 0

    def add(self, asked: dict[int, tuple[list[int], Sampling]]) -> list[NewToken]:
        """Read the prompts of new rows, named by numbers never used before; their first tokens."""
        for row, (prompt, ways) in asked.items():
            self._own.add(row, ways, prompt)
            self._left[row] = ways.max_new_tokens
            if self._penalised:
                self._penalised.seen[row] = set(prompt)
        pick = self._penalised or self._own
        longest = max(ways.max_new_tokens for _, ways in asked.values())
        prompts = [prompt for prompt, _ in asked.values()]
        new = Batch(self._model, prompts, longest, pick, list(asked))
        tokens = self._new_tokens(new)
        self._leave(new, [one.row for one in tokens if one.ends or not self._left[one.row]])
        if not new.rows:
            return tokens
        if self._batch is None:
            self._batch = new
        else:
            self._batch.join(new)
        return tokens

    def step(self) -> list[NewToken]:
        """The next token of every row; rows that are over have left."""
        if self._batch is None:
            return []
        self._batch.step()
        tokens = self._new_tokens(self._batch)
        self.drop([one.row for one in tokens if one.ends or not self._left[one.row]])
        return tokens

    def drop(self, rows: Collection[int]) -> None:
        """Let rows leave; those that are not in the batch are passed over."""
        if self._batch is None or not rows:
            return
        self._leave(self._batch, [row for row in rows if row in self._left])
        if not self._batch.rows:
            self._batch = None
            return
        self._batch.trim(TRIM_AT)

    def _new_tokens(self, batch: Batch) -> list[NewToken]:
        tokens: list[int] = batch.tokens.tolist()
        for row in batch.rows:
            self._left[row] -= 1
        return [
            NewToken(row, token, token in self._ends)
            for row, token in zip(batch.rows, tokens, strict=True)
        ]

    def _leave(self, batch: Batch, rows: Sequence[int]) -> None:
        gone = set(rows)
        if not gone:
            return
        staying = [place for place, row in enumerate(batch.rows) if row not in gone]
        if staying:
            batch.keep(staying)
        else:
            batch.rows = []
        for row in gone:
            self._own.drop(row)
            del self._left[row]
            if self._penalised:
                del self._penalised.seen[row]
