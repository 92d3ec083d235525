"""OpenAI's scripts train here: files and fine-tuning jobs over our own queue."""

import json
from re import fullmatch

import openai
import pytest

from engine import child
from engine.core.actor import LOCAL, Actor, Role
from engine.core.job import State
from engine.services import projects
from engine.services.data import datasets
from engine.services.jobs import lifecycle, listing
from engine.services.people import api_keys
from engine.services.training import api_fine_tuning
from tests import helpers
from tests.api.databases import EACH

pytestmark = pytest.mark.train
CHATS = [
    {"messages": [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": f"a{i}"}]}
    for i in range(12)
]
PAIRS = [
    {
        "input": {"messages": [{"role": "user", "content": f"q{i}"}]},
        "preferred_output": [{"role": "assistant", "content": "good"}],
        "non_preferred_output": [{"role": "assistant", "content": "bad"}],
    }
    for i in range(12)
]


def jsonl(rows, name="train.jsonl"):
    return (name, "\n".join(map(json.dumps, rows)).encode())


def uploaded(client, rows, name="train.jsonl"):
    return client.files.create(file=jsonl(rows, name), purpose="fine-tune")


def trained(ws, job_id):
    """The job as the worker would run it."""
    helpers.claimed(ws, job_id)
    state = child.run(ws, job_id, 1)
    assert state is State.DONE, lifecycle.get(ws, LOCAL, job_id).error


def supervised(**values):
    return {"type": "supervised", "supervised": {"hyperparameters": values}}


def dpo(**values):
    return {"type": "dpo", "dpo": {"hyperparameters": values}}


@EACH
@pytest.mark.parametrize(
    ("rows", "method", "kind"),
    [
        (CHATS, supervised(n_epochs=2, batch_size=4), "sft"),
        (PAIRS, dpo(n_epochs=1, beta=0.2), "dpo"),
    ],
    ids=["supervised", "dpo"],
)  # fmt: skip
def test_unchanged_script_trains_and_then_chats_with_the_result(
    client, workspace, rows, method, kind
):
    file = uploaded(client, rows)
    job = client.fine_tuning.jobs.create(
        model="tiny", training_file=file.id, method=method, suffix="mine", seed=7,
        metadata={"for": "tests"},
    )  # fmt: skip
    assert (job.status, job.seed, job.metadata) == ("queued", 7, {"for": "tests"})
    ours = lifecycle.get(workspace, LOCAL, job.id)
    assert (ours.kind, ours.name, ours.recipe["seed"]) == (kind, "tiny-mine", 7)
    trained(workspace, job.id)
    done = client.fine_tuning.jobs.retrieve(job.id)
    assert done.status == "succeeded"
    assert done.trained_tokens > 0
    said = client.chat.completions.create(
        model=done.fine_tuned_model, messages=[{"role": "user", "content": "q1"}],
        max_tokens=4, temperature=0,
    )  # fmt: skip
    assert said.usage.completion_tokens >= 1
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=3))
    assert events[0].message == "The job is succeeded."
    assert events[-1].message == "The job is queued."
    assert len({event.id for event in events}) == len(events) > 5
    measured = [event.data for event in events if event.type == "metrics"]
    assert any("train_loss" in data for data in measured)
    assert any("valid_loss" in data for data in measured)
    (point,) = client.fine_tuning.jobs.checkpoints.list(job.id)
    assert point.fine_tuned_model_checkpoint == done.fine_tuned_model
    content = client.files.content(done.result_files[0])
    assert client.files.retrieve(done.result_files[0]).bytes == len(content.content) > 0
    table = content.text.splitlines()
    assert table[0].startswith("step,")
    assert len(table) > 2
    assert [one.id for one in client.fine_tuning.jobs.list()] == [job.id]


