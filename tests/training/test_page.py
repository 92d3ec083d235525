"""The Training page: which models and data fit, what a training will take, and its start."""

import json

import gradio as gr
import pytest
import yaml

from engine.core.actor import LOCAL
from engine.core.errors import UserError
from engine.core.job import State
from engine.core.job_outcome import NewModel, Outcome
from engine.core.recipe import default_epochs
from engine.services import job_outcomes
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.models import import_folder, registry
from engine.services.training import methods as training_methods
from engine.store import estimates
from engine.store.connect import reading
from tests import helpers
from tests.ui import seed
from ui.components import forms
from ui.components.page import NavigationTarget
from ui.pages.rating import tab as rating_tab
from ui.pages.training import before_start, form, methods, presets, refresh, studies, tab

KNOWN = training_methods.known()
SFT, DPO = KNOWN["sft"], KNOWN["dpo"]


def pairs(ws, project_id, folder):
    path = folder / "votes.jsonl"
    rows = [{"prompt": f"why {n}?", "chosen": "because", "rejected": "no"} for n in range(20)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return datasets.add(ws, LOCAL, project_id, path, path.name)


def trained(ws, project_id, model, dataset, kind="sft", made="adapter"):
    """A model as a finished job leaves it."""
    values = {"model": model.id, "dataset": dataset.id, "evaluate_after": False}
    job = lifecycle.submit(ws, LOCAL, project_id, KNOWN[kind](**values), f"{kind} run")
    new = NewModel(
        name=f"{kind}-{job.id[-4:]}",
        kind=made,
        path="adapter",
        base_id=model.base_id or model.id,
        parent_id=model.id if model.kind == "adapter" else None,
        dataset_id=dataset.id,
        info={"method": kind},
    )
    job_outcomes.store(ws, helpers.claimed(ws, job.id), Outcome(model=new))
    return registry.list_all(ws, LOCAL, project_id)[-1]


@pytest.fixture
def project(ws):
    return helpers.project(ws, "Help desk")


@pytest.fixture
def base(ws, tiny_model):
    return import_folder.import_base(ws, LOCAL, str(tiny_model), "base")


@pytest.fixture
def faq(ws, project, tmp_path):
    return helpers.dataset(ws, project.id, tmp_path, rows=40)


@pytest.fixture
def sft(base, faq):
    return SFT(model=base.id, dataset=faq.id)


@pytest.fixture(scope="module")
def made():
    """All forms of the tab, as they are built."""
    page = Page_()
    with gr.Blocks():
        return [form.build(page, kind, recipe) for kind, recipe in KNOWN.items()]


class Page_:
    """Of a page what a form needs while it is built."""

    def __init__(self):
        self.tabs = None


def values(found):
    return [value for _, value in found]


def test_methods_are_those_jobs_that_train():
    assert list(KNOWN)[:2] == ["sft", "dpo"]
    assert "evaluate" not in KNOWN


def test_methods_without_data_name_the_missing_data(ws, project, base, faq):
    html = methods.cards(datasets.list_all(ws, LOCAL, project.id), "sft")
    cards = dict(zip(KNOWN, html.split('role="button"')[1:], strict=True))
    assert "needs data" not in cards["sft"]
    assert "needs data" not in cards["grpo"]
    assert "Rate answers, then make pairs of them" in cards["dpo"]
    assert "thumbs" in cards["kto"]
    assert html.count('aria-pressed="true"') == 1


def test_first_method_is_one_that_the_project_has_data_for(ws, project, base, tmp_path):
    votes = pairs(ws, project.id, tmp_path)
    assert methods.first_choice([]) == "sft"
    assert methods.first_choice([votes]) == "dpo"


def test_sft_form_starts_from_the_base_and_the_newest_examples(ws, project, base, faq, tmp_path):
    pairs(ws, project.id, tmp_path)
    found = methods.choices(ws, project.id, SFT)
    assert (values(found.models), values(found.datasets)) == ([base.id], [faq.id])


def test_dpo_form_starts_from_the_newest_sft_model(ws, project, base, faq, tmp_path):
    votes = pairs(ws, project.id, tmp_path)
    sft = trained(ws, project.id, base, faq)
    dpo = trained(ws, project.id, sft, votes, "dpo")
    found = methods.choices(ws, project.id, DPO)
    assert values(found.models) == [sft.id, dpo.id, base.id]
    assert values(found.datasets) == [votes.id]


def test_reward_model_is_offered_as_reward_and_not_as_start(ws, project, base, faq, tmp_path):
    votes = pairs(ws, project.id, tmp_path)
    adapter = trained(ws, project.id, base, faq)
    judge = trained(ws, project.id, base, votes, "reward", "reward")
    online = methods.choices(ws, project.id, KNOWN["rloo"])
    assert judge.id not in values(online.models)
    assert values(online.rewards)[:2] == [judge.id, "overlap"]
    assert values(methods.choices(ws, project.id, KNOWN["reward"]).models) == [base.id, judge.id]
    assert adapter.id in values(online.models)


def test_rule_that_needs_accepted_answers_is_not_first_for_bare_questions(
    ws, project, base, tmp_path
):
    path = tmp_path / "asked.jsonl"
    path.write_text("\n".join(f'{{"prompt": "question {n}?"}}' for n in range(20)))
    assert methods.choices(ws, project.id, KNOWN["grpo"]).rewards == []  # else one would stay
    datasets.add(ws, LOCAL, project.id, path, path.name)
    assert values(methods.choices(ws, project.id, KNOWN["grpo"]).rewards)[0] == "up_to_50_words"


def drawn(ws, project, made, method="", aim=None, chosen=None):
    """The tab as it is drawn: method, and of every form its parts by name."""
    aim = aim or NavigationTarget()
    nothing = [None] * sum(len(one.chosen) for one in made)
    wanted = refresh.wanted(made, aim, chosen or nothing)
    found = refresh.everything(ws, project, made, aim.method or method, wanted, bool(aim.dataset))
    left = iter(found.parts)
    return found.method, {one.kind: [next(left) for _ in refresh.parts(one)] for one in made}


def test_training_form_shows_the_chosen_method_and_links_to_missing_data(
    ws, project, base, faq, made
):
    method, parts = drawn(ws, project.id, made, "dpo")
    seen, empty, filled, *_ = parts["dpo"]
    assert (method, seen.visible, empty.visible, filled.visible) == ("dpo", True, True, False)
    assert not parts["sft"][0].visible
    assert parts["sft"][1:] == [gr.skip()] * (len(parts["sft"]) - 1)  # a box that changes asks
    assert drawn(ws, project.id, made, "sft")[1]["sft"][2].visible


def test_training_form_keeps_its_choices_while_they_exist(ws, project, base, faq, made, tmp_path):
    path = helpers.chat_file(tmp_path, 20, "new.jsonl")
    newer = datasets.add(ws, LOCAL, project.id, path, path.name)
    rest = [None] * sum(len(one.chosen) for one in made[1:])

    def dataset(chosen):
        return drawn(ws, project.id, made, chosen=[*chosen, *rest])[1]["sft"][7].value

    assert dataset([None, None]) == newer.id
    assert dataset([base.id, faq.id]) == faq.id
    assert dataset(["gone", "gone"]) == newer.id


def test_replayed_examples_are_chosen_among_the_datasets_of_the_project(
    ws, project, base, faq, made, tmp_path
):
    """Empty stands for what the start model learned; no pairs, and nobody else's data."""
    votes = pairs(ws, project.id, tmp_path)
    other = helpers.project(ws, "Other")
    helpers.dataset(ws, other.id, tmp_path)
    at = next(n for n, one in enumerate(made) if one.kind == "dpo")
    before = [None] * sum(len(one.chosen) for one in made[:at])
    after = [None] * sum(len(one.chosen) for one in made[at + 1 :])

    def box(chosen):
        values = [*before, base.id, votes.id, chosen, *after]
        return drawn(ws, project.id, made, "dpo", chosen=values)[1]["dpo"][8]

    assert box(None).choices == [("that of the start model", ""), (faq.label, faq.id)]
    assert (box(None).value, box("gone").value, box(faq.id).value) == ("", "", faq.id)
    given = {"model": base.id, "dataset": votes.id, "replay_rows": 1}
    assert forms.read(DPO, {**given, "replay_dataset": ""}).replay_dataset is None
    assert forms.read(DPO, {**given, "replay_dataset": faq.id}).replay_dataset == faq.id


def test_epochs_fit_a_dataset_that_nobody_chose_in_the_form(ws, project, base, faq, made):
    rest = [None] * sum(len(one.chosen) for one in made[1:])
    rows = faq.train_rows

    def epochs(chosen, aim=None):
        return drawn(ws, project.id, made, "sft", aim, [*chosen, *rest])[1]["sft"][5]

    assert epochs([None, None]) == default_epochs(rows) > 2
    assert epochs([base.id, faq.id]) == gr.skip()  # perhaps a person's own number
    assert epochs(
        [base.id, faq.id], NavigationTarget(method="sft", dataset=faq.id)
    ) == default_epochs(rows)


def test_training_page_waits_until_the_browser_knows_its_project(ws):
    assert not refresh.awaits_project(ws, None)  # there is none to wait for
    project = helpers.project(ws)
    assert refresh.awaits_project(ws, None)
    assert not refresh.awaits_project(ws, project.id)


def test_training_form_without_a_project_is_empty(ws, made):
    method, parts = drawn(ws, None, made)
    assert (method, parts["sft"][6].value, parts["sft"][7].value) == ("sft", None, None)


def test_train_on_them_opens_preference_training_with_those_pairs(
    ws, project, base, tmp_path, made
):
    one = seed.open_round(ws, tmp_path, project=project.id, pairs=30)
    seed.prefer_new(ws, one)
    export = rating_tab.make_pairs(ws, project.id, one.id, every=False)
    pairs(ws, project.id, tmp_path)  # newer, and not what was asked for
    aim = rating_tab.aim_at_pairs(ws, project.id, one.id)
    method, parts = drawn(ws, project.id, made, aim=aim)
    assert method == "dpo"
    assert parts["dpo"][7].value == export.dataset_id


def test_votes_that_no_dataset_holds_are_offered_until_they_are_used(
    ws, project, base, tmp_path, made
):
    assert refresh.votes_to_use(ws, project.id) == 0
    one = seed.open_round(ws, tmp_path, project=project.id, pairs=30)
    seed.prefer_new(ws, one)
    ready = refresh.votes_to_use(ws, project.id)
    assert ready >= 20
    assert f"{ready} pairs" in drawn(ws, project.id, made, "dpo")[1]["dpo"][4]
    assert drawn(ws, project.id, made, "sft")[1]["sft"][4] == ""
    rating_tab.make_pairs(ws, project.id, one.id, every=True)
    assert refresh.votes_to_use(ws, project.id) == 0


def test_estimate_panel_shows_memory_time_steps_and_the_batch(ws, project, sft):
    usual = before_start.changed(sft, presets.values(SFT, presets.USUAL, 30))
    found = before_start.picture(ws, project.id, usual)
    assert "It fits" in found.panel
    assert ">24<" in found.panel  # 30 rows in batches of 8, six times
    assert "libraries" in found.panel
    assert (found.preset, found.possible, found.smaller) == ("Standard", True, False)
    assert "Batch 8, because" in found.preset_words
    assert found.tunings.count("data-pick") == 3
    assert found.measure_label.startswith("Measure the speed here, about")


def test_estimate_panel_shows_the_cost_at_a_price(ws, project, sft):
    assert "USD" not in before_start.picture(ws, project.id, sft).panel
    assert (
        "USD"
        in before_start.picture(ws, project.id, sft, before_start.StartChoice(price=2.5)).panel
    )
    with pytest.raises(UserError, match="is no price"):
        before_start.picture(ws, project.id, sft, before_start.StartChoice(price=-1))


def test_estimate_panel_warns_of_common_mistakes(ws, project, base, faq, tmp_path):
    path = helpers.chat_file(tmp_path, 10, "all.jsonl")
    unsplit = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.0)
    adapter = trained(ws, project.id, base, faq)
    notes = " ".join(before_start.notes(ws, SFT(model=adapter.id, dataset=unsplit.id)))
    assert "LoRA options have no effect" in notes
    assert "No rows are held out" in notes
    assert before_start.notes(ws, SFT(model=base.id, dataset=faq.id)) == ()


