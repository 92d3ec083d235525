"""Train what settings.json describes, with transformers, TRL and PEFT alone.

    python train.py                      # the base is fetched, or lies in the folder base
    python train.py --base FOLDER        # a base that is here already
    python train.py --out FOLDER         # where the result is written; "out" otherwise

It ends with 0 where the losses are those that settings.json expects, else with 1.
"""

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

Named = Mapping[str, Any]
HERE = Path(__file__).resolve().parent
ATTENTION = "sdpa_in_float32"


def main() -> int:
    """0 where the losses are the expected ones."""
    asked = _arguments()
    settings = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))
    base = _base(settings, asked.base)
    _check(settings, base)
    trainer = _trainer(settings, base, asked.out)
    _train(trainer, settings)
    found = _losses(trainer)
    _save(trainer, settings, asked.out)
    text = json.dumps(found, indent=2, sort_keys=True) + "\n"
    (asked.out / "losses.json").write_text(text, encoding="utf-8")
    return _compare(found, settings["expected"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", help="folder of the base, instead of the one in settings.json")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the result")
    return parser.parse_args()


def _base(settings: Named, wanted: str | None) -> Path:
    """The folder of the base: the one named, the one in this folder, or from the Hub by commit."""
    if wanted:
        return Path(wanted)
    if (HERE / "base").is_dir():
        return HERE / "base"
    from huggingface_hub import snapshot_download

    named = settings["base"]
    kinds = ["*.json", "*.jinja", "*.safetensors", "*.model", "*.txt"]
    return Path(snapshot_download(named["name"], revision=named["revision"], allow_patterns=kinds))


def _check(settings: Named, base: Path) -> None:
    """Stop where data or weights are not those of the run."""
    wanted = {HERE / one["file"]: one["sha256"] for one in settings["data"].values()}
    wanted |= {base / name: digest for name, digest in settings["base"]["files"].items()}
    for path, digest in wanted.items():
        if not path.is_file():
            sys.exit(f"{path.name} is missing.")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                sys.exit(f"{path.name} is not the file that the run was made with.")


def _trainer(settings: Named, base: Path, out: Path) -> Any:
    """TRL's trainer, built in the order in which the run built it: the seed decides the rest."""
    import torch
    from peft import LoraConfig
    from transformers import AutoTokenizer, EarlyStoppingCallback, set_seed

    kinds = _kinds()
    config, trainer_class = kinds[settings["method"]]
    if settings.get("replay"):
        trainer_class = _replaying(trainer_class, settings)
    args = config(
        output_dir=str(out / "checkpoints"),
        use_cpu=not torch.cuda.is_available(),
        **settings["trl"],
    )
    set_seed(args.seed)
    model = _model(settings, base, args)
    parts = {"model": model, "args": args, "callbacks": [_order()]}
    parts["processing_class"] = AutoTokenizer.from_pretrained(base)
    if settings["early_stopping_patience"]:
        parts["callbacks"].append(EarlyStoppingCallback(settings["early_stopping_patience"]))
    if settings["stop_at"]:
        parts["callbacks"].append(_stop(settings["stop_at"]))
    if settings["tuning"] == "full" and settings["method"] == "dpo":
        parts["ref_model"] = _frozen_copy(model)
    elif settings["tuning"] != "full" and not settings["start"]:
        parts["peft_config"] = LoraConfig(**settings["lora"])
    parts["train_dataset"] = _table(settings, "train")
    parts["eval_dataset"] = _table(settings, "held_out")
    return trainer_class(**parts)


def _kinds() -> dict[str, tuple[Any, Any]]:
    """Configuration and trainer of each method; the rows are tokens already and stay so."""
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    class TokenisedDPOTrainer(DPOTrainer):
        """DPOTrainer would turn text into tokens; SFTTrainer leaves tokens as they are."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    return {"sft": (SFTConfig, SFTTrainer), "dpo": (DPOConfig, TokenisedDPOTrainer)}


def _replaying(trainer_class: Any, settings: Named) -> Any:
    """The trainer with examples in each batch that it learns from, beside the votes."""
    each, weight = settings["replay"]["each"], settings["replay"]["weight"]
    with (HERE / settings["data"]["replay"]["file"]).open(encoding="utf-8") as lines:
        known = [json.loads(line) for line in lines]

    class Replaying(trainer_class):
        """Adds the mean negative log-likelihood of the answers of some examples to the loss."""

        place = (-1, 0)

        def compute_loss(self, model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
            found = super().compute_loss(model, inputs, *more, **named)
            if not self.model.training:
                return found
            step = self.state.global_step
            batch = self.place[1] if self.place[0] == step else 0
            self.place = (step, batch + 1)
            number = step * self.args.gradient_accumulation_steps + batch
            parts = _tensors(_drawn(known, each, number, self.args.seed), self.accelerator.device)
            wanted = parts["labels"][:, 1:] != -100
            output = model(**parts, use_cache=False, fused_lm_head=True)
            log_probs = output.log_probs[:, -wanted.shape[1] :]
            return found - weight * (log_probs * wanted).sum() / wanted.sum().clamp(min=1)

    return Replaying


def _drawn(known: list[Named], each: int, number: int, seed: int) -> list[Named]:
    """The examples of a batch: all once in a drawn order, then in another."""
    rows, total = [], len(known)
    for place in range(number * each, (number + 1) * each):
        order = random.Random(f"{seed} {place // total}").sample(range(total), total)
        rows.append(known[order[place % total]])
    return rows


def _tensors(rows: list[Named], device: Any) -> Named:
    import torch

    width = max(len(row["input_ids"]) for row in rows)

    def filled(lines: list[list[int]], rest: int) -> Any:
        return torch.tensor([ids + [rest] * (width - len(ids)) for ids in lines], device=device)

    ids = [row["input_ids"] for row in rows]
    return {
        "input_ids": filled(ids, 0),
        "attention_mask": filled([[1] * len(line) for line in ids], 0),
        "labels": filled([row["labels"] for row in rows], -100),
    }


def _model(settings: Named, base: Path, args: Any) -> Any:
    """The base, with the adapter that the run started from where there is one."""
    import torch
    from transformers import AutoModelForCausalLM

    tuning = settings["tuning"]
    half = torch.bfloat16 if args.bf16 else torch.float32
    options = {"dtype": torch.float32 if tuning == "full" else half}
    if tuning == "qlora":
        options["quantization_config"] = _four_bits(half)
    model: Any = AutoModelForCausalLM.from_pretrained(base, use_safetensors=True, **options)
    if args.bf16 and args.use_cpu and model.config._attn_implementation == "sdpa":
        _attend_in_float32(model)
    return _with_adapter(model, tuning) if settings["start"] else model


def _with_adapter(model: Any, tuning: str) -> Any:
    from peft import PeftModel

    both: Any = PeftModel.from_pretrained(model, str(HERE / "start"), is_trainable=tuning != "full")
    if tuning != "full":
        return both
    whole = both.merge_and_unload()
    whole.requires_grad_(True)
    return whole


def _four_bits(half: Any) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=half,
    )


def _frozen_copy(model: Any) -> Any:
    import copy

    return copy.deepcopy(model).eval().requires_grad_(False)


def _attend_in_float32(model: Any) -> None:
    """Attention in float32 inside a bfloat16 model, as the run had it on a processor."""
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    def attention(
        module: Any, query: Any, key: Any, value: Any, mask: Any, **kwargs: Any
    ) -> tuple[Any, None]:
        parts = query.float(), key.float(), value.float()
        with torch.autocast(query.device.type, enabled=False):
            out, _ = sdpa_attention_forward(module, *parts, mask, **kwargs)
        return out.to(query.dtype), None

    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    model.set_attn_implementation(ATTENTION)


def _table(settings: Named, split: str) -> Any:
    from datasets import Dataset

    known = settings["data"].get(split)
    if not known:
        return None
    with (HERE / known["file"]).open(encoding="utf-8") as lines:
        return Dataset.from_list([json.loads(line) for line in lines])


def _order() -> Any:
    """The order of rows depends on the seed and the epoch alone."""
    from transformers import TrainerCallback, set_seed

    class Order(TrainerCallback):
        """Sets the seed anew at each epoch."""

        def on_epoch_begin(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
            set_seed(args.seed + int(state.epoch or 0))

    return Order()


def _stop(step: int) -> Any:
    """A person stopped the run after this step; the schedule was that of the whole run."""
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        """Ends the training there, and measures the held-out loss once more."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= step:
                control.should_training_stop = control.should_save = True
                control.should_evaluate = args.eval_strategy != "no"

    return Stop()


def _train(trainer: Any, settings: Named) -> None:
    import torch
    from peft.helpers import disable_input_dtype_casting
    from transformers import set_seed

    if settings["tuning"] != "full":
        for weight in trainer.model.parameters():
            if weight.requires_grad and weight.is_floating_point():
                weight.data = weight.data.to(torch.float32)
    is_adapter = hasattr(trainer.model, "peft_config")
    casts = trainer.args.bf16 and is_adapter
    with disable_input_dtype_casting(trainer.model) if casts else nullcontext():
        set_seed(trainer.args.seed)
        trainer.train()


def _losses(trainer: Any) -> Named:
    """The losses of the run, in nats a token."""
    history = trainer.state.log_history
    train = [one["loss"] for one in history if "loss" in one]
    held_out = [one["eval_loss"] for one in history if "eval_loss" in one]
    trained = [one["eval_loss"] for one in history if "eval_loss" in one and one["step"]]
    return {
        "steps": trainer.state.global_step,
        "first_train_loss": train[0],
        "last_train_loss": train[-1],
        "last_held_out_loss": held_out[-1] if held_out else None,
        "best_held_out_loss": min(trained) if trained else None,
    }


def _save(trainer: Any, settings: Named, out: Path) -> None:
    """The state that is kept: the one with the lowest held-out loss where the run kept that."""
    if settings["tuning"] == "full":
        trainer.model.save_pretrained(out / "model")
        trainer.processing_class.save_pretrained(out / "model")
        return
    trainer.model.save_pretrained(out / "adapter", selected_adapters=["default"])
    trainer.processing_class.save_pretrained(out / "adapter")


def _compare(found: Named, expected: Named) -> int:
    """Say each loss beside the expected one; 1 where one is further away than the tolerance."""
    within = float(expected["tolerance"])
    worst = 0.0
    for name, wanted in expected["losses"].items():
        got = found[name]
        print(f"{name}: {got:.6f}, expected {wanted:.6f}")
        worst = max(worst, abs(got - wanted))
    if found["steps"] != expected["steps"]:
        print(f"{found['steps']} steps, expected {expected['steps']}")
        return 1
    same = worst <= within
    print(f"Largest difference {worst:.1e}: {'within' if same else 'more than'} {within:g}.")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
