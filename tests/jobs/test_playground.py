"""The playground on a tiny model: what stays loaded for the next question, and what does not."""

import shutil
import weakref

import pytest

from engine.core.dataset import Row
from engine.core.examples import Chat, Message
from engine.core.job_context import ModelCache
from engine.jobs import evaluate, playground
from engine.models.answer import MOST_ADAPTERS
from tests.methods.fake_context import BASE, MemoryContext, user
from tests.untrained_adapter import adapter

pytestmark = pytest.mark.train
LOADED = "The model is being loaded."


@pytest.fixture
def base(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "base")


@pytest.fixture
def ctx(base, tmp_path):
    """A context that knows the base and two adapters of it."""
    found = MemoryContext(tmp_path / "job", base, [])
    for seed, name in enumerate(("one", "two"), 1):
        found.add(name, adapter(base, tmp_path / name, seed))
    return found


def asked(ctx, *who, prompt="Hi"):
    found = playground.run(playground.Recipe(models=who, prompt=prompt, max_new_tokens=8), ctx)
    return [found.result.answers[name].text for name in who]


def loads(ctx):
    return ctx.said().count(LOADED)


def test_base_and_tuned_stay_loaded_and_answer_as_they_did_alone(ctx):
    alone = {}
    for name in (BASE, "one", "two"):
        alone[name] = asked(ctx, name)
        ctx.model_cache = ModelCache()
    assert len({text for (text,) in alone.values()}) == 3
    assert loads(ctx) == 3
    for names in (("one", BASE), (BASE, "two", "one"), (BASE,), ("two",)):
        assert asked(ctx, *names) == [alone[name][0] for name in names]
    assert loads(ctx) == 4


def test_model_cache_replaces_the_base(ctx, tiny_model, tmp_path):
    other = MemoryContext(tmp_path / "other", tiny_model, [])
    other.model_cache = ctx.model_cache
    asked(ctx, BASE, "one")
    model = weakref.ref(ctx.model_cache._thing._model)
    asked(other, BASE)
    assert model() is None
    assert loads(other) == 1
    asked(ctx, BASE)
    assert loads(ctx) == 2


def test_model_cache_frees_the_old_model_before_loading():
    class Large:
        def __init__(self):
            self.itself = self

    kept = ModelCache()
    old = weakref.ref(kept.get("a", Large))
    assert kept.get("a", Large) is old()
    assert kept.get("b", lambda: (old(), "new")) == (None, "new")


def test_model_cache_keeps_nothing_that_failed_to_load():
    kept = ModelCache()
    with pytest.raises(MemoryError):
        kept.get("a", lambda: bytearray(2**62))
    assert kept.get("a", lambda: "made") == "made"


@pytest.mark.parametrize("changed", ["base", "one"])
def test_model_cache_reloads_replaced_files(changed, ctx, tmp_path):
    asked(ctx, BASE, "one")
    file = next((tmp_path / changed).glob("*.safetensors"))
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)
    asked(ctx, BASE, "one")
    assert loads(ctx) == 2


def test_model_cache_bounds_its_adapters(ctx, tmp_path):
    for number in range(MOST_ADAPTERS + 1):
        ctx.add(f"copy-{number}", tmp_path / "one")
        asked(ctx, f"copy-{number}")
    assert loads(ctx) == 2


def test_evaluation_answers_with_the_base_that_is_in_memory_already(ctx, tmp_path):
    asked(ctx, BASE, "one")
    held_out = Chat(messages=(*user("Say 3"), Message(role="assistant", content="3")))
    ctx._rows = [Row(index=0, split="held_out", example=held_out)]
    recipe = evaluate.Recipe(models=(BASE, "one"), dataset="d", max_new_tokens=4)
    evaluate.run(recipe, ctx)
    assert loads(ctx) == 1
