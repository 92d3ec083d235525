"""A poll that is overtaken by a button's answer changes nothing."""

import asyncio

import gradio as gr
import pytest

from ui.web.page_states import PageState
from ui.web.stale_polls import drop_stale, is_poll


@pytest.fixture
def page():
    with gr.Blocks() as blocks:
        view, text = gr.State("first"), gr.HTML("")
        other = gr.State(0)
        timer, button = gr.Timer(), gr.Button()
        timer.tick(lambda seen, n: (seen, "drawn"), [view, other], [view, text])
        button.click(lambda seen: ("second", "done"), [view], [view, text])
        timer.tick(lambda seen: "alone", [view], text)
    drop_stale(blocks)
    return blocks, view


def ran(page, which, meanwhile):
    """What an event answers, and the state it leaves, where `meanwhile` happens to the state."""
    blocks, view = page
    state, event = PageState(blocks), blocks.fns[which]
    inputs = [None] * len(event.inputs)

    async def run():
        given = await blocks.preprocess_data(event, inputs, state, False)
        if meanwhile:
            state[view._id] = meanwhile
        return await blocks.postprocess_data(event, event.fn(*given), state)

    answer = asyncio.run(run())
    return answer[-1], state[view._id]


def test_poll_draws_where_nothing_came_meanwhile(page):
    assert ran(page, 0, None) == ("drawn", "first")


def test_poll_that_was_overtaken_draws_nothing_and_keeps_the_new_state(page):
    answer, left = ran(page, 0, "chosen by a click")
    assert left == "chosen by a click"
    assert "value" not in answer
    assert "value" not in answer.get("props", {})


def test_poll_that_writes_no_state_draws(page):
    assert ran(page, 2, "chosen by a click") == ("alone", "chosen by a click")


def test_click_is_never_dropped(page):
    assert ran(page, 1, "drawn by a poll") == ("done", "second")
    assert not is_poll(page[0].fns[1])
