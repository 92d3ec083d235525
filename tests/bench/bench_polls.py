"""What an open tab costs while nobody touches it, and what a dropped file costs before it is kept.

The handlers are those that the page registers, found by the `elem_id` of the parts they belong to
and called as functions: no browser, no server. Rounds, votes and models are written straight into
the tables, by the names of their columns.

    pytest -s -o python_files='bench_*.py' tests/bench/bench_polls.py

TUNELOOP_SHARED_DATA names the folder of real data sets; without it a file of as many rows is made.
"""

import csv
import hashlib
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import pytest
from sqlalchemy import MetaData, event

from engine.core.actor import LOCAL
from engine.services.models import import_folder
from tests import helpers
from tests.bench import bench_tools
from tests.ui import results
from ui import app
from ui.pages.loop.tab import LoopView
from ui.pages.rating.refresh import RatingView

REPEATS = 20
PAIRS = 300
GENERATIONS = 8  # each with a round of votes and a blind one, and every fourth with a second test
ROUNDS = 20  # of them one A/A round and one that is open
OVERLAPS = (1, 2, 3)
WORD = "word "
LATER_S = 60.0  # from one round to the next
TRAININGS = 40
ROWS = 10_003  # of Banking77
HELD_OUT = (15, 20)  # percent, as dropped and after the slider was let go


class Cost(NamedTuple):
    """Milliseconds on the clock and of this process, and statements sent to the database."""

    wall: float
    cpu: float
    queries: int
    transactions: int


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_poll_of_rate_and_of_loop(ws, tmp_path):
    seeded = seed(ws, helpers.project(ws, "Bench").id, tmp_path)
    page = app.build(ws)
    under = bench_tools.conditions(ws)
    rate, loop = ticks(page, "rate-outcome"), ticks(page, "loop-said")
    picks = handler(page, "rate-round", "input")
    project = seeded["project"]
    print(f"\n{ROUNDS} rounds of {PAIRS} pairs, {seeded['votes']:,} votes, median of {REPEATS}")
    for name, poll, view in (
        ("Rate, an open round", rate, RatingView()),
        ("Rate, a closed verdict", rate, picks(RatingView(), project, seeded["blind"])[0]),
        ("Loop", loop, LoopView()),
    ):
        unseen = view in (LoopView(), RatingView())
        first = [cost(ws, poll, view, project) for _ in range(REPEATS if unseen else 0)]
        seen = poll(view, project)[0]
        if isinstance(seen, dict) and seen.get("__type__") == "update":
            seen = view  # nothing had changed since it was chosen
        again = [cost(ws, poll, seen, project) for _ in range(REPEATS)]
        for what, found in (("first", first), ("nothing changed", again)):
            if found:
                print(f"{name + ', ' + what:42}{usual(found)}")
    print(under)


