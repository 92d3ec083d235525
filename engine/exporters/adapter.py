"""The adapter alone, as PEFT reads it: small, and needs its base beside it."""

import json
import shutil
from pathlib import Path

from engine.core.errors import UserError
from engine.exporters import merged
from engine.exporters.source import Source, answers_only, write_tokenizer

TITLE = "Adapter (PEFT)"
SUMMARY = "A few megabytes to load over the base with PEFT, vLLM or transformers."
RUNTIME = merged.RUNTIME
WEIGHTS = "adapter_model.safetensors"


def export(source: Source, out: Path) -> None:
    """The adapter's weights, its settings with the base's name and revision, and the tokenizer."""
    answers_only(source)
    folder = source.files.adapter
    if folder is None:
        raise UserError(
            f"{source.files.model.name} is a whole model, not an adapter.", "Export it as merged."
        )
    shutil.copyfile(folder / WEIGHTS, out / WEIGHTS)
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    settings |= {"base_model_name_or_path": source.base, "revision": source.revision}
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    (out / "adapter_config.json").write_text(text, encoding="utf-8")
    write_tokenizer(source.files.base, out)
