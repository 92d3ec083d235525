"""The strength dial's service: what measures it, what is refused, and what a choice makes."""

import json

import pytest
from sqlalchemy import update

from engine.core import ids
from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, NotFound, UserError
from engine.core.job_outcome import NewModel, Outcome
from engine.core.job_result import DialResult, DialStop
from engine.core.strength import Strength
from engine.services import job_outcomes, model_card
from engine.services.data import datasets
from engine.services.jobs import lifecycle
from engine.services.loop import dial
from engine.services.loop.history import history
from engine.services.models import registry
from engine.services.rating import dial_questions, rounds
from engine.services.rating.plans import RoundRecipe
from engine.store import pair_exports, tables
from engine.store.connect import writing
from tests import helpers
from tests.loop import loop_in_tables

CONFIG = {"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"], "bias": "none"}


def configured(ws, model, **options):
    """The folder of an adapter, with its configuration alone."""
    folder = ws.files / model.path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | options))
    return model


def file_of(ws, project, folder, name, rows, held_out=0.0):
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return datasets.add(ws, LOCAL, project.id, path, path.name, held_out=held_out)


def word(n):
    """Words of which no two are alike, so that no two questions are a family."""
    return f"{'abcdefghij'[n % 10] * 6} {'klmnopqrst'[n // 10] * 7} {'uvwxyz'[n % 6] * 8}"


@pytest.fixture
def world(ws, tmp_path):
    """A project: what SFT learned, what was rated, the pairs of it, the two models."""
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path)
    faq = [{"prompt": f"{word(n)}?", "completion": f"answer {n}"} for n in range(90)]
    learned = file_of(ws, project, tmp_path, "faq.jsonl", faq, held_out=0.5)
    votes = [{"prompt": f"V {n}", "chosen": "yes", "rejected": "no"} for n in range(24)]
    pairs = file_of(ws, project, tmp_path, "pairs.jsonl", votes)
    sft = configured(ws, loop_in_tables.trained(ws, project, "sft", base, "sft", learned.id))
    dpo = configured(ws, loop_in_tables.trained(ws, project, "dpo", sft, "dpo", pairs.id))
    ahead = next(loop_in_tables.clock)  # of now, by as much as models were made in this process
    with writing(ws.db) as conn:  # what a job makes now comes after them
        conn.execute(update(tables.model).values(created_at=tables.model.c.created_at - ahead))
    return project, learned, pairs, sft, dpo


def asked(ws, dataset, rows):
    """The questions of these rows."""
    every = datasets.rows(ws, LOCAL, dataset.id)
    return {every[n].example.messages[0].content for n in rows}


def blind(ws, project, dataset, new, base, prompts):
    recipe = RoundRecipe(
        purpose="blind_eval", model=new.id, baseline=base.id, dataset=dataset.id, prompts=prompts
    )
    return rounds.start(ws, LOCAL, project.id, recipe, anyway=True)


def test_dial_leaves_half_of_the_held_out_questions_to_blind_rounds(ws, world):
    project, learned, pairs, sft, dpo = world
    job = dial.start(ws, LOCAL, project.id, dpo.id, (0.5, 1.0))
    assert (job.kind, job.name) == ("dial", "Strength dial of dpo")
    recipe = job.recipe
    assert (recipe["model"], recipe["start"]) == (dpo.id, sft.id)
    assert (recipe["dataset"], recipe["pairs"]) == (learned.id, pairs.id)
    assert recipe["strengths"] == [0.0, 0.5, 1.0]
    assert recipe["metrics"] == ["exact_match", "rougeL"] or "exact_match" in recipe["metrics"]
    held_out = {row.index for row in datasets.rows(ws, LOCAL, learned.id, "held_out")}
    assert set(recipe["rows"]) < held_out
    assert len(recipe["rows"]) == len(held_out) // 2
    one = blind(ws, project, learned, dpo, sft, 200)
    assert set(one.plan.rows) == held_out - set(recipe["rows"])


def test_dial_never_measures_what_a_blind_round_asks(ws, world):
    """Also before the answers of that round are written."""
    project, learned, _, sft, dpo = world
    one = blind(ws, project, learned, dpo, sft, 5)
    job = dial.start(ws, LOCAL, project.id, dpo.id)
    assert not asked(ws, learned, job.recipe["rows"]) & asked(ws, learned, one.plan.rows)
    assert len(job.recipe["rows"]) == (45 - 5) // 2
    blind(ws, project, learned, dpo, sft, 10)
    with pytest.raises(Conflict, match="Fewer than 20 questions"):
        dial.start(ws, LOCAL, project.id, dpo.id)


