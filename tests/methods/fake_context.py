"""A job's context that keeps everything in memory."""

from collections.abc import Sequence
from pathlib import Path

from engine.core.dataset import Row, Split
from engine.core.evaluation import Evaluation
from engine.core.event import Event, EventData, LogEvent, MetricEvent, read_event
from engine.core.examples import Chat, Example, Message, Preference, Prompt, Unpaired
from engine.core.job_context import Cancelled, ModelCache, ModelFiles
from engine.core.job_outcome import NewModel
from engine.core.model import Model

BASE = "base-1"


class MemoryContext:
    """One dataset under any id, models added with `add`, cancelled after `cancel_after` steps."""

    job_id = "job-00000000000-0000000abc"
    project_id = "project-1"

    def __init__(
        self,
        folder: Path,
        base: Path,
        train: Sequence[Example],
        held_out: Sequence[Example] = (),
        cancel_after: int | None = None,
        keep: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.cache = folder, folder / "cache"
        self.model_cache = ModelCache()
        self.evaluations: dict[str, Evaluation] = {}
        self.events: list[Event] = []
        self._cancel_after = cancel_after
        self._keep = keep
        parts: list[tuple[Split, Example]] = [("train", example) for example in train]
        parts += [("held_out", example) for example in held_out]
        self._rows = [Row(index=i, split=s, example=e) for i, (s, e) in enumerate(parts)]
        model = Model(
            id=BASE, name="tiny", kind="base", source="folder", path=str(base), created_at=0.0
        )
        self._models = {BASE: ModelFiles(model, base, None)}

    def evaluation(self, evaluation_id: str) -> Evaluation:
        return self.evaluations[evaluation_id]

    def add(self, model_id: str, adapter: Path) -> None:
        base = self._models[BASE].base
        model = Model(
            id=model_id,
            name=model_id,
            kind="adapter",
            source="trained",
            path="adapter",
            base_id=BASE,
            created_at=0.0,
        )
        self._models[model_id] = ModelFiles(model, base, adapter)

    def keep(self, model_id: str, new: NewModel) -> ModelFiles:
        """Know what a training of this context made, as the store would."""
        model = Model(
            id=model_id,
            source="trained",
            created_at=0.0,
            **new.model_dump(include={"name", "kind", "path", "base_id", "parent_id", "info"}),
        )
        weights = self.folder / new.path
        found = ModelFiles(model, weights, None)
        if not model.has_all_weights:
            found = ModelFiles(model, self._models[new.base_id].base, weights)
        self._models[model_id] = found
        return found

    def emit(self, kind: str, data: EventData, step: int | None = None) -> None:
        row = {"job_id": self.job_id, "seq": len(self.events) + 1, "at": 0.0}
        self.events.append(read_event({**row, "kind": kind, "step": step, "data": data}))

    def cancelled(self) -> bool:
        steps = sum(event.kind == "progress" for event in self.events)
        return self._cancel_after is not None and steps >= self._cancel_after

    def keeping(self) -> bool:
        return self._keep

    def check(self) -> None:
        if self.cancelled():
            raise Cancelled

    def rows(self, dataset_id: str, split: Split | None = None) -> list[Row]:
        return [row for row in self._rows if split in (None, row.split)]

    def model(self, model_id: str) -> ModelFiles:
        return self._models[model_id]

    def metrics(self, name: str) -> list[float]:
        found = [event.data for event in self.events if isinstance(event, MetricEvent)]
        return [data[name] for data in found if name in data]

    def said(self) -> list[str]:
        return [event.data["text"] for event in self.events if isinstance(event, LogEvent)]


def user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def chats(number: int) -> list[Chat]:
    return [
        Chat(messages=(*user(f"Say {i}"), Message(role="assistant", content="yes, sir")))
        for i in range(number)
    ]


def pairs(number: int) -> list[Preference]:
    return [
        Preference(prompt=user(f"Say {i}"), chosen="yes, sir", rejected="no way, you")
        for i in range(number)
    ]


def marks(number: int) -> list[Unpaired]:
    return [
        Unpaired(
            prompt=user(f"Say {i}"), completion=("no way, you", "yes, sir")[i % 2], label=i % 2 == 1
        )
        for i in range(number)
    ]


def prompts(number: int) -> list[Prompt]:
    return [Prompt(prompt=user(f"Say {i}"), references=("yes, sir",)) for i in range(number)]
