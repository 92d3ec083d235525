"""The process of the playground stays for the next question and goes when it should."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import child, warm_child
from engine import worker as worker_module
from engine.core.actor import LOCAL
from engine.core.job import State
from engine.core.job_context import ModelCache
from engine.core.model import Model
from engine.jobs import playground
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.store import jobs as store
from engine.store import models as model_store
from engine.store.connect import reading, writing
from engine.worker import Worker
from tests import helpers
from tests.untrained_adapter import adapter


@pytest.fixture
def ask(space):
    """Queues a question that is answered without torch; its job."""

    def submit(act="answer", **values):
        from fake_play import Recipe

        return lifecycle.submit(space, LOCAL, helpers.project(space).id, Recipe(act=act, **values))

    return submit


@pytest.fixture
def answer(worker, ask, turn_until):
    """Asks and waits; the finished job."""

    def wait(act="answer", **values):
        return turn_until(worker, ask(act, **values).id, over)

    return wait


def over(job):
    return job.over


def began(ws, job_id):
    return lambda _: any(e.kind == "sample" for e in lifecycle.watch(ws, LOCAL, job_id))


def gone(pid):
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().split(") ")[1].startswith("Z")


def wait_until(ready, seconds=300.0):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def log_of(ws, job):
    return (ws.files / "jobs" / job.id / "log.txt").read_text()


def settle(worker):
    """Let the worker notice that the job is over; the pid of the child that waits now."""
    wait_until(lambda: worker.poll(time.time()) or not worker.running)
    return worker.warm._child and worker.warm._child.pid


def test_warm_child_answers_the_next_question_with_the_loaded_model(answer):
    first, second, other, back = (
        answer(note="1").result,
        answer(note="2").result,
        answer(note="3", model="large").result,
        answer(note="4").result,
    )
    assert first.pid == second.pid == other.pid == back.pid
    assert [each.made for each in (first, second, other, back)] == [1, 1, 2, 3]


def test_warm_child_that_is_idle_holds_no_lease_and_has_no_heartbeat(space, worker, answer):
    first = answer()
    pid = settle(worker)
    assert pid == first.result.pid
    assert not worker.running
    alive = (space.files / "jobs" / first.id / "alive").stat().st_mtime_ns
    time.sleep(1.2)
    worker.poll(time.time())
    with reading(space.db) as conn:
        assert store.get(conn, first.id).lease_until is None
    assert (space.files / "jobs" / first.id / "alive").stat().st_mtime_ns == alive
    assert answer(note="next").result.pid == pid


def test_warm_child_survives_a_lease_renewal_right_after_its_job(space, worker, ask, turn_until):
    job = ask()
    turn_until(worker, job.id, lambda _: job.id in worker.running)
    wait_until(lambda: lifecycle.get(space, LOCAL, job.id).over)
    worker._renew_leases(time.time())
    assert settle(worker) == lifecycle.get(space, LOCAL, job.id).result.pid


def test_warm_child_killed_while_idle_harms_nothing(worker, answer):
    first = answer(note="1")
    os.kill(settle(worker), signal.SIGKILL)
    second = answer(note="2")
    assert (first.state, second.state, second.attempts) == (State.DONE, State.DONE, 1)
    assert second.result.pid != first.result.pid


def test_warm_child_that_dies_before_a_question_is_replaced(worker, ask, answer, turn_until):
    """It is stopped, so the question lies unread in its pipe when it is killed."""
    answer(note="1")
    pid = settle(worker)
    os.kill(pid, signal.SIGSTOP)
    job = ask(note="2")
    turn_until(worker, job.id, lambda _: job.id in worker.running)
    assert worker.running[job.id].process.pid == pid
    os.kill(pid, signal.SIGKILL)
    done = turn_until(worker, job.id, over)
    assert (done.state, done.attempts, done.fence) == (State.DONE, 1, 1)
    assert done.result.pid != pid


@pytest.mark.parametrize("question", ["first", "second"])
def test_warm_child_killed_while_answering_fails_the_question(question, space, answer):
    if question == "second":
        answer()
    killed = answer("die")
    assert killed.state is State.FAILED
    assert "signal 9" in killed.error
    assert log_of(space, killed).count("asked") == 1  # and was not begun again
    assert answer(note="again").state is State.DONE


def test_warm_child_survives_a_stopped_question(space, worker, ask, answer, turn_until):
    pid = answer().result.pid
    job = ask("long")
    turn_until(worker, job.id, began(space, job.id))
    lifecycle.cancel(space, LOCAL, job.id)
    assert turn_until(worker, job.id, over).state is State.CANCELLED
    assert settle(worker) == pid
    assert not worker.cancel_seen
    assert answer(note="third").result.pid == pid


def test_sigterm_stops_an_answer_and_ends_an_idle_warm_child(
    space, worker, ask, answer, turn_until
):
    pid = answer().result.pid
    job = ask("long")
    turn_until(worker, job.id, began(space, job.id))
    os.kill(pid, signal.SIGTERM)
    assert turn_until(worker, job.id, over).state is State.CANCELLED
    assert settle(worker) == pid
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: gone(pid))
    assert answer(note="third").result.pid != pid


def test_sigterm_is_not_lost_while_the_database_is_looked_at(space, ask, monkeypatch):
    context = child.JobContext(space, ask("long"), ModelCache())
    look = child.access.job

    def interrupted(*asked):
        found = look(*asked)
        context.stop(signal.SIGTERM, None)
        return found

    monkeypatch.setattr(child.access, "job", interrupted)
    assert context.cancelled()


def test_warm_child_that_ignores_sigterm_is_killed(
    space, worker, ask, answer, turn_until, monkeypatch
):
    monkeypatch.setattr(worker_module, "TERM_AFTER_S", 0.2)
    monkeypatch.setattr(worker_module, "KILL_AFTER_S", 0.6)
    pid = answer().result.pid
    job = ask("deaf")
    turn_until(worker, job.id, began(space, job.id))
    lifecycle.cancel(space, LOCAL, job.id)
    assert turn_until(worker, job.id, over).state is State.CANCELLED
    wait_until(lambda: gone(pid))
    assert answer(note="third").state is State.DONE


@pytest.mark.parametrize("act", ["bug", "refuse"])
def test_warm_child_leaves_after_a_failed_question(act, worker, answer):
    answer()
    settle(worker)
    child = worker.warm._child
    assert answer(act).state is State.FAILED
    assert child.wait(300) == 1
    assert settle(worker) is None
    assert answer(note="third").result.pid != child.pid


def test_warm_child_logs_to_the_question_it_answers(space, answer):
    first, second = answer(note="one"), answer(note="two")
    failed = answer("bug", note="three")
    assert log_of(space, first) == "asked one\n"
    assert log_of(space, second) == "asked two\n"
    assert log_of(space, failed).startswith("asked three\nTraceback")
    assert "ZeroDivisionError: three" in log_of(space, failed)


def test_warm_child_ends_before_a_training_starts(worker, train, answer, turn_until):
    pid = answer().result.pid
    assert settle(worker) == pid
    job = train(steps=100_000)
    turn_until(worker, job.id, lambda _: job.id in worker.running)
    assert gone(pid)
    assert answer(note="meanwhile").state is State.DONE
    assert settle_beside(worker, job) is None  # the memory is the training's
    worker.running[job.id].process.kill()


def settle_beside(worker, job):
    wait_until(lambda: worker.poll(time.time()) or list(worker.running) == [job.id])
    return worker.warm._child


def test_warm_child_refuses_a_job_with_another_fence(space, worker, ask, answer):
    """Between the claim and the child's look the job was given to somebody else."""
    answer()
    settle(worker)
    child = worker.warm._child
    job = ask(note="2")
    taken = helpers.claimed(space, job.id, "play")
    with writing(space.db) as conn:
        assert store.requeue(conn, job.id, taken.fence)
    (space.files / "jobs" / job.id).mkdir()
    assert worker.warm.take(taken) is child
    assert child.wait(300) == 1
    assert lifecycle.get(space, LOCAL, job.id).state is State.QUEUED
    assert not began(space, job.id)(None)


