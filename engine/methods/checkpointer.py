"""Writes and reads all that a training is at one step: it goes on as if it had never stopped.

Weights, optimiser, learning rates, random numbers, counters and what was measured; tensors as
safetensors and the rest as JSON, so that reading a checkpoint runs nothing.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import MethodType
from typing import Any, TypedDict, cast

from engine.core.event import SampleText
from engine.core.job_context import Cancelled, Context
from engine.methods import checkpoint
from engine.methods.checkpoint import Origin, SavedState
from engine.methods.progress import Watch, WatchState
from engine.methods.samples import SampleWriter

ADAPTER = "adapter"
WEIGHTS = "weights.safetensors"
REST = "rest"  # .safetensors and .json
WATCH = "watch.json"
TRAINER = "trainer_state.json"  # upstream's name; its trainer reads the step from it


Tensors = dict[str, Any]  # torch's tensors by name; torch itself is loaded inside functions


class RandomStates(TypedDict):
    """Where each generator of random numbers stands, in its library's own form."""

    python: tuple[Any, ...]
    numpy: tuple[Any, ...]
    cpu: Any
    cuda: list[Any]


class TrainerState(TypedDict):
    """What a trainer is beside the weights, in the form of `state_dict`; `tokens` is TRL's own."""

    optimizer: Any
    scheduler: Any
    scaler: Any
    tokens: Any
    random: RandomStates


class ReportedSoFar(TypedDict):
    """What a run reported until a checkpoint, as JSON."""

    watch: WatchState
    samples: list[tuple[int, SampleText]]


class Checkpointer:
    """Keeps the states of one run; the trainer's own saving and loading goes through it."""

    def __init__(self, ctx: Context, watch: Watch, sampler: SampleWriter, source: Origin) -> None:
        self._ctx = ctx
        self._watch = watch
        self._sampler = sampler
        self._source = source
        self._folder = ctx.folder / checkpoint.FOLDER

    def found(self) -> SavedState | None:
        """Where an earlier attempt got to; what it left unfinished is swept away."""
        checkpoint.sweep(self._folder)
        state = checkpoint.newest_verified(self._folder, self._source)
        if state is None:
            checkpoint.clear(self._folder)  # of other data or of another program
        return state

    def attach(self, trainer: Any) -> None:
        """Let `trainer` save and load its state here; its own files would be pickles."""
        checkpointer = self

        def save(self: Any, _model: Any, _trial: Any) -> None:
            checkpointer.save(self)

        def load(self: Any, path: str, _model: Any = None) -> None:
            load_weights(_model_of(self), Path(path))

        def optimizer(self: Any, path: str | None) -> None:
            if path is not None:
                _put_rest(self, _read_tree(Path(path)))

        def numbers(self: Any, path: str | None) -> None:
            # at the start of an epoch the numbers are those of the epoch (watch.callback)
            if path is not None and not float(self.state.epoch).is_integer():
                _put_random(_read_tree(Path(path))["random"])

        methods: dict[str, Callable[..., None]] = {
            "_save_checkpoint": save,
            "_load_from_checkpoint": load,
            "_load_optimizer_and_scheduler": optimizer,
            "_load_scaler": lambda _self, _path: None,  # is part of the rest
            "_load_rng_state": numbers,
        }
        for name, method in methods.items():
            setattr(trainer, name, MethodType(method, trainer))

    def save(self, trainer: Any) -> None:
        """Commit the state of now; only then may an older one go."""
        step = trainer.state.global_step

        def fill(folder: Path) -> None:
            _save_weights(_model_of(trainer), folder)
            self._ctx.cancelled()  # a sign of life between two long writes
            _write_tree(folder, _rest(trainer))
            (folder / WATCH).write_text(json.dumps(self._reported()), encoding="utf-8")
            trainer.state.save_to_json(str(folder / TRAINER))

        checkpoint.commit(self._folder, step, self._source, fill)
        checkpoint.rotate(self._folder, keep=[self._watch.best_step or step])

    def restore(self, found: SavedState) -> None:
        """Know, and say again, what was measured and answered until then."""
        self._ctx.emit("log", {"text": f"Going on from the checkpoint of step {found.step}."})
        reported: ReportedSoFar = json.loads((found.path / WATCH).read_text(encoding="utf-8"))
        self._watch.restore(reported["watch"])
        self._sampler.emit_again(reported["samples"])

    def _reported(self) -> ReportedSoFar:
        return {"watch": self._watch.state(), "samples": self._sampler.said}

    def stop_here(self) -> None:
        """Raise Cancelled when the person asked to stop, and not to keep what was reached."""
        if self._ctx.cancelled() and not self._ctx.keeping():
            raise Cancelled

    def load_best(self, trainer: Any) -> bool:
        """Go back to the state with the lowest held-out loss; False when that is not needed."""
        best = self._watch.best_step
        if best is None or best == trainer.state.global_step:
            return False
        path = checkpoint.at(self._folder, best)
        if path is None:
            raise RuntimeError(f"the checkpoint of step {best} was changed on the disk")
        load_weights(_model_of(trainer), path)
        return True


