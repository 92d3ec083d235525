"""YAML for TRL's own command line: `trl sft` and `trl dpo`."""

from collections.abc import Iterator

import yaml

from engine.core.json_object import JsonObject
from engine.recipe_files import exported_rows, plan, readme
from engine.recipe_files.run import ExportedRun, Part, text

TITLE = "TRL command line"
SUMMARY = "A YAML file for trl sft or trl dpo, and the rows as chat messages."
LORA = {
    "r": "lora_r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "target_modules": "lora_target_modules",
    "target_parameters": "lora_target_parameters",
    "modules_to_save": "lora_modules_to_save",
    "use_rslora": "use_rslora",
    "use_dora": "use_dora",
}
WHERE = "TRL's command line"


def notes(run: ExportedRun) -> list[str]:
    """What this cannot say, or says otherwise."""
    found = [*plan.base(run).notes, *plan.common_notes(run), *_lora(run)[1]]
    if run.start:
        found.append(
            "TRL's command line starts from whole models: export the model it went on from as "
            "merged, into the folder start. A new adapter is trained over it."
        )
    if run.method == "sft":
        found.append("A conversation with several answers is a row for each of them.")
    if run.recipe.early_stopping_patience:
        found.append(f"{WHERE} has no key for early_stopping_patience.")
    return found


def files(run: ExportedRun) -> Iterator[Part]:
    """The YAML file, the rows, the README."""
    name = f"{run.method}.yaml"
    yield name, text(yaml.safe_dump(_values(run), sort_keys=False, allow_unicode=True))
    write = exported_rows.pairs if run.method == "dpo" else exported_rows.prompts_and_completions
    yield from exported_rows.parts(run, write)
    commands = f'pip install "trl[peft]"\ntrl {run.method} --config {name}\n'
    yield "README.md", text(readme.page(run, TITLE, notes(run), commands))


def _lora(run: ExportedRun) -> tuple[dict[str, object], list[str]]:
    if run.recipe.tuning == "full":
        return {}, []
    found, lost = plan.renamed(run.recipe.lora, LORA, WHERE)
    modules = found.get("lora_target_modules")
    if isinstance(modules, str):
        found["lora_target_modules"] = [modules]
    four = {"load_in_4bit": True, "use_bnb_nested_quant": True}
    return {"use_peft": True, **found, **(four if run.recipe.tuning == "qlora" else {})}, lost


def _values(run: ExportedRun) -> dict[str, object]:
    base = plan.base(run)
    start = JsonObject(model_name_or_path="start" if run.start else base.name)
    if base.revision and not run.start:
        start["model_revision"] = base.revision
    held_out = bool(run.dataset.held_out_rows)
    data = JsonObject(dataset_name="data", output_dir="out", report_to="none")
    if held_out:
        data["dataset_test_split"] = "test"
    answers = {"completion_only_loss": True} if _has_answers(run) else {}
    lora, _ = _lora(run)
    measured = _measured(run) if held_out else {}
    dtype = "bfloat16" if run.result.bf16 and run.recipe.tuning != "full" else "float32"
    return {
        **start, "dtype": dtype, **data, **plan.options(run), **answers, **lora, **measured,
    }  # fmt: skip


def _has_answers(run: ExportedRun) -> bool:
    return run.method == "sft" and run.dataset.kind == "sft"


def _measured(run: ExportedRun) -> JsonObject:
    every = plan.steps_between_evals(run)
    found = JsonObject(
        eval_strategy="steps", eval_steps=every, save_strategy="steps", save_steps=every
    )
    if run.keeps_best:
        found |= JsonObject(
            load_best_model_at_end=True, metric_for_best_model="eval_loss", greater_is_better=False
        )
    return found
