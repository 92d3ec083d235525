"""Tasks of lm-evaluation-harness from local files: a choice among answers, and a text to write."""

import json
from pathlib import Path

import yaml

QUESTIONS = [
    {"question": f"Which letter follows {a}?", "choices": [f" {b}.", " x!", f" {a}?"], "answer": n}
    for n, a, b in zip([0, 1, 2] * 4, "abcdefghijkl", "bcdefghijklm", strict=True)
]


def folder(path: Path) -> Path:
    """A folder with the tasks `letters` (multiple_choice) and `writing` (generate_until)."""
    path.mkdir(parents=True, exist_ok=True)
    data = path / "letters.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    shared = {
        "dataset_path": "json",
        "dataset_kwargs": {
            "data_files": {"test": str(data)}, "cache_dir": str(path / "datasets")
        },
        "test_split": "test",
        "doc_to_text": "{{question}}\nAnswer:",
        "metadata": {"version": 1.5},
    }  # fmt: skip
    letters = {
        "task": "letters",
        "output_type": "multiple_choice",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    writing = {
        "task": "writing",
        "output_type": "generate_until",
        "doc_to_target": "yes, sir",
        "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 8, "do_sample": False},
        "metric_list": [
            {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}
        ],
    }  # fmt: skip
    for task in (letters, writing):
        (path / f"{task['task']}.yaml").write_text(yaml.safe_dump({**shared, **task}))
    return path