def load_weights(model: Any, path: Path) -> None:
    """Give `model` the trained weights of a checkpoint."""
    import torch
    from safetensors.torch import load_file

    if hasattr(model, "peft_config"):
        from peft import set_peft_model_state_dict

        values = load_file(path / ADAPTER / "adapter_model.safetensors")
        set_peft_model_state_dict(model, values, adapter_name="default")
        return
    values = load_file(path / WEIGHTS)
    with torch.no_grad():
        for name, weight in _trained(model).items():
            weight.copy_(values[name])


def _save_weights(model: Any, folder: Path) -> None:
    """An adapter as PEFT writes it, so that others can load it; else all that is trained."""
    from safetensors.torch import save_file

    if hasattr(model, "peft_config"):
        place = folder / ADAPTER
        model.save_pretrained(place, selected_adapters=["default"], save_embedding_layers=False)
        (place / "README.md").unlink()  # PEFT's form, with nothing filled in
        return
    save_file(
        {name: weight.detach().contiguous() for name, weight in _trained(model).items()},
        folder / WEIGHTS,
    )


def _trained(model: Any) -> Tensors:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def _model_of(trainer: Any) -> Any:
    return trainer.accelerator.unwrap_model(trainer.model)


def _rest(trainer: Any) -> TrainerState:
    scaler = trainer.accelerator.scaler
    return {
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": trainer.lr_scheduler.state_dict(),
        "scaler": None if scaler is None else scaler.state_dict(),
        "tokens": getattr(trainer, "_total_train_tokens", None),  # TRL's own counter
        "random": _random(),
    }


def _put_rest(trainer: Any, rest: TrainerState) -> None:
    trainer.optimizer.load_state_dict(rest["optimizer"])
    trainer.lr_scheduler.load_state_dict(rest["scheduler"])
    if rest["scaler"] is not None and trainer.accelerator.scaler is not None:
        trainer.accelerator.scaler.load_state_dict(rest["scaler"])
    if rest["tokens"] is not None:
        trainer._total_train_tokens = rest["tokens"]


def _random() -> RandomStates:
    import numpy as np
    import torch

    name, keys, *position = cast("tuple[Any, ...]", np.random.get_state(legacy=True))
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *position),
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _put_random(states: RandomStates) -> None:
    import numpy as np
    import torch

    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["cpu"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])


def _write_tree(folder: Path, tree: Any) -> None:
    """Tensors go to one file under numbers, their places and all else to another."""
    from safetensors.torch import save_file

    tensors: Tensors = {}
    text = json.dumps(_packed(tree, tensors))
    save_file(tensors, folder / f"{REST}.safetensors")
    (folder / f"{REST}.json").write_text(text, encoding="utf-8")


def _read_tree(folder: Path) -> Any:
    from safetensors.torch import load_file

    tensors = load_file(folder / f"{REST}.safetensors")
    return _unpacked(json.loads((folder / f"{REST}.json").read_text(encoding="utf-8")), tensors)


def _packed(value: Any, tensors: Tensors) -> Any:
    """JSON that keeps what JSON forgets: tuples, keys that are numbers, tensors."""
    import torch

    if isinstance(value, torch.Tensor):
        tensors[str(len(tensors))] = value.detach().clone().contiguous()
        return {"tensor": str(len(tensors) - 1)}
    if isinstance(value, dict):
        return {"dict": [[k, _packed(v, tensors)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_packed(part, tensors) for part in value]}
    if isinstance(value, list):
        return [_packed(part, tensors) for part in value]
    return value


def _unpacked(value: Any, tensors: Tensors) -> Any:
    if isinstance(value, list):
        return [_unpacked(part, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    make: dict[str, Callable[[Any], Any]] = {
        "tensor": lambda name: tensors[name],
        "dict": lambda pairs: {key: _unpacked(part, tensors) for key, part in pairs},
        "tuple": lambda parts: tuple(_unpacked(part, tensors) for part in parts),
    }
    return make[kind](inner)
