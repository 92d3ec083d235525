"""What `make loopbench` compares: losses, ways to tune, kinds of votes, how many, how noisy."""

from collections.abc import Iterator
from itertools import product
from typing import Literal, NamedTuple

Data = Literal["pairs", "ranks", "edits"]
Tuning = Literal["lora", "full"]

SFT = {"loss_weights": [1.0, 0.2]}
# name -> the job kind and its settings; the losses of pairs carry the product's little sft
LOSSES: dict[str, tuple[str, dict[str, object]]] = {
    "sigmoid": ("dpo", {"loss_type": ["sigmoid", "sft"], **SFT}),
    "robust": ("dpo", {"loss_type": ["robust", "sft"], **SFT, "trl": {"label_smoothing": 0.1}}),
    "ipo": ("dpo", {"loss_type": ["ipo", "sft"], **SFT}),
    "apo_zero": ("dpo", {"loss_type": ["apo_zero", "sft"], **SFT}),
    "nca_pair": ("dpo", {"loss_type": ["nca_pair", "sft"], **SFT}),
    "plackett_luce": ("dpo", {"loss_type": ["plackett_luce", "sft"], **SFT}),
    "kto": ("kto", {}),
    "tpo": ("tpo", {}),
    "simpo": ("tpo", {"loss_type": "tpo-l", "beta": 2.0, "tpo_alpha": 0.0}),
    "sigmoid_sft_1": ("dpo", {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 1.0]}),
}
OF_PAIRS = ("sigmoid", "robust", "ipo", "apo_zero", "nca_pair", "kto", "tpo", "simpo")
OF_RANKS = (*OF_PAIRS, "plackett_luce")
OF_EDITS = ("sigmoid", "sigmoid_sft_1", "tpo", "simpo")
VOTES = (50, 100, 200)
NOISE = (0.0, 0.1, 0.2)
COIN = 0.5  # raters who toss a coin: nothing may be shown
SEEDS = range(5)
TUNINGS: tuple[Tuning, ...] = ("lora", "full")
# learning rates tried for each loss on seeds of their own, at 100 votes and noise .1
RATES: dict[Tuning, tuple[float, ...]] = {"lora": (1e-3, 2e-3, 4e-3), "full": (2e-4, 5e-4, 1e-3)}
TRIED = range(100, 102)


class Cell(NamedTuple):
    """One training and the blind rounds after it; `rate` where one is tried."""

    loss: str
    tuning: Tuning
    data: Data
    votes: int
    noise: float
    seed: int
    rate: float | None = None

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return " ".join(map(str, self))


def trials(thin: bool) -> list[Cell]:
    """Trainings that choose the learning rate of a loss; of rankings where it knows only those."""
    found = []
    for seed, loss in product(TRIED[:1] if thin else TRIED, LOSSES):
        data: Data = "edits" if loss not in OF_RANKS else "pairs"
        data = "ranks" if loss not in OF_PAIRS and loss in OF_RANKS else data
        for tuning in TUNINGS[:1] if thin or data == "edits" else TUNINGS:
            rates = RATES[tuning]
            found += [Cell(loss, tuning, data, 100, 0.1, seed, rate) for rate in rates]
    return found


def cells(thin: bool) -> list[Cell]:
    """Seed by seed, so that a run that is cut short has some of everything."""
    return list(dict.fromkeys(_thin() if thin else _whole()))


def _whole() -> Iterator[Cell]:
    for seed in SEEDS:
        for votes, noise, tuning in product(VOTES, NOISE, TUNINGS):
            yield from (Cell(loss, tuning, "pairs", votes, noise, seed) for loss in OF_PAIRS)
            yield from (Cell(loss, tuning, "ranks", votes, noise, seed) for loss in OF_RANKS)
        for votes in VOTES:
            yield from (Cell(loss, "lora", "edits", votes, 0.1, seed) for loss in OF_EDITS)
            yield Cell("sigmoid", "lora", "pairs", votes, COIN, seed)


def _thin() -> Iterator[Cell]:
    """LoRA, noise .1: five seeds where two ways are compared, then each loss on both sizes."""
    for seed in SEEDS:
        for loss in ("sigmoid", "plackett_luce"):
            yield Cell(loss, "lora", "ranks", 100, 0.1, seed)
        yield from (Cell(loss, "lora", "edits", 100, 0.1, seed) for loss in OF_EDITS[:3])
        yield Cell("sigmoid", "lora", "pairs", 100, COIN, seed)
    for votes, seed in product(VOTES[1:], SEEDS[:3]):
        yield from (Cell(loss, "lora", "pairs", votes, 0.1, seed) for loss in OF_PAIRS)
    for votes, seed in product(VOTES[1:], SEEDS[:3]):
        yield from (Cell(loss, "lora", "ranks", votes, 0.1, seed) for loss in OF_RANKS)
