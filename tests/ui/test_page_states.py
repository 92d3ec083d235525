"""What the server keeps of opened pages is bounded, and at rest it looks for nothing."""

import asyncio
import threading
import time

import gradio as gr
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from gradio.state_holder import StateHolder

from tests.page_load import Visitor
from tests.serving import free_port
from ui.web import page_states
from ui.web.page_states import PageStates, RestingQueue

PARTS = 50


def small_page() -> gr.Blocks:
    """A counter in a `gr.State`, and a list whose choices an event changes."""
    with gr.Blocks() as demo:
        count = gr.State(0)
        shown = gr.Number(0, elem_id="shown")
        choice = gr.Dropdown(["a"], elem_id="choice")
        again = gr.Button(elem_id="again")
        told = gr.Textbox(elem_id="told")
        for _ in range(PARTS):
            gr.HTML("part")
        demo.load(lambda: gr.Dropdown(["a", "b"]), None, choice)
        again.click(lambda n: (n + 1, n + 1), count, [count, shown])
        choice.input(lambda chosen: f"{chosen}!", choice, told)
    demo.queue(default_concurrency_limit=8, max_size=200)
    return demo


@pytest.fixture
def demo():
    return small_page()


@pytest.fixture
def address(demo):
    app = gr.mount_gradio_app(FastAPI(), demo, "/")
    page_states.keep_little(app.routes[-1].app, demo)
    config = uvicorn.Config(app, port=free_port(), log_level="error")
    started = uvicorn.Server(config)
    thread = threading.Thread(target=started.run, daemon=True)
    thread.start()
    while not started.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{config.port}"
    started.should_exit = True
    thread.join(30)


@pytest.fixture
def visitor(address):
    made = Visitor(address)
    yield made
    made.close()


def test_states_of_pages_never_exceed_their_number(demo):
    states = PageStates(demo)
    for number in range(page_states.MOST + 50):
        states[f"page {number}"]
    assert len(states.session_data) == page_states.MOST
    assert len(states.time_last_used) == page_states.MOST
    assert "page 0" not in states
    assert f"page {page_states.MOST + 49}" in states


def test_page_state_holds_no_copy_of_the_configuration(demo):
    theirs, ours = StateHolder(), PageStates(demo)
    theirs.set_blocks(demo)
    assert len(theirs["one"].config_values) > PARTS
    state = ours["one"]
    part = next(each for each in demo.blocks.values() if isinstance(each, gr.HTML))
    state[part._id] = part
    state._update_config(part._id)
    state._update_value_in_config(part._id, "what it shows" * 1000)
    assert not state.config_values
    assert not list(state.components)


def test_page_keeps_its_state_and_what_an_event_changed(visitor):
    page, other = visitor.load(), visitor.load()
    for _ in range(3):
        page.run(visitor.events("click", "again"))
    other.run(visitor.events("click", "again"))
    shown = visitor._names["shown"]
    assert (page.values[shown], other.values[shown]) == (3, 1)
    page.put("choice", "b")  # a choice that only this session has
    page.run(visitor.events("input", "choice"))
    assert page.values[visitor._names["told"]] == "b!"


def test_events_of_many_pages_are_all_handled(demo, visitor, address):
    """Each event ends a rest of the queue or comes while others run."""

    def click(found):
        mine = Visitor(address)
        page = mine.load()
        for _ in range(10):
            page.run(mine.events("click", "again"))
        found.append(page.values[mine._names["shown"]])
        mine.close()

    found: list[int] = []
    threads = [threading.Thread(target=click, args=[found]) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [10] * 4
    assert not demo._queue.stopped


def test_answers_that_nobody_reads_are_dropped(demo, visitor, address, monkeypatch):
    monkeypatch.setattr(page_states, "MOST_UNREAD", 40)
    page = visitor.load()
    (again,) = visitor.events("click", "again")
    queue = demo._queue
    with httpx.Client(base_url=address) as stranger:
        for number in range(150):
            body = {"data": [None], "fn_index": again["id"], "session_hash": f"unread{number}"}
            assert stranger.post("/gradio_api/queue/join", json=body).status_code == 200
    unread = sum(each.qsize() for each in queue.pending_messages_per_session.values())
    assert unread <= 40 + 3 * 9  # what handlers answered since the last event came
    assert len(queue.pending_event_ids_session) <= len(queue.pending_messages_per_session) + 1
    page.run(visitor.events("click", "again"))
    assert page.values[visitor._names["shown"]] == 1


class Counted(RestingQueue):
    looks = 0

    def __len__(self):
        self.looks += 1
        return super().__len__()


def test_queue_at_rest_looks_for_nothing(demo):
    """A thousand turns of the event loop; the library's own queue looks at each of its timers."""
    page_states.keep_little(gr.routes.App(), demo)
    queue = demo._queue
    queue.__class__ = Counted

    async def rest():
        queue.start()
        for _ in range(1000):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for each in left:
            each.cancel()
        return len(left)

    waiting = asyncio.run(rest())
    assert queue.looks <= 4
    assert waiting <= 1


def test_pages_are_swept_once_a_minute(demo, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(page_states.time, "monotonic", lambda: now[0])
    states = PageStates(demo)
    looked = []
    monkeypatch.setattr(states, "delete_state", lambda name, **_: looked.append(name))
    states["one"]
    for _ in range(180):
        now[0] += 1.0
        states.delete_all_expired_state()
    assert looked == ["one"] * 3
