"""A script for Unsloth: `python train.py`."""

import json
from collections.abc import Iterator

from engine.core.json_object import JsonObject
from engine.recipe_files import exported_rows, plan, readme
from engine.recipe_files.run import ExportedRun, Part, text

TITLE = "Unsloth"
SUMMARY = "A script for Unsloth's FastLanguageModel and TRL's trainer, and the rows as messages."
WHERE = "Unsloth"
# keywords of FastLanguageModel.get_peft_model; Unsloth takes no other LoRA option
LORA = {
    name: name
    for name in (
        "r", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save", "use_rslora",
        "init_lora_weights", "layers_to_transform", "layers_pattern",
    )
}  # fmt: skip
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# made of the model, not of the trainer
OF_THE_MODEL = ("activation_checkpointing", "gradient_checkpointing")
HEAD = '''"""{title}. Made from the run "{name}"."""

import os

os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")

import unsloth  # noqa: F401  before trl and transformers
from datasets import load_dataset
from trl import {kind}Config, {kind}Trainer
from unsloth import FastLanguageModel

MAX_LENGTH = {length}
FILES = {files}

model, tokenizer = FastLanguageModel.from_pretrained(
{load}
)
'''
PEFT = """model = FastLanguageModel.get_peft_model(
    model,
{peft}
)
"""
CHATS = '''

def tokens(row):
    """The conversation as token ids; -100 on everything but the answer."""
    prompt = tokenizer.apply_chat_template(
        row["prompt"], tokenize=False, add_generation_prompt=True
    )
    whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
    ids = tokenizer(text=whole, add_special_tokens=False)["input_ids"][:MAX_LENGTH]
    before = len(tokenizer(text=prompt, add_special_tokens=False)["input_ids"])
    return {"input_ids": ids, "labels": [-100] * min(before, len(ids)) + ids[before:]}


def learns(row):
    """Whether anything of the row is left to learn."""
    return any(label != -100 for label in row["labels"])


rows = load_dataset("json", data_files=FILES)
rows = rows.map(tokens, remove_columns=rows["train"].column_names).filter(learns)
'''
PLAIN = """rows = load_dataset("json", data_files=FILES)
"""
TRAIN = """args = {kind}Config(
{args}
)
trainer = {kind}Trainer(
    model=model,
    processing_class=tokenizer,
    train_dataset=rows["train"],
    eval_dataset=rows.get("test"),
    args=args,
)
trainer.train()
model.save_pretrained("out/result")
tokenizer.save_pretrained("out/result")
"""


def notes(run: ExportedRun) -> list[str]:
    """What this cannot say, or says otherwise."""
    found = [*plan.base(run).notes, *plan.common_notes(run), *_lora(run)[1]]
    if run.method == "sft" and run.dataset.kind == "sft":
        found.append("A conversation with several answers is a row for each of them.")
    if run.start and run.method == "dpo":
        found.append(
            "The reference is the bare base where an adapter is trained on; the run compared with "
            "the model that it started from."
        )
    if run.recipe.early_stopping_patience:
        found.append("The script has no early stopping.")
    return found


def files(run: ExportedRun) -> Iterator[Part]:
    """The script, the rows, the adapter it goes on from, the README."""
    yield "train.py", text(_script(run))
    write = exported_rows.pairs if run.method == "dpo" else exported_rows.prompts_and_completions
    yield from exported_rows.parts(run, write)
    yield from plan.start_parts(run)
    commands = "pip install unsloth\npython train.py\n"
    yield "README.md", text(readme.page(run, TITLE, notes(run), commands))


def _script(run: ExportedRun) -> str:
    kind = run.method.upper()
    length = plan.options(run).get("max_length", 512)
    data = {name: f"data/{name}.jsonl" for _, name in exported_rows.named_splits(run)}
    title, name = f"{kind} with Unsloth", json.dumps(readme.one_line(run.name))[1:-1]
    load = _keywords(_load(run))
    parts = [HEAD.format(kind=kind, length=length, files=data, title=title, name=name, load=load)]
    if run.recipe.tuning != "full" and not run.start:
        parts.append(PEFT.format(peft=_keywords(_lora(run)[0])))
    is_chat = run.method == "sft" and run.dataset.kind == "sft"
    parts += [CHATS if is_chat else PLAIN, TRAIN.format(kind=kind, args=_keywords(_args(run)))]
    return "".join(parts)


def _keywords(values: dict[str, object]) -> str:
    return "\n".join(f"    {name}={value!r}," for name, value in values.items())


def _load(run: ExportedRun) -> dict[str, object]:
    base = plan.base(run)
    start = "start" if run.start else base.name
    revision = {"revision": base.revision} if base.revision and not run.start else {}
    return {
        "model_name": start,
        **revision,
        "max_seq_length": plan.options(run).get("max_length", 512),
        "dtype": None,
        "load_in_4bit": run.recipe.tuning == "qlora",
        "full_finetuning": run.recipe.tuning == "full",
    }


def _lora(run: ExportedRun) -> tuple[dict[str, object], list[str]]:
    if run.recipe.tuning == "full" or run.start:
        return {}, []
    found, lost = plan.renamed(run.recipe.lora, LORA, WHERE)
    if found.get("target_modules") == "all-linear":
        found["target_modules"] = LINEAR
        lost.append("All linear layers are named one by one, as Llama-like models call them.")
    return {**found, "bias": "none", "random_state": run.recipe.seed}, lost


def _args(run: ExportedRun) -> dict[str, object]:
    given = {name: value for name, value in plan.options(run).items() if name not in OF_THE_MODEL}
    measured = JsonObject()
    if run.dataset.held_out_rows:
        every = plan.steps_between_evals(run)
        measured |= JsonObject(
            eval_strategy="steps", eval_steps=every, save_strategy="steps", save_steps=every
        )
        if run.keeps_best:
            measured |= JsonObject(load_best_model_at_end=True, metric_for_best_model="eval_loss")
    precision = {"bf16", "fp16"} - set(run.recipe.trl)  # Unsloth chooses by the card
    chosen = {name: value for name, value in given.items() if name not in precision}
    return {"output_dir": "out", "report_to": "none", **chosen, **measured}
