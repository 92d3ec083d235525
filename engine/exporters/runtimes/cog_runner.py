"""The model in the folder `model`, as Cog and Replicate serve it: see cog.yaml beside this file."""

import json
from pathlib import Path
from typing import Any

from cog import BaseRunner, Input

MODEL = Path(__file__).resolve().parent / "model"


class Runner(BaseRunner):
    """Answers a question, or goes on with a conversation."""

    def setup(self) -> None:
        """Load the model once."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = AutoTokenizer.from_pretrained(MODEL, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            MODEL, dtype="auto", use_safetensors=True, local_files_only=True
        )
        self.model = model.to(self.device).eval()
        ends = self.model.generation_config.eos_token_id
        self.ends = set(ends if isinstance(ends, list) else [ends])

    def run(
        self,
        prompt: str = Input(description="The question", default=""),
        messages: str = Input(
            description="Instead of a question, a conversation: a JSON list of objects with role "
            "and content",
            default="",
        ),
        max_new_tokens: int = Input(
            description="Longest answer, in tokens", default=256, ge=1, le=4096
        ),
        temperature: float = Input(
            description="0 for the likeliest answer", default=0.0, ge=0.0, le=5.0
        ),
        top_p: float = Input(
            description="Share of the likeliest tokens that is drawn from",
            default=1.0,
            ge=0.01,
            le=1.0,
        ),
        seed: int = Input(description="The same seed draws the same answer", default=0, ge=0),
        explain: bool = Input(
            description="Also report the prompt as the model reads it, in the metrics",
            default=False,
        ),
    ) -> str:
        """The answer; `finished` in the metrics says whether the model ended it itself."""
        import torch

        turns = json.loads(messages) if messages else [{"role": "user", "content": prompt}]
        text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        ids = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        draws: Any = {"do_sample": temperature > 0}
        draws |= dict.fromkeys(("temperature", "top_p", "top_k"))
        if temperature > 0:
            torch.manual_seed(seed)
            draws |= {"temperature": temperature, "top_p": top_p}
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids.to(self.device),
                attention_mask=torch.ones_like(ids).to(self.device),
                max_new_tokens=max_new_tokens,
                pad_token_id=self.tokenizer.pad_token_id,
                **draws,
            )
        new = out[0][ids.shape[1] :].tolist()
        room = int(self.model.config.get_text_config().max_position_embeddings)
        self.record_metric("finished", bool(new) and new[-1] in self.ends)
        self.record_metric("prompt_tokens", ids.shape[1])
        self.record_metric("answer_tokens", len(new))
        self.record_metric("truncated", ids.shape[1] + max_new_tokens > room)
        if explain:
            self.record_metric("prompt_text", text)
            self.record_metric("prompt_ids", ids[0].tolist())
        return str(self.tokenizer.decode(new, skip_special_tokens=True))