def test_warm_child_leaves_after_four_idle_minutes(space, ask, turn_until):
    ahead = [0.0]
    worker = Worker(space, clock=lambda: ahead[0])  # stands still
    job = ask()
    pid = turn_until(worker, job.id, over).result.pid
    settle(worker)
    ahead[0] = warm_child.STAY_S - 10
    worker.poll(time.time())
    assert not gone(pid)
    ahead[0] = warm_child.STAY_S + 10
    worker.poll(time.time())
    wait_until(lambda: gone(pid))


def test_warm_child_that_does_not_leave_is_killed(worker, answer):
    answer()
    pid = settle(worker)
    os.kill(pid, signal.SIGSTOP)
    worker.warm.end()
    wait_until(lambda: gone(pid))


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_warm_child_ends_with_its_worker(sign, space, ask):
    job = ask()
    code = "from engine.worker import Worker; from engine.workspace import open_workspace\n"
    code += "Worker(open_workspace()).serve()"
    environment = {**os.environ, **space.settings.environment()}
    worker = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        wait_until(lambda: lifecycle.get(space, LOCAL, job.id).over)
        pid = lifecycle.get(space, LOCAL, job.id).result.pid
        time.sleep(0.7)  # the worker has noticed
        assert not gone(pid)
    finally:
        worker.send_signal(sign)
        worker.wait(300)
    wait_until(lambda: gone(pid))


