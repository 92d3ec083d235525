"""Trackers are named in a recipe; what cannot be had is refused before anything is queued."""

import pytest

from engine import plugins
from engine.cli import training as cli_training
from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.recipe import read
from engine.jobs import warmup
from engine.methods import checkpoint, dpo, sft, training
from engine.services.jobs import lifecycle
from engine.trackers import available
from tests import helpers


def recipe(**values):
    return sft.Recipe(model="m", dataset="d", **values)


def test_unknown_tracker_is_one_sentence_that_lists_the_known_ones():
    with pytest.raises(UserError) as caught:
        available.check(recipe(trackers=["tensorbord"]))
    assert str(caught.value) == (
        "There is no tracker named 'tensorbord'. Known: tensorboard, mlflow, wandb, trackio."
    )


def test_missing_library_is_one_sentence_that_names_what_to_install(theirs):
    with pytest.raises(UserError) as caught:
        available.check(recipe(trackers=["lacking"]))
    assert str(caught.value) == (
        "The tracker lacking needs no_such_library, which is not installed here. "
        "Install it with pip install lacking, or leave it out of trackers."
    )


def test_extra_of_the_project_holds_each_library():
    import tomllib
    from importlib.util import find_spec
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for name in plugins.BUILT_IN["trackers"]:
        plug = plugins.load("trackers", name)
        assert f"tuneloop[{name}]" in plug.INSTALL
        assert project["optional-dependencies"][name][0].startswith(plug.LIBRARY)
    assert find_spec("tensorboard") is not None


def test_installed_trackers_are_listed_and_a_broken_one_hides_none(theirs):
    assert plugins.names("trackers")[-3:] == ["theirs", "lacking", "lost"]
    assert {"tensorboard", "theirs"} <= set(available.installed())
    assert not {"lacking", "lost"} & set(available.installed())


@pytest.mark.parametrize("option", ["report_to", "trackio_space_id"])
def test_trl_reports_to_no_other_tracker(option):
    with pytest.raises(UserError, match=f"{option} has no place here: trackers names"):
        available.check(recipe(trl={option: "wandb"}))


@pytest.mark.parametrize("values", [{"trackers": "tensorboard"}, {"trackers": [1]}])
def test_tracker_list_that_is_invalid_is_refused(values):
    with pytest.raises(UserError, match="'trackers"):
        read(sft.Recipe, {"model": "m", "dataset": "d", **values})


def test_command_line_takes_a_list_of_names(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("kind: sft\nmodel: m\ndataset: d\n")
    values = cli_training.values_of(file, ("trackers=[tensorboard, mlflow]",))
    assert values["trackers"] == ["tensorboard", "mlflow"]


def test_nothing_is_queued_for_a_tracker_that_cannot_be_had(ws, tmp_path):
    project = helpers.project(ws)
    start, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project.id, tmp_path)
    asked = sft.Recipe(model=start.id, dataset=data.id, trackers=["nowhere"])
    with pytest.raises(UserError, match="no tracker named 'nowhere'"):
        lifecycle.submit(ws, LOCAL, project.id, asked)
    assert lifecycle.list_all(ws, LOCAL, project.id) == []
    queued = lifecycle.submit(ws, LOCAL, project.id, asked.model_copy(update={"trackers": []}))
    assert queued.recipe["trackers"] == []


def test_checkpoint_fits_whatever_the_run_is_also_written_to():
    rows = [{"a": 1}]
    plain = checkpoint.origin(recipe(), rows)
    assert checkpoint.origin(recipe(trackers=["tensorboard"]), rows) == plain
    assert checkpoint.origin(recipe(seed=1), rows) != plain


@pytest.mark.parametrize("method", [sft, dpo])
def test_trl_is_never_handed_the_trackers(method):
    one = method.Recipe(model="m", dataset="d", trackers=["tensorboard"])
    assert "trackers" not in training.curated(one)


def test_warm_up_is_not_tracked():
    assert warmup._short(sft.Recipe, 3)["trackers"] == []
