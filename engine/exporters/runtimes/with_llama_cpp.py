"""Answer greedily with llama.cpp (xllamacpp), the engine that Ollama and LM Studio are made of."""

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any


def serve(file: Path) -> Any:
    """llama.cpp's own server on loopback with one GGUF file, its context as long as the model's."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx = 0  # what the file says
    params.n_parallel = 1
    params.warmup = False
    # its threads wait in a loop: more of them than free cores take minutes for a word
    params.cpuparams.n_threads = int(os.environ.get("OMP_NUM_THREADS") or _cores())
    return xllamacpp.Server(params)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def answers(folder: Path, asked: dict[str, Any]) -> None:
    """Print one answer a line, as soon as it is written."""
    server = serve(next(folder.glob("*.gguf")))

    def post(path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            server.listening_address + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    for messages in asked["questions"]:
        text = post("/apply-template", {"messages": messages})["prompt"]
        read = {"content": text, "add_special": True, "parse_special": True}
        ids = post("/tokenize", read)["tokens"]
        written = post(
            "/completion",
            {
                "prompt": text,
                "n_predict": asked["max_new_tokens"],
                "temperature": 0,
                "samplers": ["temperature"],
                "cache_prompt": False,
            },
        )
        answer = {
            "prompt_text": text,
            "prompt_ids": ids,
            "text": written["content"],
            "finished": written["stop_type"] in ("eos", "word"),
            "truncated": bool(written["truncated"]) or written["tokens_evaluated"] < len(ids),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    answers(Path(sys.argv[1]), json.load(sys.stdin))
