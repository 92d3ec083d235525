"""Name -> object: a built-in table, then installed entry points. Imports nothing until asked.

A plug point is a function or a module with one agreed signature (ui/guide/extending.md lists them).
Third parties register the same thing with `[project.entry-points."tuneloop.metrics"]`.
"""

import sys
from functools import cache
from importlib import import_module, metadata
from typing import Any

from engine.core.errors import UserError

BUILT_IN: dict[str, dict[str, str]] = {
    # layout -> module with TITLE, SUMMARY, KIND, COLUMNS, sniff(rows) -> float,
    # read(row, number) -> Example;
    # where a row holds several examples, also unfold(numbered rows) -> numbered rows; note(rows)
    "formats": {
        "alpaca": "engine.formats.layouts.alpaca",
        "sharegpt": "engine.formats.layouts.sharegpt",
        "messages": "engine.formats.layouts.messages",
        "prompt_completion": "engine.formats.layouts.prompt_completion",
        "preference": "engine.formats.layouts.preference",
        "openai_preference": "engine.formats.layouts.openai_preference",
        "kto": "engine.formats.layouts.kto",
        "prompts": "engine.formats.layouts.prompts",
        "text": "engine.formats.layouts.text",
        "question_answer": "engine.formats.layouts.question_answer",
        "squad": "engine.formats.layouts.squad",
        "self_instruct": "engine.formats.layouts.self_instruct",
        "source_target": "engine.formats.layouts.source_target",
        "questions": "engine.formats.layouts.questions",
        "oasst": "engine.formats.layouts.oasst",
        "query_response": "engine.formats.layouts.query_response",
        "rejected_response": "engine.formats.layouts.rejected_response",
        "exchanges": "engine.formats.layouts.exchanges",
    },
    # format -> module with TITLE, SUMMARY, COLUMNS, sniff(rows) -> float,
    # votes(numbered rows) -> votes, ratings, and the rows that are none
    "votes": {
        "table": "engine.formats.votes.table",
        "label_studio": "engine.formats.votes.label_studio",
        "argilla": "engine.formats.votes.argilla",
        "open_webui": "engine.formats.votes.open_webui",
        "langsmith": "engine.formats.votes.langsmith",
        "langfuse": "engine.formats.votes.langfuse",
    },
    # name -> function (examples) -> list[Finding], any number of them
    "checks": {
        "empty_turns": "engine.checks.empty_turns:check",
        "role_order": "engine.checks.role_order:check",
        "exact_duplicates": "engine.checks.exact_duplicates:check",
        "chosen_equals_rejected": "engine.checks.chosen_equals_rejected:check",
        "contradictory_pairs": "engine.checks.contradictory_pairs:check",
        "template_residue": "engine.checks.template_residue:check",
        "length_outliers": "engine.checks.length_outliers:check",
        "near_duplicates": "engine.checks.near_duplicates:check",
        "asked_twice": "engine.checks.asked_twice:check",
        "unanswered": "engine.checks.unanswered:check",
        "answer_weights": "engine.checks.answer_weights:check",
        "encoding_damage": "engine.checks.encoding_damage:check",
        "personal_data": "engine.checks.personal_data:check",
        "languages": "engine.checks.languages:check",
    },
    # name -> function (examples) -> list[Example]; its docstring's first line is shown to people
    "fixes": {
        "drop_exact_duplicates": "engine.checks.exact_duplicates:drop",
        "drop_near_duplicates": "engine.checks.near_duplicates:drop",
        "drop_empty_turns": "engine.checks.empty_turns:drop",
        "drop_disordered_turns": "engine.checks.role_order:drop",
        "drop_unanswered": "engine.checks.unanswered:drop",
        "cut_after_last_answer": "engine.checks.unanswered:cut",
        "drop_nothing_asked": "engine.checks.unanswered:drop_nothing_asked",
        "drop_equal_pairs": "engine.checks.chosen_equals_rejected:drop",
        "drop_contradictory_pairs": "engine.checks.contradictory_pairs:drop",
        "keep_first_answer": "engine.checks.asked_twice:keep_first",
        "repair_encoding": "engine.checks.encoding_damage:repair",
        "drop_lost_characters": "engine.checks.encoding_damage:drop_lost",
        "mask_personal_data": "engine.checks.personal_data:mask",
        "drop_personal_data": "engine.checks.personal_data:drop",
        "drop_unfilled_blanks": "engine.checks.template_residue:drop_blanks",
        "drop_template_residue": "engine.checks.template_residue:drop_marks",
        "drop_length_outliers": "engine.checks.length_outliers:drop",
        "keep_main_language": "engine.checks.languages:keep_main",
    },
    # name -> function (argument) -> fix; asked for as "name:argument"
    "fix_factories": {
        "system_prompt": "engine.checks.system_prompt:fix",
    },
    # name -> function (predictions, references) -> Scores, described (engine/core/score.py)
    # in the order in which each group of them is shown
    "metrics": {
        "accuracy": "engine.metrics.labels:accuracy",
        "macro_f1": "engine.metrics.labels:macro_f1",
        "numeric_match": "engine.metrics.numeric_match:numeric_match",
        "exact_match": "engine.metrics.exact_match:exact_match",
        "token_f1": "engine.metrics.token_f1:token_f1",
        "squad_exact_match": "engine.metrics.squad:squad_exact_match",
        "squad_f1": "engine.metrics.squad:squad_f1",
        "json_match": "engine.metrics.json_answers:json_match",
        "json_valid": "engine.metrics.json_answers:json_valid",
        "rougeL": "engine.metrics.rouge:rouge_l",
        "bleu": "engine.metrics.bleu:bleu",
        "chrf": "engine.metrics.chrf:chrf",
        "ter": "engine.metrics.ter:ter",
        "meteor": "engine.metrics.meteor:meteor",
        "rouge1": "engine.metrics.rouge:rouge_1",
        "rouge2": "engine.metrics.rouge:rouge_2",
        "rougeLsum": "engine.metrics.rouge_lsum:rouge_lsum",
        "edit_similarity": "engine.metrics.edit_similarity:edit_similarity",
        "repetition": "engine.metrics.repetition:repetition",
    },
    # name -> function (argument) -> metric; a metric asked for as "name:argument"
    "metric_factories": {
        "json_schema": "engine.metrics.json_answers:json_schema",
        "bertscore": "engine.metrics.bertscore:bertscore",
    },
    # job kind -> module with Recipe and run(recipe, ctx) -> Outcome
    "jobs": {
        "sft": "engine.methods.sft",
        "dpo": "engine.methods.dpo",
        "kto": "engine.methods.kto",
        "tpo": "engine.methods.tpo",
        "reward": "engine.methods.rewarded.reward",
        "rloo": "engine.methods.rewarded.rloo",
        "grpo": "engine.methods.rewarded.grpo",
        "evaluate": "engine.jobs.evaluate",
        "generate": "engine.jobs.generate",
        "play": "engine.jobs.playground",
        "warmup": "engine.jobs.warmup",
        "curve": "engine.jobs.learning_curve",
        "sweep": "engine.jobs.sweep",
        "benchmark": "engine.jobs.benchmark.job",
        "judge": "engine.jobs.llm_judge",
        "dial": "engine.jobs.dial",
        "reward_head": "engine.jobs.reward_head",
        "strength": "engine.jobs.strength",
        "export": "engine.jobs.export",
        "download": "engine.jobs.download",
        "demo": "engine.orchestrate.demo_job",
        "auto": "engine.orchestrate.auto_loop_job",
    },
    # name -> function (prompts, answers, references) -> list[float], higher is better
    "rewards": {
        "exact": "engine.rewards.reference:exact",
        "overlap": "engine.rewards.reference:overlap",
        "shorter": "engine.rewards.length:shorter",
        "up_to_50_words": "engine.rewards.length:up_to_50_words",
    },
    # name -> function (prompts, answers, references) -> list[float], with MORE and LESS in words
    "answer_features": {
        "length": "engine.answer_features.form:length",
        "has_list": "engine.answer_features.form:has_list",
        "paragraphs": "engine.answer_features.form:paragraphs",
        "markup": "engine.answer_features.form:markup",
        "repetition": "engine.answer_features.form:repetition",
        "numbers": "engine.answer_features.content:numbers",
        "overlap": "engine.answer_features.content:overlap",
        "echo": "engine.answer_features.content:echo",
        "same_language": "engine.answer_features.content:same_language",
        "asks_back": "engine.answer_features.manner:asks_back",
        "politeness": "engine.answer_features.manner:politeness",
        "refusal": "engine.answer_features.manner:refusal",
        "reader": "engine.answer_features.manner:reader",
        "exclamation": "engine.answer_features.manner:exclamation",
    },
    # name -> module with TITLE, LIBRARY, INSTALL and start(run) -> Tracker (engine/trackers/run.py)
    "trackers": {
        "tensorboard": "engine.trackers.tensorboard",
        "mlflow": "engine.trackers.mlflow",
        "wandb": "engine.trackers.wandb",
        "trackio": "engine.trackers.trackio",
    },
    # format -> module with TITLE, SUMMARY, RUNTIME, OPTIONS (may be absent) and
    # export(source, folder) (engine/exporters/declared.py)
    "exporters": {
        "adapter": "engine.exporters.adapter",
        "merged": "engine.exporters.merged",
        "gguf": "engine.exporters.gguf",
        "ollama": "engine.exporters.ollama",
        "vllm": "engine.exporters.vllm",
        "cog": "engine.exporters.cog",
        "hub": "engine.exporters.hub",
    },
    # target -> module with TITLE, SUMMARY, notes(run) -> list[str] and files(run) -> parts,
    # each the path of a file and its content piece by piece (engine/recipe_files/run.py)
    "recipe_targets": {
        "eject": "engine.recipe_files.targets.eject",
        "trl": "engine.recipe_files.targets.trl",
        "axolotl": "engine.recipe_files.targets.axolotl",
        "llamafactory": "engine.recipe_files.targets.llamafactory",
        "unsloth": "engine.recipe_files.targets.unsloth",
    },
    # source -> module with TITLE, sniff(values) -> float and read(importing, kind) -> the method,
    # and why keys without an equal have none (engine/recipe_files/imported.py)
    "recipe_sources": {
        "axolotl": "engine.recipe_files.sources.axolotl",
        "llamafactory": "engine.recipe_files.sources.llamafactory",
        "trl": "engine.recipe_files.sources.trl",
    },
    # rule -> function (left, right, references, rng) -> Choice
    "raters": {
        "shorter": "engine.simulated_raters.simple:shorter",
        "longer": "engine.simulated_raters.simple:longer",
        "random": "engine.simulated_raters.simple:coin",
        "always_left": "engine.simulated_raters.simple:always_left",
        "expert": "engine.simulated_raters.expert:expert",
        "friendly": "engine.simulated_raters.friendly:friendly",
    },
}


