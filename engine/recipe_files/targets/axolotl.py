"""YAML for Axolotl: `axolotl train config.yml`."""

from collections.abc import Iterator

import yaml

from engine.core.json_object import JsonObject
from engine.recipe_files import exported_rows, plan, readme
from engine.recipe_files.keys import AXOLOTL_LORA, AXOLOTL_TRL
from engine.recipe_files.run import ExportedRun, Part, text

TITLE = "Axolotl"
SUMMARY = "A YAML file for axolotl train, and the rows as chat messages."
WHERE = "Axolotl"
FILE = "config.yml"
# TRL's defaults that are others there
DEFAULTS = JsonObject(
    gradient_accumulation_steps=1, lr_scheduler_type="linear", optim="adamw_torch_fused", fp16=False
)


def notes(run: ExportedRun) -> list[str]:
    """What this cannot say, or says otherwise."""
    found = [*plan.base(run).notes, *plan.common_notes(run), *_lora(run)[1], *_options(run)[1]]
    found += exported_rows.weight_notes(run, WHERE)
    if run.start and run.method == "dpo":
        found.append(
            "Axolotl compares with the bare base where an adapter is trained on; the run compared "
            "with the model that it started from."
        )
    return found


def files(run: ExportedRun) -> Iterator[Part]:
    """The YAML file, the rows, the adapter it goes on from, the README."""
    yield FILE, text(yaml.safe_dump(_values(run), sort_keys=False, allow_unicode=True))
    yield from exported_rows.parts(
        run, exported_rows.single_turns if run.method == "dpo" else exported_rows.conversations
    )
    yield from plan.start_parts(run)
    commands = f"pip install axolotl\naxolotl train {FILE}\n"
    yield "README.md", text(readme.page(run, TITLE, notes(run), commands))


def _lora(run: ExportedRun) -> tuple[dict[str, object], list[str]]:
    if run.recipe.tuning == "full":
        return {}, []
    found, lost = plan.renamed(run.recipe.lora, AXOLOTL_LORA, WHERE)
    modules = found.get("lora_target_modules")
    if modules == "all-linear":
        del found["lora_target_modules"]
        found["lora_target_linear"] = True
    four = {"load_in_4bit": True} if run.recipe.tuning == "qlora" else {}
    start = {"lora_model_dir": "start"} if run.start else {}
    return {"adapter": run.recipe.tuning, **four, **start, **found}, lost


def _options(run: ExportedRun) -> tuple[dict[str, object], list[str]]:
    return plan.renamed({**DEFAULTS, **plan.options(run)}, AXOLOTL_TRL, WHERE)


def _values(run: ExportedRun) -> dict[str, object]:
    base = plan.base(run)
    return {
        "base_model": base.name,
        **({"revision_of_model": base.revision} if base.revision else {}),
        **({"rl": "dpo"} if run.method == "dpo" else {}),
        **({"chat_template": "tokenizer_default"} if run.dataset.kind != "text" else {}),
        "datasets": [_data(run, "train")],
        **({"test_datasets": [_data(run, "test")]} if run.dataset.held_out_rows else {}),
        "output_dir": "out",
        "dataset_prepared_path": "out/prepared",
        **_options(run)[0],
        **_lora(run)[0],
        **(_measured(run) if run.dataset.held_out_rows else {"val_set_size": 0}),
    }


def _data(run: ExportedRun, split: str) -> JsonObject:
    """How a file is read; a local file has the split train, whatever it is used for."""
    found = JsonObject(path=f"data/{split}.jsonl", ds_type="json", split="train")
    if run.method == "dpo":
        return found | JsonObject(
            type="chat_template.default", field_messages="prompt",
            field_chosen="chosen", field_rejected="rejected",
        )  # fmt: skip
    if run.dataset.kind == "text":
        return found | JsonObject(type="completion", field="text")
    return found | JsonObject(
        type="chat_template", field_messages="messages", roles_to_train=["assistant"],
        train_on_eos="turn",
    )  # fmt: skip


def _measured(run: ExportedRun) -> JsonObject:
    every = plan.steps_between_evals(run)
    found = JsonObject(eval_steps=every, save_steps=every)
    if run.keeps_best:
        found |= JsonObject(load_best_model_at_end=True, metric_for_best_model="eval_loss")
    patience = run.recipe.early_stopping_patience
    return found | ({"early_stopping_patience": patience} if patience else {})