def usual(found: list[Cost]) -> str:
    wall, cpu, queries, begun = map(statistics.median, zip(*found, strict=True))
    most = max(each.wall for each in found)
    return (
        f"{queries:5.0f} queries in {begun:4.0f} transactions, "
        f"{wall:7.0f} ms (worst {most:.0f}), CPU {cpu:7.0f} ms"
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_file_from_the_drop_to_add(ws, tmp_path, tiny_model):
    import_folder.import_base(ws, LOCAL, str(tiny_model), "tiny")
    project = helpers.project(ws, "Bench").id
    page = app.build(ws)
    under = bench_tools.conditions(ws)
    path = banking(tmp_path)
    drop = Drop(page, path, project)
    steps = (
        ("drop", drop.put),
        ("use these columns", drop.use),
        ("held-out slider let go", drop.slide),
        ("one fix ticked", drop.tick),
        ("add", drop.add),
    )
    print(f"\n{path.name}, {ROWS:,} rows, {path.stat().st_size / 1e6:.1f} MB")
    whole, opens, apart = 0.0, 0, 0
    for name, step in steps:
        if name == "use these columns" and drop.readable:
            continue
        with watching(path) as seen:
            began, cpu = time.perf_counter(), seconds_of_cpu()
            step()
            took, used = time.perf_counter() - began, seconds_of_cpu() - cpu
        whole, opens, apart = whole + took, opens + seen.opens, apart + seen.processes
        print(f"{name:24}{took:6.2f} s, CPU {used:6.2f} s, {seen.said}")
    every = Watched(opens=opens, processes=apart).said
    print(f"{'in all':24}{whole:6.2f} s, {every}; kept: {drop.kept}")
    print(under)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_idle_polls_of_jobs_and_of_evaluation(ws, tmp_path):
    project = helpers.project(ws, "Bench").id
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)
    for number in range(TRAININGS):
        tuned = results.adapter(ws, project, base, data, f"Training {number}")
        results.say(ws, tuned.job_id, *results.train_events())
    for _ in range(3):
        made = results.evaluated(ws, project, data, base, tuned, {0: ("a", 0.0, "b", 1.0)})
    page = app.build(ws)
    under = bench_tools.conditions(ws)
    print(f"\n{TRAININGS} trainings and 3 evaluations, all over; median of {REPEATS}")
    for name, elem_id in (
        ("Jobs", "runs-top"),
        ("Evaluation", "evaluate-progress"),
        ("Evaluation, judge", "judge-progress"),
        ("Evaluation, benchmarks", "benchmarks-progress"),
    ):
        poll = tick(page, elem_id)
        held = {part._id: getattr(part, "value", None) for part in poll.inputs}
        if elem_id == "judge-progress":  # of the evaluation that is shown
            held[next(p._id for p in poll.inputs if p.elem_id == "evaluate-which")] = made
        held[next(p._id for p in poll.inputs if p.elem_id == "project")] = project
        for part, update in zip(poll.outputs, answer(poll, held), strict=True):
            keep(held, part, update)
        again = [cost(ws, answer, poll, held) for _ in range(REPEATS)]
        print(f"{name + ', nothing changed':42}{usual(again)}")
    print(under)


# ------------------------------------------------------------------------------------- handlers


def handlers(page: Any, elem_id: str, name: str) -> list[Any]:
    """The functions that run on the event `name` of a part, and those that follow each."""
    blocks = page.blocks
    found = [
        each
        for each in page.fns.values()
        if any(
            what == name and getattr(blocks.get(who), "elem_id", None) == elem_id
            for who, what in each.targets
        )
    ]
    for each in found:
        found += [next_ for next_ in page.fns.values() if next_.trigger_after == each._id]
    assert found, f"nothing runs on {name} of {elem_id}"
    return found


def handler(page: Any, elem_id: str, name: str) -> Callable[..., Any]:
    return handlers(page, elem_id, name)[0].fn


def ticks(page: Any, elem_id: str) -> Callable[..., Any]:
    """The function that a timer runs and that draws the part with this id."""
    return tick(page, elem_id).fn


def tick(page: Any, elem_id: str) -> Any:
    """What a timer runs and what draws the part with this id, with its inputs and outputs."""
    return next(
        each
        for each in page.fns.values()
        if any(what == "tick" for _, what in each.targets)
        and any(getattr(part, "elem_id", None) == elem_id for part in each.outputs)
    )


def answer(handler: Any, held: dict[int, Any]) -> list[Any]:
    """What a handler returns, given what the parts hold."""
    return list(handler.fn(*(held[part._id] for part in handler.inputs)))


def keep(held: dict[int, Any], part: Any, update: Any) -> None:
    """Take the new value of a part, where a handler gave it one."""
    if isinstance(part, gr.State) and update != gr.skip():
        held[part._id] = update


