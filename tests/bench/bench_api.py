"""Tokens a second of the API beside `transformers serve` and llama.cpp's server, in one run.

Every server answers the same prompts greedily, with 1, 4 and 16 requests in flight, and they take
turns on the machine, with OMP_NUM_THREADS threads each. llama.cpp answers from an F16 file of the
same weights.
"""

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
import openai
import pytest

from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.models import registry
from engine.workspace import Settings, open_workspace
from tests import serving
from tests.bench import bench_tools

TIMES = int(os.environ.get("TUNELOOP_BENCH_TIMES", "3"))
IN_FLIGHT = (1, 4, 16)
TOKENS = int(os.environ.get("TUNELOOP_BENCH_TOKENS", "48"))
PROMPTS = [f"Write a short story about the number {n} and a library." for n in range(16)]


@pytest.fixture
def folder():
    found = Path(os.environ.get("TUNELOOP_MODEL", ""))
    if not (found / "config.json").is_file():
        pytest.skip("no model to ask: set TUNELOOP_MODEL to the folder of SmolLM2-135M-Instruct")
    return found.resolve()


def test_tokens_a_second(home, folder, tmp_path):
    ws = open_workspace(Settings(home=home, database_url=f"sqlite:///{home / 'tuneloop.db'}"))
    registry.add_base(ws, LOCAL, "base", folder, "folder")
    projects.create(ws, LOCAL, "Bench")
    servers = {
        "tuneloop api": lambda: tuneloop(home),
        "transformers serve": lambda: transformers_serve(folder),
        "llama.cpp": lambda: llama_cpp(home, tmp_path),
    }
    found = {(name, many): [] for name in servers for many in IN_FLIGHT}
    for _ in range(TIMES):
        for name, start in servers.items():
            with start() as (url, model):
                rate(url, model, 1)  # loads the model
                for many in IN_FLIGHT:
                    found[name, many].append(rate(url, model, many))
                    print(f"{many:2} {name} {found[name, many][-1]:.1f}", flush=True)
    print(f"\n{folder.name}, {TOKENS} tokens an answer, n = {TIMES}, {bench_tools.conditions(ws)}")
    for many in IN_FLIGHT:
        own = found["tuneloop api", many]
        for name in servers:
            ratios = [a / b for a, b in zip(own, found[name, many], strict=True)]
            print(f"{many:2} in flight  {name:20} {median(found[name, many]):7.1f} tokens/s   "
                  f"tuneloop is {median(ratios):.2f} times that")  # fmt: skip
    ws.close()


def rate(url, model, many):
    """Tokens a second while `many` requests are in flight until all prompts are answered."""
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=600)
    waiting, counts = list(PROMPTS[: max(many, 4)]), []

    def ask():
        while waiting:
            said = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": waiting.pop()}],
                max_tokens=TOKENS, temperature=0,
            )  # fmt: skip
            counts.append(said.usage.completion_tokens)

    threads = [threading.Thread(target=ask) for _ in range(many)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


@contextmanager
def running(arguments, url, **environment):
    process = subprocess.Popen(
        arguments, env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while True:
            assert process.poll() is None, "the server ended"
            try:
                httpx.get(f"{url}/health", timeout=5)
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def tuneloop(home):
    port = serving.free_port()
    url = f"http://127.0.0.1:{port}"
    program = [sys.executable, "-m", "engine.api", "127.0.0.1", str(port), "--most-bases", "1"]
    with running(program, url, TUNELOOP_HOME=str(home)):
        yield f"{url}/v1", "base"


@contextmanager
def transformers_serve(folder):
    port = serving.free_port()
    url = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).with_name("transformers")
    batching = ["--continuous-batching"] if os.environ.get("TUNELOOP_BENCH_PAGED") else []
    arguments = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port), *batching]
    with running([*arguments, "--dtype", "float32", "--device", "cpu"], url):
        yield f"{url}/v1", str(folder)


@contextmanager
def llama_cpp(home, tmp_path):
    xllamacpp = pytest.importorskip("xllamacpp")
    gguf = tmp_path / "model.gguf"
    if not gguf.exists():
        written(home, gguf)
    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.port = serving.free_port()
    params.n_parallel, params.n_ctx = 16, 16 * 1024
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))  # as the others have
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1", "base"
    del server


def written(home, path):
    """An F16 GGUF of the base, by the exporter that Tuneloop has for it."""
    aside = path.parent / "gguf"
    command = [sys.executable, "-m", "engine", "models", "export", "base", "--to", "gguf",
               "--no-certify", "--out", str(aside)]  # fmt: skip
    subprocess.run(command, env={**os.environ, "TUNELOOP_HOME": str(home)}, check=True)
    next(aside.glob("*.gguf")).rename(path)
