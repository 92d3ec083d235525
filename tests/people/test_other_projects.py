"""No service tells or changes anything of a project that is not the actor's.

Made from the signatures: every public function of engine/services that takes a workspace and an
actor is called with the ids of somebody else's project, by an actor who may do everything in their
own. A new service is covered when it is written; a parameter that is not known here fails.
"""

import importlib
import inspect
import io
import pkgutil

import pytest

from engine import plugins, services
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Forbidden, NotFound
from engine.core.parsed_file import ParsedFile
from engine.core.rating import VoteRequest
from engine.services import feedback, projects
from engine.services.data import datasets, staging
from engine.services.data.datasets import Reading
from engine.services.data.prepared_rows import CheckedRows
from engine.services.evaluation import evaluations
from engine.services.jobs import lifecycle
from engine.services.loop.auto_loop_next_step import LoopGoal
from engine.services.people import api_keys, visitors
from engine.services.preferences import build
from engine.services.rating import flagged_comparisons, invites, rounds
from engine.services.rating.plans import RoundRecipe
from engine.services.training import api_fine_tuning
from tests import helpers
from tests.people.visitor_tokens import BEN, use_key
from tests.rating import rated, screen
from tests.ui import results

# These concern no project: the whole server, a file in hand, the actor's own browser.
OF_NO_PROJECT = {
    "backups.make": "the whole database, for owners",
    "models.import_folder.import_base": "a base for every project, for owners",
    "models.registry.add_base": "a base for every project, for owners",
    "models.registry.default_is_known": "a base of every project",
    "models.registry.default_model": "a base of every project",
    "models.registry.ensure_default": "a base for every project",
    "models.api_process.leave": "the API of the whole server, for owners",
    "models.api_process.look": "whether the API of the server runs, and where",
    "models.api_process.resume": "the API of the whole server, for owners",
    "models.api_process.start": "the API of the whole server, for owners",
    "models.api_process.stop": "the API of the whole server, for owners",
    "hub.look": "a base of the Hub, for owners",
    "projects.create": "a project of their own",
    "data.staging.stage": "a file in hand",
    "loop.demo_start.start": "a project of their own",
    "jobs.lifecycle.worker_alive": "whether anything works at all",
    "evaluation.benchmarks.import_tasks": "task files in hand",
    "people.accounts.add": "accounts, for owners of the server",
    "people.accounts.find_by_name": "accounts, for owners of the server",
    "people.accounts.change": "accounts, for owners of the server",
    "people.accounts.close": "accounts, for owners of the server",
    "people.accounts.get": "accounts, for owners of the server",
    "people.accounts.list_all": "accounts, for owners of the server",
    "people.accounts.new_link": "accounts, for owners of the server",
    "people.accounts.reopen": "accounts, for owners of the server",
    "rating.audit.refused": "writes a refusal down and tells nothing",
    "rating.audit.record_refused_look": "writes a refusal down and tells nothing",
    "rating.audit.record_refused_vote": "writes a refusal down and tells nothing",
    "rating.audit.record_foreign_round": "writes a refusal down and tells nothing",
}


def all_services():
    for module in pkgutil.walk_packages(services.__path__, "engine.services."):
        found = importlib.import_module(module.name)
        for name, function in vars(found).items():
            named = inspect.isfunction(function) and not name.startswith("_")
            if named and function.__module__ == module.name:
                taken = inspect.signature(inspect.unwrap(function)).parameters
                if {"ws", "actor"} <= set(taken):
                    yield f"{module.name.removeprefix('engine.services.')}.{name}", function


SERVICES = dict(all_services())


