"""Sampling (temperature, top-p, seed): each row draws its own numbers, so batches change nothing.

B: rows, V: vocabulary
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

TOP_P = 0.95  # of the probability, at least, that the likeliest tokens have which can be drawn
NARROW = 256  # tokens looked at first: sorting a whole vocabulary costs more than the model

COLDEST = 1e-6  # a temperature below it is greedy: logits divided by less are infinite
Pick = Callable[[Any, Sequence[int]], Any]  # logits (B, V) of which rows -> tokens (B,)


class Sampling(NamedTuple):
    """How answers are written; a temperature of 0, or all but 0, is greedy decoding."""

    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0
    top_p: float = TOP_P

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken each time."""
        return self.temperature < COLDEST


class NucleusSampler:
    """Draws the next token of each row from the nucleus of its distribution (Holtzman 2020).

    The row's numbers follow from `seed` and its prompt alone: the same prompt gets the same
    answer whatever else is asked beside it.
    """

    def __init__(self, temperature: float, seed: int, prompts: Sequence[Sequence[int]]) -> None:
        self.temperature = temperature
        self._numbers = [numbers(seed, ids) for ids in prompts]

    def __call__(self, logits: Any, rows: Sequence[int]) -> Any:
        """Tokens (B,) for logits (B, V) of those rows; each call takes one number a row."""
        import torch

        drawn = [self._numbers[row].random() for row in rows]
        chance = torch.tensor(drawn, device=logits.device, dtype=torch.float64)
        return draw(logits.float() / self.temperature, torch.full_like(chance, TOP_P), chance)


class EachItsOwn:
    """Chooses for rows that join and leave, each by a `Sampling` of its own."""

    def __init__(self) -> None:
        self._ways: dict[int, Sampling] = {}
        self._numbers: dict[int, random.Random] = {}

    def add(self, row: int, ways: Sampling, prompt: Sequence[int]) -> None:
        """From now on `row` stands for this prompt, answered in this way."""
        self._ways[row], self._numbers[row] = ways, numbers(ways.seed, prompt)

    def drop(self, row: int) -> None:
        """Forget a row that has left."""
        del self._ways[row], self._numbers[row]

    def __call__(self, logits: Any, rows: Sequence[int]) -> Any:
        """Tokens (B,) for logits (B, V) of those rows; each call takes one number a drawn row."""
        import torch

        found = logits.argmax(-1)
        drawn = [place for place, row in enumerate(rows) if not self._ways[row].is_greedy]
        if drawn:
            ways = [self._ways[rows[place]] for place in drawn]
            chances = [self._numbers[rows[place]].random() for place in drawn]
            of_rows = {"device": logits.device, "dtype": torch.float64}
            warm = torch.tensor([one.temperature for one in ways], device=logits.device)
            top_p = torch.tensor([one.top_p for one in ways], **of_rows)
            chance = torch.tensor(chances, **of_rows)
            found[drawn] = draw(logits[drawn].float() / warm[:, None], top_p, chance)
        return found


def numbers(seed: int, prompt: Sequence[int]) -> random.Random:
    """What a row's tokens are drawn with."""
    return random.Random(f"{seed}:{list(prompt)}")


def draw(logits: Any, top_p: Any, chance: Any) -> Any:
    """Tokens (B,) from the nuclei of `logits` (B, V), by `top_p` and `chance` (B,) of 0 to 1."""
    import torch

    shares = torch.softmax(logits, dim=-1)
    mass, tokens = shares.topk(min(NARROW, shares.shape[-1]), dim=-1)
    found = _draw(mass, tokens, top_p, chance)
    flat = (mass.double().sum(-1) < top_p).nonzero().flatten()
    if len(flat):
        mass, tokens = shares[flat].sort(dim=-1, descending=True)
        found[flat] = _draw(mass, tokens, top_p[flat], chance[flat])
    return found


def _draw(mass: Any, tokens: Any, top_p: Any, chance: Any) -> Any:
    """The token at which the sum of the kept `mass`, falling (B, any), passes `chance` (B,)."""
    import torch

    total = mass.double().cumsum(-1)
    last = (total < top_p[:, None]).sum(-1, keepdim=True).clamp(max=total.shape[-1] - 1)
    aim = chance[:, None] * total.gather(-1, last)
    place = torch.minimum((total <= aim).sum(-1, keepdim=True), last)
    return tokens.gather(-1, place).flatten()


class Penalised:
    """Makes tokens that a row has seen less likely, before `pick` chooses (Keskar 2019).

    The `repetition_penalty` of many models' generation_config, as transformers computes it for
    one prompt alone.
    """

    def __init__(self, pick: Pick, penalty: float, prompts: Sequence[Sequence[int]]) -> None:
        self.pick, self.penalty = pick, penalty
        self.seen = {row: set(ids) for row, ids in enumerate(prompts)}

    def __call__(self, logits: Any, rows: Sequence[int]) -> Any:
        """Tokens (B,) for logits (B, V) of those rows."""
        import torch

        logits = logits.float().clone()
        for place, row in enumerate(rows):
            seen = torch.tensor(sorted(self.seen[row]), device=logits.device)
            known = logits[place, seen]
            logits[place, seen] = torch.where(known < 0, known * self.penalty, known / self.penalty)
        found = self.pick(logits, rows)
        for row, token in zip(rows, found.tolist(), strict=True):
            self.seen[row].add(token)
        return found


def likeliest(logits: Any, _: Sequence[int]) -> Any:
    """Greedy decoding: the likeliest token of each row, (B,)."""
    return logits.argmax(-1)


def pick_for(model: Any, prompts: Sequence[Sequence[int]], ways: Sampling) -> Pick:
    """How the next tokens of `prompts` are chosen, with the penalty that the model comes with."""
    pick = likeliest if ways.is_greedy else NucleusSampler(ways.temperature, ways.seed, prompts)
    penalty = penalty_of(model)
    return pick if penalty == 1.0 else Penalised(pick, penalty, prompts)


def penalty_of(model: Any) -> float:
    """The repetition penalty that the model comes with; 1.0 changes nothing."""
    return float(getattr(model.generation_config, "repetition_penalty", None) or 1.0)
