"""How fast an evaluation answers, beside transformers' own ways to answer the same prompts.

All four run in one process on the same weights in float32 and the same number of threads, and must
say the same texts. Processor seconds are printed beside the seconds of the clock: on a busy machine
only they compare.
"""

import faulthandler
import json
import os
import time
from pathlib import Path

import psutil
import pytest

REPO = Path(__file__).parents[2]
ROWS = int(os.environ.get("TUNELOOP_BENCH_ROWS", "48"))
LONGEST = int(os.environ.get("TUNELOOP_BENCH_TOKENS", "48"))
BATCH = 8
GOAL = {"pipeline, one by one": 4.0, "pipeline, batch 8": 1.5, "generate, batch 8": 1.5}
GOAL_SAMPLED = 1.5


@pytest.fixture(scope="module")
def model():
    folder = Path(os.environ.get("TUNELOOP_MODEL", ""))
    if not (folder / "config.json").is_file():
        pytest.skip("no model to ask: set TUNELOOP_MODEL to the folder of SmolLM2-135M-Instruct")
    return folder.resolve()


def ready(model):
    """The prompts, what answers them, and the tokenizer for transformers' own ways."""
    import torch
    from transformers import AutoTokenizer

    from engine.models.answer import Answerer

    faulthandler.cancel_dump_traceback_later()  # the suite's limit for a test is five minutes
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    lines = (REPO / "engine" / "demo" / "library_prompts.jsonl").read_text().splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines][:ROWS]
    answerer = Answerer(model)
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    return prompts, answerer, tokenizer


def test_evaluate(model):
    import torch

    prompts, answerer, tokenizer = ready(model)
    ways = {
        "tuneloop": lambda: ours(answerer, model, prompts),
        "generate, batch 8": lambda: generate(answerer._model, tokenizer, prompts),
        "pipeline, batch 8": lambda: pipeline(answerer._model, tokenizer, prompts, BATCH),
        "pipeline, one by one": lambda: pipeline(answerer._model, tokenizer, prompts, 1),
    }
    ours(answerer, model, prompts[:2])  # what is loaded once is not measured
    print(f"\n{len(prompts)} prompts, at most {LONGEST} tokens, {torch.get_num_threads()} threads, "
          f"{psutil.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    texts, clock, work = {}, {}, {}
    for name, way in ways.items():
        start, begun = time.perf_counter(), time.process_time()
        texts[name] = way()
        clock[name], work[name] = time.perf_counter() - start, time.process_time() - begun
        same = sum(a == b for a, b in zip(texts[name], texts["tuneloop"], strict=True))
        print(f"{name:22} {clock[name]:8.1f} s  {work[name]:8.1f} CPU s  "
              f"x{clock[name] / clock['tuneloop']:.2f}  CPU x{work[name] / work['tuneloop']:.2f}  "
              f"same texts {same} of {len(prompts)}", flush=True)  # fmt: skip
    assert all(found == texts["tuneloop"] for found in texts.values())
    assert all(work[name] >= times * work["tuneloop"] for name, times in GOAL.items())


def test_sampled(model):
    """What the answers of a round take: the texts differ, so the ratio is of tokens a second."""
    import torch

    prompts, answerer, tokenizer = ready(model)
    drawn = {"do_sample": True, "temperature": 1.0, "top_p": 0.95, "top_k": 0}
    ways = {
        "tuneloop, sampled": lambda: ours(answerer, model, prompts, temperature=1.0, seed=1),
        "generate, sampled": lambda: generate(answerer._model, tokenizer, prompts, **drawn),
    }
    ours(answerer, model, prompts[:2], temperature=1.0)
    rate = {}
    for name, way in ways.items():
        torch.manual_seed(1)
        start = time.process_time()
        texts = way()
        tokens = sum(len(tokenizer(text, add_special_tokens=False).input_ids) for text in texts)
        rate[name] = tokens / (time.process_time() - start)
        print(f"\n{name:22} {tokens} tokens  {rate[name]:.0f} a CPU second", flush=True)
    assert rate["tuneloop, sampled"] >= GOAL_SAMPLED * rate["generate, sampled"]


def ours(answerer, model, prompts, **ways):
    from engine.core.examples import Message
    from engine.core.job_context import ModelFiles
    from engine.core.model import Model

    about = Model(
        id="base", name="base", kind="base", source="folder", path=str(model), created_at=0.0
    )
    asked = [(Message(role="user", content=text),) for text in prompts]
    files = ModelFiles(about, model, None)
    replies = answerer.answer(files, asked, max_new_tokens=LONGEST, **ways)
    return [reply.text for reply in replies]


def generate(model, tokenizer, prompts, **ways):
    import torch

    found = []
    for start in range(0, len(prompts), BATCH):
        chats = [[{"role": "user", "content": text}] for text in prompts[start : start + BATCH]]
        batch = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            out = model.generate(
                **batch,
                max_new_tokens=LONGEST,
                pad_token_id=tokenizer.eos_token_id,
                **(ways or {"do_sample": False}),
            )
        new = out[:, batch["input_ids"].shape[1] :]
        found += [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]
    return found


def pipeline(model, tokenizer, prompts, batch_size):
    import transformers

    pipe = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer)
    chats = [[{"role": "user", "content": text}] for text in prompts]
    options = {"max_new_tokens": LONGEST, "do_sample": False, "return_full_text": False}
    if batch_size == 1:
        replies = [pipe(chat, **options) for chat in chats]
    else:
        replies = pipe(chats, batch_size=batch_size, **options)
    return [said(reply[0]["generated_text"]) for reply in replies]


def said(text):
    return (text if isinstance(text, str) else text[-1]["content"]).strip()