class Drop:
    """The upper half of the Data tab as a browser would drive it: what its parts hold now."""

    def __init__(self, page: Any, path: Path, project: str) -> None:
        self.page = page
        self.path = path
        self.kept = ""
        self.values: dict[int, Any] = {}
        for block in page.blocks.values():
            self.values[block._id] = getattr(block, "value", None)
        self.set("project", project)
        self.set("data-held-out", HELD_OUT[0])

    def set(self, elem_id: str, value: Any) -> None:
        self.values[self.part(elem_id)._id] = value

    def part(self, elem_id: str) -> Any:
        return next(b for b in self.page.blocks.values() if getattr(b, "elem_id", "") == elem_id)

    @property
    def readable(self) -> bool:
        return bool(self.interactive)

    def run(self, elem_id: str, name: str) -> None:
        """Every function of the event in its order, each given what the parts hold by then."""
        for each in handlers(self.page, elem_id, name):
            made = each.fn(*(self.values[part._id] for part in each.inputs))
            made = list(made) if len(each.outputs) > 1 else [made]
            for part, update in zip(each.outputs, made, strict=True):
                self.take(part, update)

    def take(self, part: Any, update: Any) -> None:
        if isinstance(update, dict) and update.get("__type__") == "update":
            said = update
        elif type(update) is type(part) and hasattr(update, "constructor_args"):
            said = dict(update.constructor_args)
        else:
            said = {"value": update}
        if "value" in said:
            self.values[part._id] = said["value"]
        if part.elem_id == "data-add" and "interactive" in said:
            self.interactive = said["interactive"]
        if part.elem_id == "data-fixes" and "choices" in said:
            self.fixes = [value for _, value in said["choices"]]

    def put(self) -> None:
        self.interactive, self.fixes = False, []
        self.set("data-file", [str(self.path)])
        self.run("data-file", "change")

    def use(self) -> None:
        self.set("data-map-prompt", "text")
        self.set("data-map-answer", "category")
        self.run("data-map-use", "click")

    def slide(self) -> None:
        self.set("data-held-out", HELD_OUT[1])
        self.run("data-held-out", "release")

    def tick(self) -> None:
        assert self.fixes, "nothing to mend in this file"
        self.set("data-fixes", self.fixes[:1])
        self.run("data-fixes", "input")

    def add(self) -> None:
        assert self.readable
        self.run("data-add", "click")
        self.kept = f"{self.values[self.part('data-name')._id]}, mended by {self.fixes[0]}"


# ------------------------------------------------------------------------------------ measuring