def test_training_of_few_steps_says_how_many_epochs_are_usual(ws, project, sft):
    rows = datasets.get(ws, LOCAL, sft.dataset).train_rows
    few = before_start.changed(sft, {"per_device_train_batch_size": rows})
    assert before_start.notes(ws, few, steps=2) == (
        "2 steps change a model little: “Standard” takes 6 epochs of so few rows.",
    )
    assert before_start.notes(ws, few, steps=30) == ()
    for enough in ({"num_train_epochs": 6}, {"max_steps": 2}):
        assert before_start.notes(ws, before_start.changed(few, enough), steps=2) == ()


@pytest.mark.parametrize(
    ("rows", "wanted"), [(1, 6), (48, 5), (63, 4), (100, 3), (240, 2), (9000, 2)]
)
def test_few_rows_get_epochs_for_30_steps(rows, wanted):
    assert default_epochs(rows) == wanted


def test_estimate_comes_with_the_file_and_the_command_that_do_the_same(ws, project, sft):
    text, command = before_start.yaml_and_command(ws, project.id, sft)
    assert yaml.safe_load(text)["dataset"] == "faq@1"
    assert yaml.safe_load(text)["model"] == "base"
    assert command == "tuneloop training start recipe.yaml --project 'Help desk'"


def huge(sft):
    """A training that fits on no machine: every row is as long as it may be."""
    return before_start.changed(sft, {"per_device_train_batch_size": 512, "max_length": 131072})


