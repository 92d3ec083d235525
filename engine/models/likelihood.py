"""How unlikely a model finds an answer: the sum over its tokens, in nats.

B: rows of the batch, A: tokens of the longest answer, V: vocabulary
"""

from collections.abc import Sequence
from typing import Any


def nats(model: Any, rows: Sequence[tuple[list[int], list[int]]]) -> list[float]:
    """The negative log-likelihood of each answer after its prompt, in order.

    Answers end at the right edge, so that only their places get a row of V logits.
    """
    import torch

    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    longest = max(len(answer) for _, answer in rows)
    filler = rows[0][0][0]  # masked: any token will do
    ids = [[filler] * (width - len(p) - len(a)) + p + a for p, a in rows]
    mask = [[0] * (width - len(p) - len(a)) + [1] * (len(p) + len(a)) for p, a in rows]
    ids_BT = torch.tensor(ids, device=model.device)
    mask_BT = torch.tensor(mask, device=model.device)
    logits_BAV = model(
        input_ids=ids_BT,
        attention_mask=mask_BT,
        position_ids=(mask_BT.cumsum(-1) - 1).clamp(min=0),
        use_cache=False,
        logits_to_keep=longest + 1,
    ).logits[:, :-1]
    each_BA = torch.nn.functional.cross_entropy(
        logits_BAV.float().transpose(1, 2), ids_BT[:, -longest:], reduction="none"
    )
    return [float(row[longest - len(a) :].sum()) for row, (_, a) in zip(each_BA, rows, strict=True)]
