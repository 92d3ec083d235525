"""Training against TRL's own command with its defaults: the same job, each in fresh processes.

LLaMA-Factory joins in where TUNELOOP_LLAMAFACTORY names the `llamafactory-cli` of an environment of
its own: it wants other versions of the same libraries. It says no number of real tokens, so those
of TRL's run, on as many rows of the same kind, stand for its own.

Both train LoRA r=16 on all linear layers, on the same rows and the same number of steps. The
adapters are then scored by one and the same program, in float32, on rows that neither saw.
"""

import csv
import faulthandler
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
import yaml

REPO = Path(__file__).parents[2]
HELD_OUT, ROUNDS = 48, 2
STEPS = {"sft": 20, "dpo": 10}
RATE = {"sft": 2e-4, "dpo": 2e-5}
FACTORY = os.environ.get("TUNELOOP_LLAMAFACTORY")
LORA = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}


@pytest.fixture(scope="module")
def model():
    folder = Path(os.environ.get("TUNELOOP_MODEL", ""))
    if not (folder / "config.json").is_file():
        pytest.skip("no model to train: set TUNELOOP_MODEL to the folder of SmolLM2-135M-Instruct")
    return folder.resolve()


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_train(method, model, shared_data, tmp_path):
    faulthandler.cancel_dump_traceback_later()  # the suite's limit for a test is shorter
    rows = {"sft": sft_rows, "dpo": dpo_rows}[method](shared_data)
    write(tmp_path / "train.jsonl", rows[HELD_OUT:])
    write(tmp_path / "held_out.jsonl", rows[:HELD_OUT])
    job = {"method": method, "model": str(model), "folder": str(tmp_path), "steps": STEPS[method]}
    job |= {"rate": RATE[method], "lora": LORA}
    peak = json.loads(ours({**job, "do": "peak"})[0])
    print(
        f"\n{method}: {STEPS[method]} steps of 8 out of {len(rows) - HELD_OUT} rows, "
        f"median of {ROUNDS}, in turn; {psutil.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    )
    takers = {"trl": by_trl, "tuneloop": by_tuneloop}
    if FACTORY:
        takers["factory"] = by_llamafactory
    runs = {name: [] for name in takers}
    for _ in range(ROUNDS):
        for name, run in takers.items():
            runs[name].append(run(job))
            print(name, runs[name][-1], flush=True)
    table = {name: medians(found) for name, found in runs.items()}
    if FACTORY:
        rows_done = table["trl"]["tokens/s"] / table["trl"]["steps/s"]
        table["factory"]["tokens/s"] = rows_done * table["factory"]["steps/s"]
    for name, found in table.items():
        print(f"{name:9}", "   ".join(f"{key} {value:.4g}" for key, value in found.items()))
    theirs, mine = table["trl"], table["tuneloop"]
    print("ratio    ", "   ".join(f"{key} {mine[key] / theirs[key]:.3f}" for key in mine))
    done = mine["tokens/s"] * peak["gflop_a_token"][method]
    print(
        f"{done:.0f} GFLOP/s in the layers, of a peak of {peak['bfloat16']:.0f} in bfloat16 and "
        f"{peak['float32']:.0f} in float32"
    )


def sft_rows(data):
    with (data / "tasks/e2e/devset.csv").open(encoding="utf-8") as file:
        found = [(row["mr"], row["ref"]) for row in csv.DictReader(file)]
    random.Random(0).shuffle(found)
    return [{"prompt": said("user", asked), "completion": said("assistant", answer)}
            for asked, answer in found[: HELD_OUT + 400]]  # fmt: skip


def dpo_rows(data):
    lines = (data / "preferences/truthfulqa_pairs.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    random.Random(0).shuffle(found)
    return [{"prompt": said("user", row["prompt"]),
             "chosen": said("assistant", row["chosen"]),
             "rejected": said("assistant", row["rejected"])}
            for row in found[: HELD_OUT + 200]]  # fmt: skip


def said(role, text):
    return [{"role": role, "content": text}]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def by_tuneloop(job):
    text, peak, cpu = ours({**job, "do": "train"})
    return line(job, json.loads(text), peak, cpu)


def by_trl(job):
    """TRL's command with a file of what makes it the same job, and nothing else."""
    folder = Path(job["folder"])
    config = folder / "trl.yaml"
    values = {
        "model_name_or_path": job["model"],
        "datasets": [{"path": "json", "data_files": str(folder / "train.jsonl")}],
        "use_cpu": True,
        "use_peft": True,
        "lora_r": LORA["r"],
        "lora_alpha": LORA["lora_alpha"],
        "lora_target_modules": LORA["target_modules"],
        "learning_rate": job["rate"],
        "per_device_train_batch_size": 8,
        "max_length": 512,
        "max_steps": job["steps"],
        "logging_steps": 1,
        "seed": 42,
        "report_to": "none",
        "output_dir": str(folder / "trl"),
    }
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("trl")), job["method"], "--config", str(config)]
    text, peak, cpu = measured(command)
    run = {
        "seconds": float(re.findall(r"'train_runtime': '?([\d.e+]+)", text)[-1]),
        "tokens": float(re.findall(r"'num_tokens': '?([\d.e+]+)", text)[-1]),
        "adapter": str(folder / "trl"),
    }
    return line(job, run, peak, cpu)


