"""What exporters are given and share: the merged model, its tokenizer, its end tokens."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from engine.core.child_environment import for_files
from engine.core.errors import UserError
from engine.core.export import Precision, Quantisation
from engine.core.job_context import ModelFiles
from engine.models.chat_template import Template

TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


class Source(NamedTuple):
    """A model to export. `tools` is a folder in which converters are kept."""

    files: ModelFiles
    base: str  # the base as others know it, such as its name on the Hub
    revision: str | None
    precision: Precision
    quantisation: Quantisation
    tools: Path
    say: Callable[[str], None]  # a line of progress; raises when the person asked to stop
    alive: Callable[[], None] = lambda: None  # called each second of a long wait; raises likewise
    repository: str = ""  # on the Hub, where the export is pushed


def write_tokenizer(base: Path, out: Path) -> None:
    """The tokenizer, its chat template, and generation settings that name every end token."""
    for name in TOKENIZER:
        if (base / name).is_file():
            shutil.copyfile(base / name, out / name)
    write_generation_config(base, out)


def write_generation_config(base: Path, out: Path) -> None:
    """The base's generation settings with all tokens that end an answer here.

    A base whose template ends a turn with a token of its own often names the tokenizer's end alone;
    a program that reads only this file would then go on after the answer.
    """
    path = base / "generation_config.json"
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    ends = sorted(Template.load(base).ends)
    known["eos_token_id"] = ends[0] if len(ends) == 1 else ends
    text = json.dumps(known, indent=2, sort_keys=True) + "\n"
    (out / "generation_config.json").write_text(text, encoding="utf-8")


def save_merged(source: Source, out: Path, precision: Precision) -> None:
    """The whole model as safetensors in `precision`, merged in float32, with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM

    answers_only(source)
    source.say("The model is being loaded.")
    model: Any = AutoModelForCausalLM.from_pretrained(
        source.files.base, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    if source.files.adapter is not None:
        from peft import PeftModel

        source.say("The adapter is being merged.")
        model = PeftModel.from_pretrained(model, source.files.adapter).merge_and_unload()
    source.say("The weights are being written.")
    model = model.to(getattr(torch, precision))
    model.config._name_or_path = ""  # the folder on this machine
    model.save_pretrained(out)
    write_tokenizer(source.files.base, out)


def answers_only(source: Source) -> None:
    """UserError for a reward model, which writes no answers."""
    if source.files.model.kind == "reward":
        raise UserError(
            f"{source.files.model.name} scores answers and writes none.",
            "Export the model that was trained with it.",
        )


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    python_path: Path | None,
    alive: Callable[[], None],
    limit_s: int,
) -> subprocess.CompletedProcess[str]:
    """The end of a program with no secrets in its environment; TimeoutExpired after `limit_s`.

    `alive` is called each second and may raise; the program is ended then.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, env=environment(python_path), cwd=cwd
        )
        try:
            for _ in range(limit_s):
                alive()
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(timeout=1)
                    errors.seek(0)
                    return subprocess.CompletedProcess(command, code, "", errors.read())
        finally:
            process.kill()
            process.wait()
    raise subprocess.TimeoutExpired(command, limit_s)


def environment(python_path: Path | None = None) -> dict[str, str]:
    """The environment of a program that handles model files: no secrets, no network of the Hub."""
    kept = for_files(os.environ)
    kept.pop("PYTHONPATH", None)  # a program of its own brings its packages
    kept |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return kept | ({"PYTHONPATH": str(python_path)} if python_path else {})