def entry_points(group: str) -> metadata.EntryPoints:
    """What installed packages register in this group.

    To find out, a file of every package is read, which takes longer than most pages; so each
    process does it once for its `sys.path`, and sees a newly installed plug-in after a restart.
    """
    found: metadata.EntryPoints = _registered(tuple(sys.path)).select(group=group)
    return found


@cache
def _registered(_path: tuple[str, ...]) -> Any:  # Python 3.11 has a class of its own for all groups
    return metadata.entry_points()


def names(family: str) -> list[str]:
    """Built-in names in their order, then installed ones."""
    built_in = BUILT_IN[family]
    found = [e.name for e in entry_points(f"tuneloop.{family}") if e.name not in built_in]
    return [*built_in, *found]


def load(family: str, name: str) -> Any:
    """The module or function registered under `name`; UserError names the known ones."""
    found = find(family, name)
    if found is None:
        known = ", ".join(names(family))
        raise UserError(
            f"There is no {family.rstrip('s').replace('_', ' ')} named {name!r}.",
            f"Known: {known}.",
        )
    return found


def find(family: str, name: str) -> Any:
    """The module or function registered under `name`; None where there is none."""
    target = BUILT_IN[family].get(name)
    if target is None:
        for entry in entry_points(f"tuneloop.{family}"):
            if entry.name == name:
                return entry.load()
        return None
    module, _, attribute = target.partition(":")
    loaded = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded
