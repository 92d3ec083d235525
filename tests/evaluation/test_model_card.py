"""A model card says where a model came from: each line that a reader outside relies on."""

import json

import pytest
import yaml

from engine.core.actor import LOCAL
from engine.core.job_outcome import NewModel, Outcome
from engine.services import job_outcomes, model_card
from engine.services.models import registry
from engine.store import pair_exports
from engine.store.connect import writing
from tests import helpers
from tests.ui import results

ANSWERS = {n: (f"no {n}", 0.1, f"right {n}", 0.9) for n in range(6)}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HOSTILE = "faq\n```\n<script>alert(1)"


def trained(ws, project, method, start, base, data, name, **values):
    """An adapter as a training leaves it behind."""
    asked = {"model": start.id, "dataset": data.id, "evaluate_after": False, **values}
    job = helpers.claimed(ws, results.submit(ws, project.id, method, name, **asked).id)
    new = NewModel(
        name=name, kind="adapter", path="adapter", base_id=base.id, dataset_id=data.id,
        parent_id=start.id if start is not base else None, info={"method": method},
    )  # fmt: skip
    job_outcomes.store(ws, job, Outcome(result={"best_train_loss": 1.0}, model=new))
    return registry.list_all(ws, LOCAL, project.id)[-1]


@pytest.fixture
def card(ws, tmp_path):
    """Of a model that learned from votes, over one that learned examples, over a base of the Hub;
    and the two datasets."""
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path, "my base")
    about = {"note": f"makers/tiny at {COMMIT}", "licence": "Apache-2.0"}
    (registry.files(ws, base).base / "tuneloop.json").write_text(json.dumps(about))
    examples = helpers.dataset(ws, project.id, tmp_path)
    first = trained(ws, project, "sft", base, base, examples, "first")
    (tmp_path / "pairs").mkdir()
    voted = helpers.dataset(ws, project.id, tmp_path / "pairs", rows=41)
    second = trained(ws, project, "dpo", first, base, voted, "second", beta=0.3)
    export = pair_exports.PairExport(
        id="export-1", project_id=project.id, dataset_id=voted.id, rounds=("a", "b"), rules={},
        watermark="w", content_sha256="c", pairs=41, counts={"votes": 57}, created_by="local",
        created_at=1.0,
    )  # fmt: skip
    with writing(ws.db) as conn:
        pair_exports.add(conn, export)
    results.evaluated(ws, project.id, voted, base, second, ANSWERS)
    text = model_card.model_card(ws, LOCAL, second.id)
    for one in (base, first, second, examples, voted, project, second.job_id):
        assert getattr(one, "id", one) not in text
    return text, examples, voted


def test_model_card_names_the_base_with_its_revision(card):
    assert f"Base: makers/tiny at {COMMIT} (called my base here)." in card[0]
    assert yaml.safe_load(card[0].split("---")[1])["base_model"] == "makers/tiny"


def test_model_card_names_the_data_of_each_training_with_its_hash(card):
    text, examples, voted = card
    assert "How it came about: second from first from my base." in text
    for name, method, data in (("first", "sft", examples), ("second", "dpo", voted)):
        rows = f"{data.train_rows} rows, {data.held_out_rows} held out"
        line = f"{name} was trained by {method} on {data.label}: {rows} (SHA-256 {data.sha256})."
        assert line in text


def test_model_card_holds_the_recipe_of_each_training_by_names(card):
    text, examples, voted = card
    parts = text.split("## Recipe of ")[1:]
    known = [yaml.safe_load(part.split("## Scores")[0].split("\n", 1)[1]) for part in parts]
    assert [one["kind"] for one in known] == ["dpo", "sft"]
    assert (known[0]["model"], known[0]["dataset"], known[0]["beta"]) == (
        "first", voted.label, 0.3,
    )  # fmt: skip
    assert (known[1]["model"], known[1]["dataset"]) == ("my base", examples.label)


def test_model_card_gives_every_score_with_its_interval(card):
    for metric, gain in (("rougeL", "Better: +0.20."), ("exact_match", "No difference shown")):
        assert f"| {metric} | 0.500 | 0.400 to 0.600 | {gain}" in card[0]


def test_model_card_counts_the_votes_behind_the_model(card):
    assert "second learned from 57 votes of 2 rounds, which made 41 rows." in card[0]


def test_model_card_names_the_licence_of_the_base_and_what_is_not_known_of_the_data(card):
    assert (
        "Licence of the base: Apache-2.0. The licence of the training data is not recorded"
        in (card[0])
    )
    assert yaml.safe_load(card[0].split("---")[1])["license"] == "apache-2.0"


def test_model_card_shows_hostile_settings_as_an_indented_block(ws, tmp_path):
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path, HOSTILE)
    data = helpers.dataset(ws, project.id, tmp_path)
    tuned = trained(ws, project, "sft", base, base, data, "tuned")
    text = model_card.model_card(ws, LOCAL, tuned.id)
    assert "<script" not in text
    block = text.split("## Recipe of tuned\n\n")[1].rstrip().split("\n")
    assert all(line.startswith("    ") for line in block)
