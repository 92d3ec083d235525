"""What a poll found is dropped where the page went on meanwhile.

A poll reads the page's state as it begins and writes it back as it ends. A button's answer that
came in between would be lost: the page would show again what was chosen before.
"""

from contextvars import ContextVar
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState

_read: ContextVar[dict[int, Any]] = ContextVar("_read")


def drop_stale(blocks: gr.Blocks) -> None:
    """Let no poll of these pages write over a state that it did not read."""
    before, after = blocks.preprocess_data, blocks.postprocess_data

    async def preprocessed(
        block_fn: BlockFunction, inputs: Any, state: SessionState | None, *given: Any, **named: Any
    ) -> list[Any]:
        found = await before(block_fn, inputs, state, *given, **named)
        _read.set(_states(block_fn, state) if is_poll(block_fn) else {})
        return found

    async def postprocessed(
        block_fn: BlockFunction, predictions: Any, state: SessionState | None
    ) -> list[Any]:
        read = _read.get({})
        if state is not None and any(state[key] is not value for key, value in read.items()):
            skips = [gr.skip() for _ in block_fn.outputs]
            predictions = skips if len(skips) != 1 else skips[0]
        return await after(block_fn, predictions, state)

    changed: Any = blocks
    changed.preprocess_data, changed.postprocess_data = preprocessed, postprocessed


def is_poll(block_fn: BlockFunction) -> bool:
    """Whether a timer asks, not a person."""
    return all(event == "tick" for _, event in block_fn.targets) and bool(block_fn.targets)


def _states(block_fn: BlockFunction, state: SessionState | None) -> dict[int, Any]:
    """The states that the poll reads and writes, by the ids of their parts."""
    if state is None:
        return {}
    written = {part._id for part in block_fn.outputs if isinstance(part, gr.State)}
    return {part._id: state[part._id] for part in block_fn.inputs if part._id in written}