@pytest.fixture
def theirs(ws, tmp_path):
    """Every id and text of a project with a bit of everything, and the values to ask with."""
    one = rated.started(ws, tmp_path, "train_pairs", pairs=30, overlap=2, project="secret project")
    lifecycle.cancel(ws, LOCAL, one.job_id)
    rated.rate_all(ws, one, "ada")
    export = build.make(ws, LOCAL, one.project_id)
    again = helpers.dataset(ws, one.project_id, tmp_path, rows=44)
    base = helpers.model(ws, tmp_path, "base of all")
    tuned = results.adapter(ws, one.project_id, base, again, "secret run")
    answers = dict.fromkeys(range(3), ("secret", 0.1, "secret too", 1.0))
    which = results.evaluated(ws, one.project_id, again, base, tuned, answers)
    invites.make(ws, LOCAL, one.project_id, "Secret Ada")
    who = rated.rater("ben")
    shown = screen.next_pair(ws, who, one.id)
    flagged_comparisons.add(ws, who, shown.token, "pair", "off_topic", "secret note")
    held = screen.next_pair(ws, who, one.id)
    job = lifecycle.list_all(ws, LOCAL, one.project_id, ("sft",))[0]
    sft = plugins.load("jobs", "sft").Recipe(model=tuned.id, dataset=again.id)
    row = datasets.rows(ws, LOCAL, again.id)
    secret = helpers.chat_file(tmp_path, name="secret.jsonl")
    parsed = ParsedFile(examples=[each.example for each in row], kind="sft", layout="x", broken=[])
    handed_in = api_fine_tuning.add_file(
        ws, LOCAL, one.project_id, "secret.jsonl", "fine-tune", io.BytesIO(b"{}")
    )
    key, _ = api_keys.make(ws, LOCAL, one.project_id, "secret key")
    feedback.keep(
        ws, LOCAL, one.project_id, feedback.ArenaChoice(tuned), completion_id="chatcmpl-1-secret",
        key_id=key.id, captures=True, prompt=parsed.examples[0].prompt, text="secret",
    )  # fmt: skip
    return {
        "project_id": one.project_id, "project_ids": [one.project_id],
        "round_id": one.id, "round_ids": [one.id],
        "dataset_id": again.id, "older_id": again.id, "newer_id": again.id, "dataset": again.id,
        "training_id": again.id, "one": again, "rows": row, "parsed": parsed,
        "model_id": tuned.id, "model_ids": [tuned.id], "arm_new": tuned.id, "arm_base": tuned.id,
        "job_id": job.id, "job_ids": [job.id, one.job_id], "recipe": sft,
        "export_id": export.id, "evaluation_id": which,
        "evaluation": evaluations.get(ws, LOCAL, which),
        "flag_id": flagged_comparisons.list_all(ws, LOCAL, one.id)[0].id,
        "invite_id": invites.list_all(ws, LOCAL, one.project_id)[0].id,
        "token": held.token, "key": "foreign-key-0001", "choice": "left",
        "asked": VoteRequest(token=held.token, key="foreign-key-0001", choice="left"),
        "folder": ws.files / tuned.path, "path": helpers.chat_file(tmp_path), "name": "faq.jsonl",
        "target": "pair", "kind": "off_topic", "note": "n", "tags": ["a"], "rater": "ada",
        "rater_name": "Eve", "reason": "curious", "fixes": ["drop_exact_duplicates"],
        "question": "Why?", "right": "So.", "questions": ["Why?"], "repo": "a/b", "fmt": "trl",
        "purpose": "train_pairs", "origin": {}, "held_out": 0.1, "by": "length",
        "values": {"models": [tuned.id], "tasks": ["arc_easy"]}, "examples": parsed.examples,
        RoundRecipe: RoundRecipe(model=tuned.id, dataset=again.id),
        "goal": LoopGoal(tuned.id, 0.0), "how": Reading(), "overlap": {one.id: 1}, "worker": True,
        "places": range(len(row)), "sides": ["train"] * len(row), "splits": ["train"] * len(row),
        "file": secret,
        "checked": CheckedRows(layout="x", kind="sft", rows=44, sha256="0" * 64, findings=()),
        "upload_id": staging.stage(ws, LOCAL, secret, secret.name),
        "file_id": handed_in.id, "training": handed_in.id, "validation": None, "request": "{}",
        "source": io.BytesIO(b"{}"), "key_id": key.id, "completion_id": "chatcmpl-1-secret",
        "captures": True, "prompt": parsed.examples[0].prompt, "text": "t", "up": True,
        "rejected": ["chatcmpl-2-secret"], feedback.ArenaChoice: feedback.ArenaChoice(tuned),
        "rows_as": "pairs", "wanted": "arena@secret project",
        "find": None, "to": "trl", "strength": 0.5, "out": tmp_path / "out",
    }  # fmt: skip


def asked(function, theirs):
    """Every parameter that must be given, by its type where two are of one name."""
    for name, one in inspect.signature(function).parameters.items():
        if name not in ("ws", "actor") and one.default is one.empty:
            if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
                continue
            yield name, 3 if one.annotation is int else theirs.get(one.annotation, theirs[name])
        elif name in ("project_id", "round_ids", "model_ids") and one.default is not one.empty:
            yield name, theirs[name]


def owner_of_one(ws):
    mine = projects.create(ws, LOCAL, "Mine")
    return Actor(name="Bob", role=Role.OWNER, projects=frozenset({mine.id}))


def visitor_of_a_space(ws):
    use_key(ws)
    projects.create(ws, visitors.require(ws, BEN), "Mine")
    return visitors.require(ws, BEN)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("stranger", [owner_of_one, visitor_of_a_space])
def test_every_service_hides_what_is_of_another_project(ws, theirs, stranger):
    bob = stranger(ws)
    known = [value for value in theirs.values() if isinstance(value, str) and "-1" in value]
    assert len(known) > 10
    before = {one.id for one in lifecycle.list_all(ws, LOCAL, theirs["project_id"])}
    leaks, answered = {}, {}
    for name, function in SERVICES.items():
        if name in OF_NO_PROJECT:
            continue
        values = dict(asked(function, theirs))
        try:
            told = function(*[p for p in (ws,) if "ws" in inspect.signature(function).parameters],
                            actor=bob, **values)  # fmt: skip
        except (NotFound, Forbidden):
            continue
        except Exception as error:  # refused for another reason: that could hide a leak
            answered[name] = f"{type(error).__name__}: {error}"
            continue
        said = repr(told)
        if "secret" in said.casefold() or any(each in said for each in known):
            leaks[name] = said[:200]
        elif told not in ([], None, "", {}, 0):
            answered[name] = said[:200]
    assert leaks == {}
    assert set(answered) == set(ANSWERED), answered
    assert {one.id for one in lifecycle.list_all(ws, LOCAL, theirs["project_id"])} == before
    assert rounds.get(ws, LOCAL, theirs["round_id"]).status == "open"


# What is answered all the same, and tells nothing of the project.
ANSWERED = {
    "evaluation.llm_judge.submit": "looks first whether a judge can be asked at all",
    "evaluation.slices.slicing": "of an evaluation in hand",
    "projects.find_or_create": "their own, made where there is none",
    "projects.list_all": "their own",
    "rating.votes.request": "of values in hand, which are no vote here",
}


def test_services_without_a_project_are_listed():
    assert set(OF_NO_PROJECT) <= set(SERVICES)
    assert len(SERVICES) > 120
