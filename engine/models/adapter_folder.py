"""Tidies the folder of an adapter after PEFT wrote it: the base by name, no local paths."""

import json
from pathlib import Path


def tidy(folder: Path, base: str) -> None:
    """Name the base by `base` in the configuration that PEFT wrote; take its empty form away."""
    config = folder / "adapter_config.json"
    values = json.loads(config.read_text(encoding="utf-8"))
    values["base_model_name_or_path"] = base
    config.write_text(json.dumps(values, indent=2, sort_keys=True), encoding="utf-8")
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's form, with nothing filled in