def cost(ws: Any, poll: Callable[..., Any], *given: Any) -> Cost:
    sent: list[str] = []

    def hears(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(ws.db, "before_cursor_execute", hears)
    began, cpu = time.perf_counter(), time.process_time()
    poll(*given)
    used, took = time.process_time() - cpu, time.perf_counter() - began
    event.remove(ws.db, "before_cursor_execute", hears)
    begun = sum(each.startswith("BEGIN") for each in sent)
    return Cost(1000 * took, 1000 * used, len(sent) - begun, begun)


def seconds_of_cpu() -> float:
    """Of this process and of those that it waited for: a file is read in one of its own."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, both))


@dataclass
class Watched:
    """What this process did meanwhile; a file that is not small is parsed by one of its own.

    Such a file is opened here once for each parse, a small one twice.
    """

    path: str = ""
    opens: int = 0
    processes: int = 0

    @property
    def said(self) -> str:
        return f"the file was opened {self.opens} times, {self.processes} processes started"


now: list[Watched] = []
hooked: list[bool] = []


@contextmanager
def watching(path: Path) -> Iterator[Watched]:
    """Counts until the end of the block."""
    if not hooked:
        sys.addaudithook(_hears)  # stays until the process ends: there is no way to remove it
        hooked.append(True)
    now.append(Watched(str(path)))
    yield now[-1]
    now.pop()


def _hears(name: str, arguments: tuple[Any, ...]) -> None:
    if now and name == "open" and str(arguments[0]) == now[-1].path:
        now[-1].opens += 1
    elif now and name == "subprocess.Popen":
        now[-1].processes += 1


# --------------------------------------------------------------------------------------- seeding


def banking(folder: Path) -> Path:
    """Banking77's training file, or one of as many rows and labels, some rows twice."""
    shared = Path(os.environ.get("TUNELOOP_SHARED_DATA", "")) / "tasks/banking77/train.csv"
    path = folder / "banking.csv"
    if "TUNELOOP_SHARED_DATA" in os.environ and shared.is_file():
        path.write_bytes(shared.read_bytes())
        return path
    with path.open("w", newline="") as file:
        write = csv.writer(file)
        write.writerow(["text", "category"])
        write.writerows(
            (f"my card {n} did not arrive in {n % 31} days, why?", f"intent_{n % 77}")
            for n in (row % 9_990 for row in range(ROWS))
        )
    return path


def seed(ws: Any, project: str, folder: Path) -> dict[str, Any]:
    """A project whose loop went round GENERATIONS times: its id, a closed blind round, votes."""
    tables = MetaData()
    tables.reflect(ws.db)
    rows: dict[str, list[dict[str, Any]]] = {
        name: []
        for name in (
            "dataset", "model", "rating_round", "comparison", "assignment", "vote", "pair_export",
        )
    }  # fmt: skip
    asked = _dataset(rows, project, "faq", "sft", 1, {})
    (folder / "base").mkdir()
    models = [_model(rows, None, "base", 0.0, path=str(folder / "base"))]
    models.append(_model(rows, project, "sft", 1.0, base_id=models[0], method="sft",
                         dataset_id=asked))  # fmt: skip
    start, at = models[1], 10.0
    blind = ""
    for number in range(1, GENERATIONS + 1):
        before = models[-1]
        rated = _round(rows, project, "train_pairs", before, before, asked, at, "closed")
        used = _dataset(rows, project, "pairs", "preference", number, {"rounds": [rated]})
        _export(ws, rows, project, used, rated, at)
        models.append(
            _model(rows, project, f"generation {number}", at + 1, base_id=models[0],
                   parent_id=before, dataset_id=used, method="dpo")
        )  # fmt: skip
        blind = _round(rows, project, "blind_eval", models[-1], start, asked, at + 2, "closed")
        if number in (GENERATIONS // 2, GENERATIONS):
            _round(rows, project, "blind_eval", models[-1], before, asked, at + 3, "closed")
        at += LATER_S
    _round(rows, project, "aa_control", start, start, asked, at, "closed")
    _round(rows, project, "train_pairs", models[-1], models[-1], asked, at + 1, "open")
    assert len(rows["rating_round"]) == ROUNDS
    with ws.db.begin() as conn:
        for name, new in rows.items():
            conn.execute(tables.tables[name].insert(), new)
    return {"project": project, "blind": blind, "votes": len(rows["vote"])}


def _id(kind: str, rows: dict[str, list[dict[str, Any]]]) -> str:
    number = sum(map(len, rows.values()))
    return f"{kind}-{number:011x}-{number:010x}"


def _dataset(
    rows: dict[str, list[dict[str, Any]]],
    project: str,
    name: str,
    kind: str,
    version: int,
    origin: dict[str, Any],
) -> str:
    made = _id("dataset", rows)
    rows["dataset"].append({
        "id": made, "project_id": project, "name": name, "version": version, "kind": kind,
        "layout": kind, "rows": PAIRS, "train_rows": PAIRS, "held_out_rows": 0,
        "sha256": hashlib.sha256(made.encode()).hexdigest(), "file": f"datasets/{made}",
        "origin": json.dumps(origin), "findings": "[]", "created_by": "local",
        "created_at": float(version),
    })  # fmt: skip
    return made


def _model(
    rows: dict[str, list[dict[str, Any]]],
    project: str | None,
    name: str,
    at: float,
    *,
    path: str = "",
    method: str = "",
    **more: Any,
) -> str:
    made = _id("model", rows)
    rows["model"].append({
        "id": made, "project_id": project, "name": name, "kind": "adapter" if project else "base",
        "source": "trained" if project else "folder", "path": path or f"jobs/{made}/adapter",
        "base_id": None, "parent_id": None, "dataset_id": None, "job_id": None,
        "info": json.dumps({"method": method} if method else {}), "created_at": at, **more,
    })  # fmt: skip
    return made


def _round(
    rows: dict[str, list[dict[str, Any]]],
    project: str,
    purpose: str,
    new: str,
    base: str,
    dataset: str,
    at: float,
    status: str,
) -> str:
    made, number = _id("round", rows), len(rows["rating_round"])
    overlap = OVERLAPS[number % len(OVERLAPS)]
    plan = {
        "purpose": purpose, "prompts": PAIRS, "overlap": overlap, "alpha": 0.05,
        "decision": "fixed", "mode": "pair", "repeats": 0, "dataset": dataset, "seed": number,
        "rows": list(range(PAIRS)), "temperature": 0.7, "max_new_tokens": 256,
        "arms": [new, base], "calibration": [], "gold": [],
    }  # fmt: skip
    rows["rating_round"].append({
        "id": made, "project_id": project, "name": f"Round {number}", "purpose": purpose,
        "arm_new": new, "arm_base": base, "plan": json.dumps(plan), "plan_sha256": f"{number:064x}",
        "status": status, "job_id": None, "created_by": "local", "created_at": at,
        "closed_at": at + 1 if status == "closed" else None,
    })  # fmt: skip
    rated = PAIRS if status == "closed" else PAIRS // 2
    for place in range(PAIRS):
        _pair(rows, made, place, new, base, overlap if place < rated else 0, at)
    return made


def _pair(
    rows: dict[str, list[dict[str, Any]]],
    of: str,
    place: int,
    new: str,
    base: str,
    overlap: int,
    at: float,
) -> None:
    made = f"pair-{of[6:17]}-{place:010x}"
    asked = [{"role": "user", "content": f"question {place} of {of}?"}]
    rows["comparison"].append({
        "id": made, "round_id": of, "position": place, "prompt": json.dumps(asked),
        "reference_texts": '["a reference"]', "text_lo": f"answer {place} " + WORD * (place % 40),
        "text_hi": f"another {place} " + WORD * (place % 37), "model_lo": new, "model_hi": base,
        "kind": "normal", "left_first": ("lo", "hi")[place % 2], "details": "{}",
    })  # fmt: skip
    for rater in range(overlap):
        token = f"token-{made}-{rater}"
        left_is = ("lo", "hi")[(place + rater) % 2]
        wish = "lo" if (7 * place + 3 * rater) % 10 < 6 else "hi"
        choice = ("left" if wish == left_is else "right") if (place + rater) % 9 else "tie"
        rows["assignment"].append({
            "id": token, "comparison_id": made, "round_id": of, "rater": f"rater-{rater}",
            "left_is": left_is, "state": "voted", "leased_at": at, "lease_until": at + 600,
            "guest": False,
        })  # fmt: skip
        rows["vote"].append({
            "id": f"vote-{made}-{rater}", "assignment_id": token, "seq": 1, "action": "vote",
            "choice": choice, "active_ms": 2500, "via": "key", "created_at": at + place / 1000,
            "details": "{}",
        })  # fmt: skip


def _export(
    ws: Any, rows: dict[str, list[dict[str, Any]]], project: str, used: str, rated: str, at: float
) -> None:
    """Pairs of a round, and beside their rows the manifest that names the votes."""
    made = _id("export", rows)
    read = [row["id"] for row in rows["vote"] if row["id"][5:].startswith(f"pair-{rated[6:17]}-")]
    place = ws.files / "datasets" / used
    place.mkdir(parents=True)
    (place / f"{made}.json").write_text(json.dumps({"votes": read}))
    rows["pair_export"].append({
        "id": made, "project_id": project, "dataset_id": used, "rounds": json.dumps([rated]),
        "rules": "{}", "watermark": f"{made:0>64}"[-64:], "content_sha256": "0" * 64,
        "pairs": PAIRS, "counts": "{}", "created_by": "local", "created_at": at,
    })  # fmt: skip