@pytest.fixture
def long_rows(ws, project, base, tmp_path):
    path = tmp_path / "long.jsonl"
    answer = "word " * 19_000  # tokens of single bytes
    row = json.dumps({"prompt": "tell me", "completion": answer})
    path.write_text("\n".join(row.replace("me", f"me {n}") for n in range(8)))
    data = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.25)
    return huge(SFT(model=base.id, dataset=data.id))


def test_training_page_refuses_what_cannot_fit_with_a_proposal(ws, project, long_rows):
    found = before_start.picture(ws, project.id, long_rows)
    assert "It does not fit" in found.panel
    assert (found.possible, found.smaller, found.first_look_label, found.measure_label) == (
        False,
        True,
        "",
        "",
    )
    assert "aria-disabled" in found.tunings  # "full" is no button
    with pytest.raises(UserError, match="It needs about"):
        tab.start(ws, project.id, long_rows, "")
    assert found.anyway
    assert tab.start(ws, project.id, long_rows, "", anyway=True).state is State.QUEUED
    fits = tab.smaller(ws, project.id, long_rows)
    assert before_start.picture(ws, project.id, fits).possible


def test_start_anyway_is_not_offered_where_memory_suffices_or_training_refuses(ws, project, sft):
    assert not before_start.picture(ws, project.id, sft).anyway
    refused = before_start.changed(sft, {"tuning": "full", "lora": {"r": 4}})
    found = before_start.picture(ws, project.id, refused)
    assert (found.possible, found.anyway) == (False, False)
    with pytest.raises(UserError, match="lora settings would change nothing"):
        tab.start(ws, project.id, refused, "", anyway=True)


def test_smaller_proposal_is_absent_where_memory_suffices(ws, project, sft):
    with pytest.raises(UserError, match="no smaller proposal"):
        tab.smaller(ws, project.id, sft)


@pytest.mark.parametrize("recipe", KNOWN.values(), ids=KNOWN)
@pytest.mark.parametrize("rows", [30, 100_000])
def test_form_filled_by_a_preset_is_known_as_that_preset(recipe, rows):
    needed = {"model": "m", "dataset": "d"}
    needed |= {"reward": "overlap"} if "reward" in recipe.model_fields else {}
    for name in presets.NAMES:
        filled = recipe(**needed, **presets.values(recipe, name, rows))
        assert presets.of(filled, rows) == name
    assert presets.of(recipe(**needed, num_evals=7), rows) is None


def test_quick_look_is_shorter_than_the_usual_training_of_few_rows(ws, project, sft):
    quick = before_start.changed(sft, presets.values(SFT, presets.QUICK, 30))
    assert quick.max_steps == 6  # of 24


def test_first_look_trains_on_a_tenth_and_is_offered_before_big_runs_only(ws, project, sft):
    assert before_start.picture(ws, project.id, sft).first_look_label == ""
    big = before_start.changed(
        sft, {"num_train_epochs": 100, "max_length": 512, "max_steps": 100_000}
    )
    assert "10 % of the steps" in before_start.picture(ws, project.id, big).first_look_label
    job = tab.start_first_look(ws, project.id, big, "Long one")
    assert (job.name, job.recipe["max_steps"]) == ("Long one, first look", 10_000)


def test_start_queues_the_job_with_its_estimate(ws, project, sft):
    job = tab.start(ws, project.id, before_start.changed(sft, {"lora": {"r": 4}}), "  First try ")
    assert (job.kind, job.name, job.recipe["lora"]) == ("sft", "First try", {"r": 4})
    with reading(ws.db) as conn:
        assert estimates.of(conn, job.id).seconds.likely > 0


def test_run_without_a_name_is_called_after_its_data(ws, project, sft):
    assert tab.start(ws, project.id, sft, " ").name == "SFT on faq@1"