@pytest.fixture
def tuned(space, tiny_model, tmp_path):
    """A base and an adapter of it in a workspace: two model ids."""
    base = shutil.copytree(tiny_model, tmp_path / "base")
    found = registry.add_base(space, LOCAL, "tiny", base, "folder")
    adapter(base, space.files / "tuned", 1)
    new = Model(id="model-tuned", name="tuned", kind="adapter", source="trained", path="tuned",
                base_id=found.id, created_at=0.0)  # fmt: skip
    with writing(space.db) as conn:
        model_store.add(conn, new)
    return found.id, new.id


def question(ws, *who, prompt="Hi", longest=8):
    recipe = playground.Recipe(models=who, prompt=prompt, max_new_tokens=longest)
    return lifecycle.submit(ws, LOCAL, helpers.project(ws).id, recipe)


def said(ws, job):
    return [
        event.data["text"] for event in lifecycle.watch(ws, LOCAL, job.id) if event.kind == "log"
    ]


def texts(job):
    return {model: told.text for model, told in job.result.answers.items()}


@pytest.mark.train
def test_warm_child_loads_the_model_once_for_three_questions(space, worker, tuned, turn_until):
    """The second is stopped while it is answered; the third is answered as the first."""
    first = question(space, *tuned)
    turn_until(worker, first.id, lambda _: worker.running)
    process = worker.running[first.id].process
    first = turn_until(worker, first.id, lambda job: job.over)
    assert first.state is State.DONE
    assert said(space, first) == ["The model is being loaded."]

    # as the one after another: long enough that nobody is done before the stop is heard
    second = question(space, *tuned * 2, prompt="Tell me all", longest=900)
    turn_until(worker, second.id, lambda _: began(space, second.id)(None))
    assert worker.running[second.id].process is process
    lifecycle.cancel(space, LOCAL, second.id)
    assert turn_until(worker, second.id, lambda job: job.over).state is State.CANCELLED

    third = question(space, *reversed(tuned))
    third = turn_until(worker, third.id, lambda job: job.over)
    assert texts(third) == texts(first)
    assert said(space, third) == []
    assert process.poll() is None
