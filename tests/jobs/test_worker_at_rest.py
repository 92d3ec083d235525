"""A worker without work asks the database as little as it can."""

from sqlalchemy import event

from engine import worker as worker_module
from engine.store import jobs
from engine.store.connect import reading
from engine.worker import Worker
from tests import helpers
from tests.store.test_jobs import queued

POLLS = 60  # a minute at rest


def test_worker_at_rest_reads_once_a_poll_and_writes_for_its_heartbeat_alone(ws):
    worker = Worker(ws, clock=lambda: 0.0)
    worker.poll(1000.0)  # the first sweeps and says that it is there
    said = []

    def note(_conn, _cursor, statement, *_):
        said.append(statement.split()[0].upper())

    event.listen(ws.db, "before_cursor_execute", note)
    for number in range(POLLS):
        worker.poll(1000.0 + number * worker_module.REST_EVERY_S)
    event.remove(ws.db, "before_cursor_execute", note)
    beats = POLLS * worker_module.REST_EVERY_S / worker_module.HEARTBEAT_EVERY_S
    assert said.count("SELECT") <= POLLS + beats
    assert said.count("UPDATE") <= beats
    assert set(said) <= {"SELECT", "UPDATE", "BEGIN"}


def test_waiting_lanes_are_those_of_queued_jobs(ws):
    project = helpers.project(ws)
    with reading(ws.db) as conn:
        assert jobs.waiting_lanes(conn) == set()
    queued(ws, project.id)
    queued(ws, project.id, "loop")
    helpers.claimed(ws, queued(ws, project.id, "play").id, "play")
    with reading(ws.db) as conn:
        assert jobs.waiting_lanes(conn) == {"compute", "loop"}