@EACH
def test_hyperparameters_become_those_of_the_recipe(client, workspace):
    file = uploaded(client, CHATS)
    chosen = supervised(n_epochs=3, batch_size=2, learning_rate_multiplier=0.5)
    job = client.fine_tuning.jobs.create(model="bot 1", training_file=file.id, method=chosen)
    recipe = lifecycle.get(workspace, LOCAL, job.id).recipe
    assert recipe["num_train_epochs"] == 3
    assert recipe["per_device_train_batch_size"] == 2
    assert recipe["learning_rate"] == pytest.approx(1e-4)
    auto = client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    recipe = lifecycle.get(workspace, LOCAL, auto.id).recipe
    assert recipe["learning_rate"] == pytest.approx(2e-4)
    assert auto.hyperparameters.n_epochs == "auto"


@EACH
def test_validation_file_is_what_is_held_out(client, workspace):
    train, valid = uploaded(client, CHATS), uploaded(client, CHATS[:3], "valid.jsonl")
    job = client.fine_tuning.jobs.create(
        model="tiny", training_file=train.id, validation_file=valid.id
    )
    known = datasets.get(
        workspace, LOCAL, str(lifecycle.get(workspace, LOCAL, job.id).recipe["dataset"])
    )
    assert (known.train_rows, known.held_out_rows) == (12, 3)


@EACH
def test_job_that_waits_is_cancelled(client, workspace):
    job = client.fine_tuning.jobs.create(model="tiny", training_file=uploaded(client, CHATS).id)
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    with pytest.raises(openai.ConflictError):
        client.fine_tuning.jobs.cancel(job.id)
    with pytest.raises(openai.NotFoundError):
        client.fine_tuning.jobs.pause(job.id)


@EACH
def test_fields_that_nobody_knows_leave_the_list_of_jobs_readable(client):
    deep: list = []
    for _ in range(400):
        deep = [deep]
    file = uploaded(client, CHATS)
    job = client.fine_tuning.jobs.create(
        model="tiny", training_file=file.id, extra_body={"new": deep}
    )
    assert [one.id for one in client.fine_tuning.jobs.list()] == [job.id]


def test_jobs_asked_for_at_once_are_one_only_where_the_whole_request_is(client):
    file = uploaded(client, CHATS)
    ways = {"model": "tiny", "training_file": file.id, "suffix": "a", "metadata": {"for": "a"}}
    first, again, other = (
        client.fine_tuning.jobs.create(**{**ways, **more})
        for more in ({}, {}, {"metadata": {"for": "b"}})
    )
    assert first.id == again.id != other.id
    assert other.metadata == {"for": "b"}


def test_jobs_are_listed_by_their_metadata(client):
    file = uploaded(client, CHATS)
    a, b, none = (
        client.fine_tuning.jobs.create(model="tiny", training_file=file.id, metadata=metadata)
        for metadata in ({"for": "a", "n": "1"}, {"for": "b"}, None)
    )
    listed = client.fine_tuning.jobs.list
    assert [one.id for one in listed(metadata={"for": "a", "n": "1"})] == [a.id]
    assert [one.id for one in listed(metadata={"for": "b"})] == [b.id]
    assert not list(listed(metadata={"for": "b", "n": "1"}))
    assert [one.id for one in listed(metadata="null")] == [none.id]
    assert len(list(listed())) == 3


@EACH
def test_failed_training_says_why(client, workspace, monkeypatch):
    from engine.methods import sft

    def fails(*_):
        raise RuntimeError("no")

    job = client.fine_tuning.jobs.create(model="tiny", training_file=uploaded(client, CHATS).id)
    monkeypatch.setattr(sft, "run", fails)
    helpers.claimed(workspace, job.id)
    child.run(workspace, job.id, 1)
    failed = client.fine_tuning.jobs.retrieve(job.id)
    assert failed.status == "failed"
    assert failed.error.message
    assert failed.fine_tuned_model is None


