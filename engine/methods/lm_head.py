"""The last layer of a training step: the vocabulary is scored only where there is loss.

TRL scores every position when there is no Triton, and again backwards, which is half of a small
model's step on a processor. Here the gradient is made on the way forward: for the log-probability
of a row it is  weight[label] - probabilities @ weight,  so nothing is computed twice and no logits
are kept.
"""

from collections.abc import Callable
from types import MethodType
from typing import Any

from engine.advice.memory import HEAD_ROWS

ROWS = HEAD_ROWS  # scored at once: the estimate of a training's memory counts with the same number

# settings of models that change their logits; those keep TRL's head
_CHANGED = (
    "final_logit_softcapping",
    "logit_scale",
    "output_multiplier",
    "lm_head_multiplier",
    "logits_scaling",
    "output_router_logits",
)


def score_answers_only(model: Any) -> None:
    """Let the forward that TRL gave `model` score only labels that are not -100, on a processor."""
    head, config = model.get_output_embeddings(), model.config.get_text_config().to_dict()
    plain = head.bias is None and not head.weight.requires_grad
    if head.weight.device.type != "cpu" or not plain or any(map(config.get, _CHANGED)):
        return
    theirs, score = model.forward, _scorer()

    def forward(
        self: Any, *args: Any, fused_lm_head: bool = False, labels: Any = None, **kwargs: Any
    ) -> Any:
        if not fused_lm_head:
            return theirs(*args, labels=labels, **kwargs)
        hidden = self.base_model(*args, **kwargs).last_hidden_state
        return _output(score, hidden[:, :-1], labels[:, 1:], self.get_output_embeddings().weight)

    model.forward = MethodType(forward, model)


def _output(score: Callable[..., Any], hidden: Any, labels: Any, weight: Any) -> Any:
    """TRL's output, zero where there is no loss."""
    import torch
    from trl.trainer.utils import FusedCausalLMOutput

    mask = labels != -100
    found = score(hidden[mask], weight, labels[mask])
    log_probs, entropy, mean_logits, is_top1 = (
        torch.zeros(mask.shape, dtype=part.dtype).masked_scatter(mask, part) for part in found
    )
    return FusedCausalLMOutput(
        loss=-log_probs.sum() / mask.sum().clamp(min=1),
        log_probs=log_probs,
        entropy=entropy,
        mean_logits=mean_logits,
        is_top1=is_top1,
        label_mask=mask,
    )


def _scorer() -> Callable[..., Any]:
    """(hidden, weight, labels) to each row's log-probability, entropy, mean logit and hit."""
    import torch

    class Score(torch.autograd.Function):
        """Only the log-probabilities have a gradient, and only the hidden rows get one."""

        @staticmethod
        def forward(ctx: Any, hidden: Any, weight: Any, labels: Any) -> Any:
            wanted = ctx.needs_input_grad[0]
            kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
            weight = weight.to(kind) if kind else weight
            pairs = zip(hidden.to(weight.dtype).split(ROWS), labels.split(ROWS), strict=True)
            chunks = [_score(rows, weight, words, wanted) for rows, words in pairs]
            *found, slope = map(torch.cat, zip(*chunks, strict=True))
            ctx.save_for_backward(slope)
            ctx.kind = hidden.dtype
            ctx.mark_non_differentiable(*found[1:])
            return tuple(found)

        @staticmethod
        def backward(ctx: Any, grad: Any, *_: Any) -> Any:
            (slope,) = ctx.saved_tensors
            return (grad.unsqueeze(1) * slope).to(ctx.kind), None, None

    return Score.apply


def _score(hidden: Any, weight: Any, labels: Any, wanted: bool) -> tuple[Any, ...]:
    """The four numbers of each row and, if wanted, the gradient of the first; float32 in the end.

    With p for the probabilities and z for the logits, the entropy is log(sum exp z) - sum p z.
    """
    import torch

    logits = (hidden @ weight.T).float()
    at_label = logits.gather(1, labels.unsqueeze(1)).squeeze(1)
    is_top1 = logits.argmax(1) == labels
    mean = logits.mean(1)
    total = logits.logsumexp(1)
    p = torch.softmax(logits, 1)
    entropy = total - torch.linalg.vecdot(p, logits)
    slope = hidden.new_zeros(len(hidden), 0)
    if wanted:
        slope = weight[labels].float() - (p.to(weight.dtype) @ weight).float()
    return at_label - total, entropy, mean, is_top1, slope
