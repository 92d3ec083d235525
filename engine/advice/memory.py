"""The memory of a training before it starts, part by part.

Parts that arithmetic gives (weights, gradients, optimiser) are exact. Two are measured: what the
libraries take, and how much more than the saved tensors a step holds (`SLACK`); tests/advice holds
the runs that they were taken from.
"""

from typing import NamedTuple

from engine.advice.size import Size, lora_weights
from engine.core.recipe import LORA_RANK, Tuning

MB = 2**20
LIBRARIES = 600 * MB  # torch, transformers, TRL and PEFT once they have loaded
CUDA = 500 * MB  # a CUDA context
SLACK = 1.6  # peak over the tensors that a step keeps: buffers of operations, gaps between lengths
# answer tokens scored at once where the base is frozen: more is no faster, and 128 rows of 50,000
# words take 25 MB already
HEAD_ROWS = 128
HEAD_TILE = 4096  # tokens and words scored at once where it is not
FOUR_BITS = 0.53  # bytes a weight in NF4, its scales quantized too
ADAM = 8  # bytes a trained weight: two moments in float32
ROWS_PER_ROW = {"dpo": 2, "tpo": 3, "reward": 2}  # rows of the model that one row of the data makes
ONLINE = frozenset({"rloo", "grpo"})  # methods that write answers while they learn
ALL_SCORES = ONLINE | {"tpo"}  # methods whose trainers hold the scores of all tokens


class TrainingPlan(NamedTuple):
    """What a training does, as memory and time see it; `length` is that of the longest batch.

    A batch is a multiple of `group`.
    """

    method: str
    tuning: Tuning
    batch: int
    length: int
    rank: int = LORA_RANK
    bits16: bool = True
    checkpointing: bool = False
    from_adapter: bool = False
    gpu: bool = False
    group: int = 1
    replayed: int = 0  # tokens of the examples that each batch learns beside votes

    @property
    def rows(self) -> int:
        """Rows in one pass of the model."""
        return self.batch * ROWS_PER_ROW.get(self.method, 1)

    @property
    def tokens(self) -> int:
        """Tokens in one pass of the model."""
        return self.rows * self.length + self.replayed


def parts(size: Size, plan: TrainingPlan) -> dict[str, int]:
    """Bytes by part, those that nothing needs left out; their sum is the peak."""
    trained = size.parameters if plan.tuning == "full" else lora_weights(size, plan.rank)
    found = {
        "libraries": CUDA if plan.gpu else LIBRARIES,
        "weights": _weights(size, plan),
        "adapter": 4 * trained if plan.tuning != "full" else 0,
        "reference": _reference(size, plan, trained),
        "gradients": 4 * trained,
        "optimiser": ADAM * trained,
        "activations": _activations(size, plan),
        "vocabulary": _head(size, plan),
        "answers": _answers(size, plan),
    }
    return {name: int(taken) for name, taken in found.items() if taken}


def _weights(size: Size, plan: TrainingPlan) -> float:
    bytes_per_number = 2 if plan.bits16 else 4
    if plan.tuning == "full":
        # 16-bit copies are made for each step, as autocast does
        return (4 + 2 * plan.bits16) * size.parameters
    if plan.tuning == "lora":
        return bytes_per_number * size.parameters
    linear = max(0, size.parameters - size.embedding)
    return FOUR_BITS * linear + bytes_per_number * (size.parameters - linear)


def _reference(size: Size, plan: TrainingPlan, trained: int) -> float:
    """DPO and KTO compare with the start: a base is there anyway, an adapter needs its copy."""
    if plan.method not in ("dpo", "kto"):
        return 0
    if plan.tuning == "full":
        return 4 * size.parameters
    return 4 * trained if plan.from_adapter else 0


def _activations(size: Size, plan: TrainingPlan) -> float:
    """What a step keeps for its way back; with checkpointing the inputs of the layers alone."""
    layer = plan.tokens * _layer(size, plan)
    if not plan.checkpointing:
        return SLACK * size.layers * layer
    kept = plan.tokens * 4 * size.width * size.layers
    return SLACK * (kept + 2 * layer)


def _layer(size: Size, plan: TrainingPlan) -> float:
    """Bytes that a layer of a Llama keeps for each token.

    Two norms, the inputs of the linear layers, queries, keys, values and the answer of attention
    (in float32 on a processor), and four tensors of the MLP's inner width.
    """
    if not plan.bits16:
        return 32 * size.width + 16 * size.inner
    attention = 8 if plan.gpu else 16
    return (14 + attention) * size.width + 8 * size.inner


def _head(size: Size, plan: TrainingPlan) -> float:
    """Scores over all words; few methods hold them for all tokens."""
    if plan.method == "reward":
        return 0
    if plan.method in ALL_SCORES:
        return 3.0 * 4 * plan.tokens * size.vocab
    slope = 4 * plan.tokens * size.width
    if plan.tuning == "full" or plan.gpu:
        tile = min(plan.tokens, HEAD_TILE) * min(size.vocab, HEAD_TILE)
        return 3 * 4 * tile + slope
    return 3 * 4 * HEAD_ROWS * size.vocab + slope


def _answers(size: Size, plan: TrainingPlan) -> float:
    """Keys and values of the answers being written."""
    if plan.method not in ONLINE:
        return 0
    bytes_per_number = 2 if plan.bits16 else 4
    return 2 * size.layers * size.narrow * bytes_per_number * plan.tokens
