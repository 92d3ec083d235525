"""A reward model at work: a score for every answer, on the tokens that it was trained on."""

from collections.abc import Sequence
from typing import Any

from engine.core.errors import UserError
from engine.core.examples import Chat, Message
from engine.core.job_context import ModelFiles
from engine.models.chat_template import Template

BATCH_ROWS = 16


class RewardModel:
    """A reward model, ready to judge; scores have no fixed range, higher is better."""

    def __init__(self, files: ModelFiles) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        if files.model.kind != "reward":
            raise UserError(
                f"{files.model.name} is not a reward model.",
                "Train one on preference pairs (method reward), or name a rule.",
            )
        self._template = Template.load(files.base)
        tokenizer: Any = AutoTokenizer.from_pretrained(files.base, local_files_only=True)
        token = tokenizer.pad_token_id
        self._pad: int = tokenizer.eos_token_id if token is None else token  # as in the training
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        model: Any = AutoModelForSequenceClassification.from_pretrained(
            files.base,
            num_labels=1,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
        )
        model.config.get_text_config().pad_token_id = self._pad
        if files.adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(files.adapter))
        self._model = model.to(self._device).eval()
        self._room = int(model.config.get_text_config().max_position_embeddings)

    def scores(self, prompts: Sequence[Sequence[Message]], answers: Sequence[str]) -> list[float]:
        """The score of each answer to its prompt, in order."""
        rows = [self._ids(p, a) for p, a in zip(prompts, answers, strict=True)]
        parts = [rows[n : n + BATCH_ROWS] for n in range(0, len(rows), BATCH_ROWS)]
        return [score for part in parts for score in self._batch(part)]

    def _ids(self, prompt: Sequence[Message], answer: str) -> list[int]:
        """Up to the token that ends the answer, as a pair's side is encoded."""
        reply = Message(role="assistant", content=answer)
        encoded = self._template.encode(Chat(messages=(*prompt, reply)), self._room)
        end = len(encoded.completion_mask)
        while end and not encoded.completion_mask[end - 1]:
            end -= 1
        return encoded.input_ids[: end or None]

    def _batch(self, rows: list[list[int]]) -> list[float]:
        import torch

        width = max(map(len, rows))
        ids = torch.tensor([row + [self._pad] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            out = self._model(
                input_ids=ids.to(self._device),
                attention_mask=mask.to(self._device),
                use_cache=False,
            )
        return [float(score) for score in out.logits[:, 0]]
