"""The test after a training, on models that really answer: a planted loss is flagged."""

import shutil

import pytest

from engine.core.job_context import ModelFiles
from engine.core.model import Model
from engine.formats.read import read_file
from engine.jobs import evaluate
from tests import letter_model
from tests.methods.fake_context import BASE, MemoryContext

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def taught(tiny_model, tmp_path_factory):
    """A base that answers a letter with that letter, and the rows it learned that from."""
    folder = tmp_path_factory.mktemp("taught")
    letter_model.write_data(folder)
    data = folder / "library_faq.jsonl"
    return letter_model.taught(tiny_model, data), read_file(data, data.name).examples


@pytest.fixture
def ctx(taught, tiny_model, tmp_path):
    base, rows = taught
    found = MemoryContext(tmp_path / "job", base, [], rows[60::4])
    shutil.copytree(base, tmp_path / "same")
    for name, folder in (("unchanged", tmp_path / "same"), ("broken", tiny_model)):
        model = Model(
            id=name, name=name, kind="full", source="trained", path=str(folder), parent_id=BASE,
            info={"method": "dpo"}, created_at=0.0,
        )  # fmt: skip
        found._models[name] = ModelFiles(model, folder, None)
    return found


def test_regression_check_flags_a_model_that_forgot_and_no_unchanged_one(ctx):
    recipe = evaluate.Recipe(
        models=(BASE, "unchanged", "broken"), dataset="d", max_new_tokens=12,
        metrics=("rougeL", "exact_match", "bleu"),
    )  # fmt: skip
    found = evaluate.run(recipe, ctx).evaluation
    regressed = {(one.model, one.id) for one in found.regression_checks if one.regressed}
    assert {model for model, _ in regressed} == {"broken"}
    assert {"rougeL", "perplexity"} <= {name for _, name in regressed}
    assert found.means["broken"]["rougeL"].score == 0 < found.means[BASE]["rougeL"].low
    assert found.perplexity["broken"].low > found.perplexity[BASE].high
    assert found.gains["unchanged"]["rougeL"].p == 1.0
    remembered = [row.outputs["unchanged"].cached for row in found.rows]
    assert all(remembered)  # the same weights in another folder are the same model