def by_llamafactory(job):
    """LLaMA-Factory's command with a file of what makes it the same job, and nothing else."""
    folder = Path(job["folder"])
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    write(folder / "factory.jsonl", [as_sharegpt(json.loads(line)) for line in lines])
    ranked = job["method"] == "dpo"
    columns = {"messages": "conversations"}
    if ranked:
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    about = {"rows": {"file_name": "factory.jsonl", "formatting": "sharegpt", "ranking": ranked,
                      "columns": columns}}  # fmt: skip
    (folder / "dataset_info.json").write_text(json.dumps(about), encoding="utf-8")
    values = {
        "model_name_or_path": job["model"],
        "stage": job["method"],
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": LORA["r"],
        "lora_alpha": LORA["lora_alpha"],
        "lora_target": "all",
        "template": "smollm2",
        "dataset": "rows",
        "dataset_dir": str(folder),
        "cutoff_len": 512,
        "learning_rate": job["rate"],
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "max_steps": job["steps"],
        "logging_steps": 1,
        "report_to": "none",
        "output_dir": str(folder / "factory"),
        "overwrite_output_dir": True,
    }
    config = folder / "factory.yaml"
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    _, peak, cpu = measured([FACTORY, "train", str(config)])
    told = json.loads((folder / "factory" / "all_results.json").read_text())
    run = {"seconds": told["train_runtime"], "tokens": 0, "adapter": str(folder / "factory")}
    return line(job, run, peak, cpu)


def as_sharegpt(row):
    """A row in the layout that LLaMA-Factory reads best."""
    names = {"user": "human", "assistant": "gpt", "system": "system"}

    def turns(messages):
        return [{"from": names[each["role"]], "value": each["content"]} for each in messages]

    if "completion" in row:
        return {"conversations": turns(row["prompt"] + row["completion"])}
    sides = {side: turns(row[side])[0] for side in ("chosen", "rejected")}
    return {"conversations": turns(row["prompt"]), **sides}


def line(job, run, peak, cpu):
    """What is compared; the seconds and tokens are of the training alone, CPU and peak of all."""
    loss, _, _ = ours({**job, "do": "score", "adapter": run["adapter"]})
    return {
        "steps/s": job["steps"] / run["seconds"],
        "tokens/s": run["tokens"] / run["seconds"],
        "CPU s": cpu,
        "peak MB": peak,
        "held-out loss": json.loads(loss),
    }


def ours(job):
    """The last line of what train_job.py says about `job`, its peak memory and its CPU seconds."""
    text, peak, cpu = measured([sys.executable, "-m", "tests.bench.train_job", json.dumps(job)])
    return text.strip().splitlines()[-1], peak, cpu


def measured(command):
    """The output of a fresh process, its peak memory in MB and its CPU seconds, children too."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    with tempfile.TemporaryFile("w+") as said_by_it:
        process = subprocess.Popen(command, cwd=REPO, env=environment, stdout=said_by_it,
                                   stderr=subprocess.STDOUT, text=True)  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said_by_it.seek(0)
        text = said_by_it.read()
    assert process.returncode == 0, text[-3000:]
    return text, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime
