"""Trainings inside one job: nested shares of the rows, progress of the whole, learning curves."""

import pytest

from engine import child, plugins
from engine.core.actor import LOCAL
from engine.core.dataset import Row
from engine.core.errors import UserError
from engine.core.examples import Chat, Message
from engine.core.job import State
from engine.core.job_context import Cancelled
from engine.core.recipe import read_exact
from engine.jobs import learning_curve, sweep
from engine.jobs.nested_training import NestedContext, StudyProgress
from engine.services.jobs import lifecycle
from engine.services.models import registry
from engine.services.rating.plans import RoundRecipe
from tests import helpers
from tests.methods.fake_context import BASE, MemoryContext, chats, user

SETTINGS = {"learning_rate": 5e-3, "per_device_train_batch_size": 4, "num_evals": 2}


def rows(number, asked_twice=0, held_out=2):
    said = [*chats(number), *chats(asked_twice)]
    found = [Row(index=i, split="train", example=e) for i, e in enumerate(said)]
    more = [Row(index=900 + i, split="held_out", example=e) for i, e in enumerate(chats(held_out))]
    return [*found, *more]


def study(module, **values):
    given = {"model": BASE, "dataset": "d", "settings": SETTINGS, "max_steps": 4}
    return module.Recipe.model_validate({**given, **values})


def indices(part):
    return [row.index for row in part]


def test_data_curve_shares_are_nested_and_depend_on_the_seed():
    found = learning_curve.nested(rows(40), (0.1, 0.5, 1.0), 1)
    assert [len(part) for part in found] == [4, 20, 40]
    assert set(indices(found[0])) < set(indices(found[1])) < set(indices(found[2]))
    assert indices(found[1]) == indices(learning_curve.nested(rows(40), (0.5,), 1)[0])
    assert set(indices(found[0])) != set(indices(learning_curve.nested(rows(40), (0.1,), 2)[0]))


def test_rows_that_ask_the_same_come_into_a_share_together():
    found = learning_curve.nested(rows(20, asked_twice=20), (0.25,), 3)[0]
    asked = [row.example.messages[0].content for row in found]
    assert all(asked.count(each) == 2 for each in asked)


def test_rows_of_a_group_come_into_a_share_together():
    grouped = [
        Row(
            index=i,
            split="train",
            example=Chat(
                messages=(*user(f"q{i}"), Message(role="assistant", content="a")), group=f"g{i % 4}"
            ),
        )
        for i in range(20)
    ]
    found = learning_curve.nested(grouped, (0.25, 0.5), 1)
    assert [len({row.example.group for row in part}) for part in found] == [1, 2]
    assert [len(part) for part in found] == [5, 10]


def test_progress_of_a_part_is_progress_of_the_whole_with_the_time_left(tmp_path):
    ctx = MemoryContext(tmp_path, tmp_path, chats(2))
    now = [0.0]
    whole = StudyProgress(ctx, 4, clock=lambda: now[0])
    inner = NestedContext(whole, "part-1", "d", rows(2))
    now[0] = 10.0
    inner.emit("progress", {"done": 1, "total": 2, "label": "Step 1 of 2"}, 1)
    inner.emit("log", {"text": "not for the whole"})
    said = ctx.events[-1]
    assert (said.kind, said.data["done"], said.data["total"]) == ("progress", 0.5, 4)
    assert said.data["label"] == "Part 1: Step 1 of 2"
    assert said.data["eta_s"] == 70.0


def test_cancel_reaches_the_inner_training(tmp_path):
    ctx = MemoryContext(tmp_path, tmp_path, chats(2), cancel_after=0)
    with pytest.raises(Cancelled):
        NestedContext(StudyProgress(ctx, 2), "part-1", "d", rows(2)).check()


@pytest.mark.parametrize(
    "values",
    [
        {"method": "evaluate"},
        {"method": "nothing"},
        {"settings": {"learning_rat": 1}},
        {"settings": {"learning_rate": -1}},
    ],
)
def test_settings_that_the_method_would_refuse_are_refused_at_once(values):
    with pytest.raises(UserError):
        study(learning_curve, **values)


@pytest.mark.parametrize(
    "space",
    [
        {"learning_rate": {"low": 1e-3, "high": 5.0}},
        {"learning_rate": {"low": 1e-3, "high": 1e-4}},
        {"learning_rat": [1e-3]},
        {"max_length": []},
    ],
)
def test_sweep_space_outside_the_method_is_refused_at_once(space):
    with pytest.raises((UserError, ValueError)):
        study(sweep, space=space)


def test_dataset_without_held_out_rows_is_refused_before_any_training(tmp_path):
    ctx = MemoryContext(tmp_path, tmp_path, chats(20))
    for module in (learning_curve, sweep):
        with pytest.raises(UserError, match="no held-out rows"):
            module.run(study(module), ctx)


def test_too_few_rows_for_the_shares_are_refused_before_any_training(tmp_path):
    ctx = MemoryContext(tmp_path, tmp_path, chats(4), chats(2))
    with pytest.raises(UserError, match="4 training rows are too few"):
        learning_curve.run(study(learning_curve), ctx)


def test_curve_steps_grow_with_the_share_so_that_every_row_is_seen():
    settings = {"per_device_train_batch_size": 8, "num_train_epochs": 2}
    recipe = study(learning_curve, settings=settings, max_steps=40)
    assert recipe.steps(1000) == (40, 64, 126, 250) * 2  # 100, 250, 500, 1,000 rows, twice each
    assert recipe.steps(5000) == (126, 314, 626, 1250) * 2
    gathered = study(
        learning_curve, settings={**settings, "trl": {"gradient_accumulation_steps": 4}}
    )
    assert gathered.steps_of(1000) == 64
    assert study(sweep, max_steps=40, n_trials=3).steps(5000) == (40, 40, 40)


@pytest.mark.train
def test_data_curve_trains_each_share_with_each_seed(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(30)[24:])
    outcome = learning_curve.run(study(learning_curve, shares=(0.25, 0.5, 1.0), max_steps=2), ctx)
    result = outcome.result
    assert (result.sizes, result.seeds) == ((6, 12, 24), (1, 2))
    assert [len(each) for each in result.losses] == [2, 2, 2]
    assert len({loss for each in result.losses for loss in each}) == 6
    assert result.curve.points[2].mean == pytest.approx(sum(result.losses[2]) / 2)
    assert "loss" in result.sentence
    assert result.steps == (4, 6, 12)  # two epochs of batches of 4, where that is more than 2
    assert result.still_falling == ("more epochs may lower it as well" in result.sentence)
    assert outcome.model is None
    assert not list((ctx.folder / "trainings").iterdir())
    progress = [event.data["done"] for event in ctx.events if event.kind == "progress"]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(6)


@pytest.mark.train
def test_sweep_keeps_the_adapter_with_the_lowest_loss_and_a_table(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(16), chats(20)[16:])
    space = {"learning_rate": {"low": 1e-6, "high": 2e-2, "log": True}, "lora.r": [2, 4]}
    recipe = study(sweep, space=space, n_trials=4, settings={**SETTINGS, "lora": {"r": 2}})
    outcome = sweep.run(recipe, ctx)
    trials = outcome.result.trials
    assert [trial.number for trial in trials] == [1, 2, 3, 4]
    assert trials[0].settings == {"learning_rate": 5e-3, "lora.r": 2}
    done = [trial for trial in trials if trial.state == "done"]
    assert outcome.result.best == min(done, key=lambda trial: trial.loss)
    assert (ctx.folder / outcome.model.path / "adapter_config.json").is_file()
    assert len(list((ctx.folder / "trainings").iterdir())) == 1
    rate = outcome.result.best.settings["learning_rate"]
    assert outcome.result.best_settings["learning_rate"] == rate
    again = sweep.run(recipe, MemoryContext(tmp_path / "again", tiny_model, chats(16),
                                            chats(20)[16:]))  # fmt: skip
    assert [t.settings for t in again.result.trials] == [t.settings for t in trials]
    assert again.result.best.loss == pytest.approx(outcome.result.best.loss, rel=1e-4)


@pytest.mark.train
def test_sweep_goes_on_after_a_broken_trial(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(8), chats(10)[8:])
    space = {"lora.target_modules": ["all-linear", "no-such-module"]}
    outcome = sweep.run(study(sweep, space=space, n_trials=3, max_steps=2), ctx)
    states = {t.settings["lora.target_modules"]: t.state for t in outcome.result.trials}
    assert states["all-linear"] == "done"
    assert outcome.result.best.settings == {"lora.target_modules": "all-linear"}


@pytest.mark.train
def test_sweep_that_is_stopped_keeps_finished_trials(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(8), chats(10)[8:], cancel_after=6)
    outcome = sweep.run(study(sweep, n_trials=9), ctx)
    assert outcome.result.stopped_early
    assert 1 <= len(outcome.result.trials) < 9
    assert (ctx.folder / outcome.model.path / "adapter_config.json").is_file()
    early = MemoryContext(tmp_path / "early", tiny_model, chats(8), chats(10)[8:], cancel_after=2)
    with pytest.raises(Cancelled):
        sweep.run(study(sweep, n_trials=9), early)


@pytest.mark.train
def test_best_adapter_of_a_search_is_a_model_that_can_be_used(ws, tiny_model, tmp_path):
    project = helpers.project(ws).id
    base = registry.add_base(ws, LOCAL, "tiny", tiny_model, "folder")
    data = helpers.dataset(ws, project, tmp_path, rows=12)
    values = {"model": base.id, "dataset": data.id, "settings": SETTINGS, "n_trials": 2}
    job = lifecycle.submit(ws, LOCAL, project, sweep.Recipe(**values, max_steps=2), "Search")
    job = helpers.claimed(ws, job.id)
    assert child.run(ws, job.id, job.fence) is State.DONE
    done = lifecycle.get(ws, LOCAL, job.id)
    made = registry.files(ws, registry.get(ws, LOCAL, done.result.model_id))
    assert (made.adapter / "adapter_config.json").is_file()
    assert made.base == tiny_model
    assert len(done.result.trials) == 2


@pytest.mark.parametrize("kind", [*plugins.names("jobs"), "round"])
def test_seed_that_numpy_does_not_take_is_refused_by_every_recipe(kind):
    recipe = RoundRecipe if kind == "round" else plugins.load("jobs", kind).Recipe
    if recipe.__module__.startswith("engine.orchestrate") or "seed" not in recipe.model_fields:
        return
    for seed in (-1, 2**32, 2**70):
        with pytest.raises(UserError, match=f"'seed' is {seed}"):
            read_exact(recipe, {"seed": seed})
    with pytest.raises(UserError) as others:
        read_exact(recipe, {"seed": 2**32 - 1, "nothing": 1})
    assert "'seed'" not in str(others.value)