@pytest.mark.parametrize(
    ("rows", "changes", "words"),
    [
        (CHATS[:4], {}, "at least 10"),
        (PAIRS, {}, "row 1: 'messages' is missing"),
        (CHATS, {"method": dpo()}, "row 1: 'input' is empty"),
        (CHATS, {"method": {"type": "reinforcement"}}, "graders"),
        (CHATS, {"method": {"type": "magic"}}, "unknown"),
        (CHATS, {"method": supervised(beta=0.1)}, "beta"),
        (CHATS, {"method": supervised(n_epochs=0)}, "n_epochs"),
        (CHATS, {"model": "gpt-4o-mini"}, "does not exist"),
        (CHATS, {"training_file": "file-none"}, "No such File"),
        (CHATS, {"validation_file": "file-none"}, "No such File"),
        (CHATS, {"suffix": "x" * 65}, "suffix"),
        (CHATS, {"metadata": {"a": "x" * 513}}, "metadata"),
        (CHATS, {"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, "recipes"),
        ([{"messages": "x"}] * 12, {}, "row 1"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_job_that_cannot_start_is_a_sentence(client, workspace, project, rows, changes, words):
    file = uploaded(client, rows)
    with pytest.raises(openai.APIStatusError) as refused:
        client.fine_tuning.jobs.create(**{"model": "tiny", "training_file": file.id, **changes})
    assert refused.value.status_code in (400, 404)
    assert words in refused.value.message
    assert not lifecycle.list_all(workspace, LOCAL, project.id)


@EACH
def test_files_are_listed_read_and_deleted(client):
    first, second = uploaded(client, CHATS), uploaded(client, PAIRS, "pairs.jsonl")
    assert [one.id for one in client.files.list()] == [second.id, first.id]
    assert [one.id for one in client.files.list(order="asc", limit=1)] == [first.id, second.id]
    with pytest.raises(openai.BadRequestError):
        client.files.list(order="up")
    assert client.files.content(first.id).content == jsonl(CHATS)[1]
    assert client.files.retrieve(second.id).filename == "pairs.jsonl"
    assert client.files.delete(first.id).deleted
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(first.id)


@pytest.mark.parametrize(
    ("name", "purpose"), [("a.txt", "fine-tune"), ("", "fine-tune"), ("a.jsonl", "vision")]
)
def test_file_that_is_not_for_training_is_refused(client, name, purpose):
    with pytest.raises((openai.BadRequestError, openai.UnprocessableEntityError)):
        client.files.create(file=(name, b"{}"), purpose=purpose)


def test_file_name_leads_nowhere(client, workspace):
    file = client.files.create(file=("../../etc/x\t<.jsonl", b"{}"), purpose="fine-tune")
    assert fullmatch(r"x_[\w_]*\.jsonl", file.filename)
    assert [path.name for path in (workspace.files / "api").iterdir()] == [file.id]


@EACH
def test_other_project_sees_neither_files_nor_jobs(client, serve, workspace):
    file = uploaded(client, CHATS)
    job = client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    other = projects.create(workspace, LOCAL, "Other")
    _, token = api_keys.make(workspace, LOCAL, other.id, "theirs")
    with openai.OpenAI(base_url=client.base_url, api_key=token, max_retries=0) as stranger:
        assert not list(stranger.files.list())
        assert not list(stranger.fine_tuning.jobs.list())
        for call in (
            lambda: stranger.files.content(file.id),
            lambda: stranger.files.delete(file.id),
            lambda: stranger.fine_tuning.jobs.retrieve(job.id),
            lambda: stranger.fine_tuning.jobs.cancel(job.id),
            lambda: list(stranger.fine_tuning.jobs.list_events(job.id)),
            lambda: stranger.chat.completions.create(model="bot 1", messages=[]),
        ):
            with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
                call()
        with pytest.raises(openai.BadRequestError):
            stranger.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    rater = Actor(name="Cy", role=Role.RATER, projects=frozenset({other.id}))
    with pytest.raises(Exception, match="role"):
        api_fine_tuning.files(workspace, rater, other.id)


@EACH
def test_run_that_a_program_started_can_be_removed(client, workspace):
    job = client.fine_tuning.jobs.create(model="tiny", training_file=uploaded(client, CHATS).id)
    client.fine_tuning.jobs.cancel(job.id)
    listing.remove(workspace, LOCAL, job.id)
    assert not list(client.fine_tuning.jobs.list())
