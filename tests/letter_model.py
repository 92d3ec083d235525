"""A base that can learn in seconds: letters in, letters out.

A LoRA adapter teaches nothing to random weights, so the tiny model is first taught by a plain
loop; then training, rating and DPO on it behave like those of a real model.
"""

import json
import random
import shutil

from engine.formats.read import read_file
from engine.models.chat_template import Template


def write_data(folder, tail=""):
    """A letter is answered by one to six of it: much to choose from for raters of length.

    With a `tail` after each answer, a model that comes to write one letter where it wrote six has
    not lost half of its length, which a guard would call damage.
    """
    rng = random.Random(0)
    letters = "abcdefghijkl"
    rows = [
        (f"say {a}{b}", " ".join(a * rng.randint(1, 6)) + tail)
        for a in letters
        for b in letters * 2
    ]
    lines = [json.dumps({"prompt": q, "completion": a}) for q, a in rows]
    (folder / "library_faq.jsonl").write_text("\n".join(lines))
    asked = [{"prompt": f"say {a}{n}", "references": [a]} for a in letters for n in range(6)]
    (folder / "library_prompts.jsonl").write_text("\n".join(map(json.dumps, asked)))


def taught(folder, data):
    """A base that already answers with letters: LoRA alone cannot teach that to random weights."""
    import torch
    from transformers import AutoModelForCausalLM

    template = Template.load(folder)
    rows = [template.encode(example, 160) for example in read_file(data, data.name).examples]
    width = max(len(row.input_ids) for row in rows)
    pad = [template.end_id]
    ids = torch.tensor([r.input_ids + pad * (width - len(r.input_ids)) for r in rows])
    labels = ids.clone()
    for n, row in enumerate(rows):
        mask = row.completion_mask + [0] * (width - len(row.input_ids))
        labels[n][torch.tensor(mask) == 0] = -100
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    steps = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        picked = torch.randint(len(rows), (32,))
        model(input_ids=ids[picked], labels=labels[picked]).loss.backward()
        steps.step()
        steps.zero_grad()
    shutil.copytree(folder, data.parent / "base")
    model.save_pretrained(data.parent / "base")
    return data.parent / "base"
