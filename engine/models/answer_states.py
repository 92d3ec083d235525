"""What a model holds in mind at the end of an answer: the last layer's state at its final token.

B: rows of the batch, T: tokens of the longest row, D: width of the model
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

State = NDArray[np.float32]


def final_states(model: Any, rows: Sequence[tuple[list[int], list[int]]]) -> State:
    """Of each prompt and answer, in tokens, the state at the answer's last one: (B, D)."""
    import torch

    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    filler = rows[0][0][0]  # masked: any token will do
    ids = [[filler] * (width - len(p) - len(a)) + p + a for p, a in rows]
    mask = [[0] * (width - len(p) - len(a)) + [1] * (len(p) + len(a)) for p, a in rows]
    ids_BT = torch.tensor(ids, device=model.device)
    mask_BT = torch.tensor(mask, device=model.device)
    states_BTD = model(
        input_ids=ids_BT,
        attention_mask=mask_BT,
        position_ids=(mask_BT.cumsum(-1) - 1).clamp(min=0),
        use_cache=False,
        output_hidden_states=True,
        logits_to_keep=1,
    ).hidden_states[-1]
    found: State = states_BTD[:, -1].float().cpu().numpy()
    return found