def test_start_needs_a_project(ws, sft):
    with pytest.raises(UserError, match="No project is open"):
        tab.start(ws, None, sft, "")


def test_invalid_field_replaces_the_estimate(ws, project, base, faq, made):
    filled = {**dict.fromkeys(made[0].names, ""), "model": base.id, "dataset": faq.id}
    given = {**filled, "learning_rate": 3}
    drawn = refresh.estimate(
        ws, project.id, made[0], list(given.values()), before_start.StartChoice()
    )
    assert "learning_rate" in drawn[0]
    assert not drawn[len(form.EstimateParts._fields)].interactive  # the start
    assert (
        len(drawn) == len(refresh.nothing()) == len(made[0].shown) + len(refresh.enabled(made[0]))
    )


def test_base_choice_says_that_the_first_model_is_being_prepared(ws, project, faq, made):
    given = {**dict.fromkeys(made[0].names, ""), "dataset": faq.id}
    drawn = refresh.estimate(
        ws, project.id, made[0], list(given.values()), before_start.StartChoice()
    )
    assert "is being prepared" in drawn[0]
    assert not drawn[len(form.EstimateParts._fields)].interactive


def test_smaller_proposal_and_the_presets_fill_their_boxes_and_no_others(made):
    fills = refresh.fills(made[0], {"max_steps": None, "num_evals": 3})
    by_name = dict(zip(made[0].names, fills, strict=True))
    assert (by_name["max_steps"], by_name["num_evals"]) == ("", 3)
    assert by_name["lora"] == gr.skip()


def test_every_field_of_a_method_is_in_its_form_once(made):
    for one in made:
        assert sorted(one.names) == sorted(one.recipe.model_fields)
        ids = [field.elem_id for field in one.fields]
        assert ids == [f"{one.kind}-{name}" for name in one.names]


def test_warm_up_is_queued_and_reported(ws, project, sft):
    job = before_start.warm_up(ws, project.id, sft)
    assert (job.kind, job.recipe["method"], job.recipe["steps"]) == ("warmup", "sft", 4)
    found = before_start.picture(ws, project.id, sft, before_start.StartChoice(warmup=job.id))
    assert "waits for its turn" in found.panel
    assert found.measure_label == ""


def test_search_tries_around_what_the_form_says(ws, project, base, faq):
    recipe = DPO(model=base.id, dataset=faq.id, learning_rate=0.2, beta=0.5)
    made = studies.study(
        "sweep", recipe, studies.StudyChoice(20, 5, ("learning_rate", "beta", "lora.r"))
    )
    assert (made.n_trials, made.max_steps, made.settings["beta"]) == (5, 20, 0.5)
    assert (made.space["learning_rate"].low, made.space["learning_rate"].high) == (0.02, 1.0)
    assert made.space["beta"].high == 5
    assert made.space["lora.r"] == (4, 8, 16, 32)


def test_search_without_a_range_is_refused(sft):
    with pytest.raises(UserError, match="nothing to try"):
        studies.study("sweep", sft, studies.StudyChoice(tried=()))
    whole = before_start.changed(sft, {"tuning": "full"})
    with pytest.raises(UserError, match="nothing to try"):
        studies.study("sweep", whole, studies.StudyChoice(tried=("lora.r",)))


def test_studies_say_how_many_trainings_they_are_and_start_as_jobs(ws, project, sft):
    said = studies.takes(ws, project.id, "curve", sft, studies.StudyChoice(steps=10))
    assert said.startswith("8 trainings of 10 steps: about")
    job = studies.start(ws, project.id, "curve", sft, studies.StudyChoice(steps=10))
    assert (job.kind, job.name, job.recipe["max_steps"]) == ("curve", "Learning curve of faq@1", 10)


def test_study_needs_held_out_rows(ws, project, base, tmp_path):
    path = helpers.chat_file(tmp_path, 10, "all.jsonl")
    unsplit = datasets.add(ws, LOCAL, project.id, path, path.name, held_out=0.0)
    with pytest.raises(UserError, match="no held-out rows"):
        studies.start(
            ws, project.id, "curve", SFT(model=base.id, dataset=unsplit.id), studies.StudyChoice()
        )


@pytest.mark.parametrize("junk", [None, "x", -3, float("nan"), {"a": 1}, [1]])
def test_training_form_reads_junk_as_the_default(junk):
    found = studies.asked(junk, junk, junk)
    assert (found.steps, found.trials) == (40, 8)