def test_blind_round_never_asks_what_a_dial_measured(ws, world):
    project, learned, _, sft, dpo = world
    job = dial.start(ws, LOCAL, project.id, dpo.id)
    marks = dial_questions.questions(ws, LOCAL, project.id)
    assert len(marks) == len(job.recipe["rows"])
    for prompts in (5, 10, 22, 90):
        one = blind(ws, project, learned, dpo, sft, prompts)
        assert not set(one.plan.rows) & set(job.recipe["rows"])
    training = rounds.start(
        ws, LOCAL, project.id, RoundRecipe(model=dpo.id, dataset=learned.id, prompts=90)
    )
    assert len(training.plan.rows) == 45  # rounds that are no test are as before


def test_dataset_is_read_once_however_many_dials_measured_on_it(ws, world, monkeypatch):
    project, learned, _, _, dpo = world
    jobs = [dial.start(ws, LOCAL, project.id, dpo.id, (at,)) for at in (0.5, 0.75, 1.0)]
    read, each_row = [], datasets.each_row

    def counted(space, dataset, *rest):
        read.append(dataset.id)
        return each_row(space, dataset, *rest)

    monkeypatch.setattr(datasets, "each_row", counted)
    marks = dial_questions.questions(ws, LOCAL, project.id)
    assert read == [learned.id]
    assert len(marks) == len({row for job in jobs for row in job.recipe["rows"]})


def test_blind_round_is_refused_where_a_dial_measured_all(ws, world, tmp_path):
    project, _, _, sft, dpo = world
    few = [{"prompt": f"{word(n)} {n}!", "completion": "so"} for n in range(50)]
    test = file_of(ws, project, tmp_path, "test.jsonl", few, held_out=0.9)
    job = dial.start(ws, LOCAL, project.id, dpo.id, dataset_id=test.id)
    every = datasets.rows(ws, LOCAL, test.id, "held_out")
    with writing(ws.db) as conn:
        recipe = json.dumps(job.recipe | {"rows": [row.index for row in every]})
        conn.execute(update(tables.job).where(tables.job.c.id == job.id).values(recipe=recipe))
    with pytest.raises(UserError, match="A strength dial measured models on all held-out prompts"):
        blind(ws, project, test, dpo, sft, 5)


def test_questions_of_the_rating_rounds_come_first(ws, world, tmp_path):
    """Without those that say nearly what is held out, and those without a reference."""
    project, learned, pairs, sft, dpo = world
    held_out = datasets.rows(ws, LOCAL, learned.id, "held_out")[0].example.messages[0].content
    rated = [{"prompt": f"{word(n)} now", "references": [f"{n}"]} for n in range(30)]
    rated += [{"prompt": held_out, "references": ["x"]}, {"prompt": "no reference at all"}]
    prompts = file_of(ws, project, tmp_path, "prompts.jsonl", rated)
    one = rounds.start(
        ws, LOCAL, project.id, RoundRecipe(model=sft.id, dataset=prompts.id, prompts=20)
    )
    made = pair_exports.PairExport(
        id=ids.new("export"), project_id=project.id, dataset_id=pairs.id, rounds=(one.id,),
        rules={}, watermark="w", content_sha256=pairs.sha256, pairs=24, counts={},
        created_by="local", created_at=1.0,
    )  # fmt: skip
    with writing(ws.db) as conn:
        pair_exports.add(conn, made)
    found = dial.questions(ws, LOCAL, project.id, dpo.id)
    assert found.dataset.id == prompts.id
    texts = [datasets.rows(ws, LOCAL, prompts.id)[n].example.prompt[0].content for n in found.rows]
    assert held_out not in texts
    assert "no reference at all" not in texts
    assert 20 <= len(texts) <= 30


def test_models_without_a_dial_are_refused_in_a_sentence(ws, world, tmp_path):
    project, _, pairs, sft, dpo = world
    assert dial.refusal(ws, LOCAL, project.id, dpo.id) == ""
    assert "learned from no votes" in dial.refusal(ws, LOCAL, project.id, sft.id)
    odd = configured(
        ws, loop_in_tables.trained(ws, project, "odd", sft, "dpo", pairs.id), use_dora=True
    )
    assert "use_dora" in dial.refusal(ws, LOCAL, project.id, odd.id)
    for call in (dial.start, lambda *given: dial.use(*given, 0.5)):
        with pytest.raises(UserError, match="use_dora"):
            call(ws, LOCAL, project.id, odd.id)
    gone = loop_in_tables.trained(ws, project, "gone", sft, "dpo", pairs.id)
    assert "not in the data folder" in dial.refusal(ws, LOCAL, project.id, gone.id)
    with pytest.raises(UserError, match="strength 1 is the trained model"):
        dial.use(ws, LOCAL, project.id, dpo.id, 1.0)


def made_at(ws, project, sft, dpo, strength=0.5):
    """The model that a job made at a strength, stored as a worker would."""
    job = helpers.claimed(ws, dial.use(ws, LOCAL, project.id, dpo.id, strength).id)
    where = Strength(strength=strength, start=sft.id, trained=dpo.id)
    new = NewModel(
        name=job.name, path="adapter", base_id=sft.base_id, parent_id=sft.id,
        dataset_id=dpo.dataset_id, info={"method": "dpo", "strength": where.model_dump()},
    )  # fmt: skip
    job_outcomes.store(ws, job, Outcome(model=new))
    return lifecycle.get(ws, LOCAL, job.id)


def test_model_at_a_strength_is_a_generation_with_its_lineage(ws, world):
    project, _, _, sft, dpo = world
    job = made_at(ws, project, sft, dpo)
    new = registry.get(ws, LOCAL, job.result.model_id)
    assert new.name == "dpo at 0.5"
    assert Strength.of(new) == Strength(strength=0.5, start=sft.id, trained=dpo.id)
    assert [one.model.id for one in history(ws, LOCAL, project.id).generations] == [dpo.id, new.id]
    evaluation = lifecycle.get(ws, LOCAL, job.result.evaluation_job_id)
    assert evaluation.recipe["models"] == [sft.id, new.id]
    assert "lies at a strength already. Choose dpo." in dial.refusal(ws, LOCAL, project.id, new.id)
    card = model_card.model_card(ws, LOCAL, new.id)
    assert "strength 0.5, where sft is 0 and dpo is 1" in card
    assert f"{new.name} was trained by" not in card


def test_newest_measurement_of_a_model_is_found(ws, world):
    project, _, _, _, dpo = world
    assert dial.newest(ws, LOCAL, project.id, dpo.id) is None
    job = dial.start(ws, LOCAL, project.id, dpo.id)
    assert dial.newest(ws, LOCAL, project.id, dpo.id).id == job.id
    assert dial.result(job) is None
    stop = DialStop(strength=0.0, metric=0.5, length=4.0, kept=True, recommended=True)
    found = DialResult(stops=(stop,), metric="exact_match", sentence="So.")
    job_outcomes.store(ws, helpers.claimed(ws, job.id), Outcome(result=found))
    assert dial.result(dial.newest(ws, LOCAL, project.id, dpo.id)) == found


def test_dial_of_another_project_is_hidden(ws, world):
    project, _, _, _, dpo = world
    job = dial.start(ws, LOCAL, project.id, dpo.id)
    other = helpers.project(ws, "Other")
    bob = Actor(name="Bob", role=Role.OWNER, projects=frozenset({other.id}))
    calls = (dial.start, dial.newest, dial.refusal, dial.questions)
    for call in (*calls, lambda *given: dial.use(*given, 0.5)):
        with pytest.raises(NotFound):
            call(ws, bob, project.id, dpo.id)
    assert dial.newest(ws, bob, other.id, dpo.id) is None
    for call in (dial.start, dial.refusal):
        with pytest.raises(NotFound):
            call(ws, bob, other.id, dpo.id)
    with pytest.raises(NotFound):
        dial_questions.questions(ws, bob, project.id)
    assert lifecycle.get(ws, LOCAL, job.id).state == "queued"
    rater = Actor(name="Ada", role=Role.RATER)
    with pytest.raises(Exception, match="trainer"):
        dial.start(ws, rater, project.id, dpo.id)
