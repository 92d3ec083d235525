"""Plans of rounds: what is frozen, what old rounds hold, and the one recipe behind it."""

import json

import numpy as np
import pytest
from sqlalchemy import select, update

from engine.core import ids
from engine.core.actor import LOCAL
from engine.core.errors import Conflict
from engine.core.rating import RoundPlan
from engine.core.recipe import read
from engine.services.rating import plans, rounds
from engine.services.rating.plans import RoundRecipe
from engine.stats.power import detectable
from engine.stats.side_bias import SIDE_ALPHA, position_bias
from engine.store.connect import reading, writing
from engine.store.json_columns import to_json
from engine.store.tables import rating_round
from engine.workspace import open_workspace
from tests import helpers
from tests.loop import loop_in_tables
from tests.rating.rated import started

GOLD = {"prompt": [{"role": "user", "content": "q"}], "reason": "x", "right": "a b", "wrong": "c"}
# as version 0.1.0 wrote it on 2026-11-28, shortened; its digest was computed then
OF_0_1_0 = (
    '{"alpha":0.05,"arms":["model-a","model-b"],"calibration":[' + to_json(GOLD) + '],"dataset":'
    '"dataset-1","decision":"sequential","detectable":null,"gold":[],"guidelines":"Be kind.",'
    '"max_new_tokens":256,"mode":"pair","overlap":2,"per_rater":150,"prompts":3,"purpose":'
    '"blind_eval","repeats":1,"rows":[4,0,2],"rule":"better","seed":1,"temperature":0.0}'
)
FEWEST_FIELDS = '{"overlap":1,"prompts":1,"seed":1,"temperature":0.9}'
OF_A_LATER_VERSION = '{"calibration":[],"overlap":1,"prompts":1,"weights":{"a":[1,2]}}'


@pytest.mark.parametrize("stored", [OF_0_1_0, FEWEST_FIELDS, OF_A_LATER_VERSION])
def test_stored_plan_is_read_and_dumps_byte_for_byte(stored):
    assert to_json(RoundPlan.model_validate(json.loads(stored))) == stored


def test_plan_of_0_1_0_has_its_values():
    plan = RoundPlan.model_validate(json.loads(OF_0_1_0))
    assert (plan.decision, plan.per_rater, plan.rows) == ("sequential", 150, (4, 0, 2))
    assert [each.right for each in plan.practice] == ["a b"]


def test_round_read_from_the_database_keeps_a_plan_that_fits_its_hash(ws, tmp_path):
    one = started(ws, tmp_path, "blind_eval", gold=0.2, repeats=0.1, practice=1, per_rater=9)
    assert ids.sha256(to_json(rounds.get(ws, LOCAL, one.id).plan)) == one.plan_sha256
    with reading(ws.db) as conn:
        (text,) = conn.execute(select(rating_round.c.plan)).scalars()
    assert ids.sha256(text) == one.plan_sha256


def test_round_with_a_plan_of_another_version_is_listed(ws, tmp_path):
    one = started(ws, tmp_path, "train_pairs")
    with writing(ws.db) as conn:
        conn.execute(update(rating_round).values(plan=OF_A_LATER_VERSION))
    (found,) = rounds.list_all(ws, LOCAL, one.project_id)
    assert (found.mode, found.plan.overlap) == ("pair", 1)
    assert found.model_dump(mode="json")["plan"]["weights"] == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("purpose", "expected"), [("train_pairs", 0.9), ("aa_control", 0.9), ("blind_eval", 0.0)]
)
def test_sampling_temperature_follows_the_purpose_unless_it_is_given(purpose, expected):
    values = {"purpose": purpose, "model": "model-a", "dataset": "d"}
    assert read(RoundRecipe, values).sampling_temperature == expected
    assert read(RoundRecipe, {**values, "temperature": 0.3}).sampling_temperature == 0.3


def test_blind_round_of_a_model_that_regressed_is_refused_by_the_service(ws, tmp_path):
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path)
    source = helpers.dataset(ws, project.id, tmp_path)
    worse = loop_in_tables.trained(ws, project, "one", base)
    loop_in_tables.evaluated(ws, project, source, base, worse, regressed=True)
    recipe = RoundRecipe(
        purpose="blind_eval", model=worse.id, baseline=base.id, dataset=source.id, prompts=6
    )
    with pytest.raises(Conflict, match="regressed"):
        rounds.start(ws, LOCAL, project.id, recipe)
    assert rounds.list_all(ws, LOCAL, project.id) == []
    assert rounds.start(ws, LOCAL, project.id, recipe, anyway=True).purpose == "blind_eval"


def test_rating_round_of_a_model_that_regressed_is_allowed(ws, tmp_path):
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path)
    source = helpers.dataset(ws, project.id, tmp_path)
    worse = loop_in_tables.trained(ws, project, "one", base)
    loop_in_tables.evaluated(ws, project, source, base, worse, regressed=True)
    recipe = RoundRecipe(model=worse.id, dataset=source.id, prompts=6)
    assert rounds.start(ws, LOCAL, project.id, recipe).status == "preparing"


def test_command_takes_every_plain_field_of_the_recipe(tuneloop):
    _, text, _ = tuneloop("rating", "rounds", "start", "--help")
    in_a_file = {"gold_items"}
    for name in set(RoundRecipe.model_fields) - in_a_file:
        assert f"--{name.replace('_', '-')} " in text


def test_command_reads_a_recipe_file_and_options_beat_it(tuneloop, tmp_path):
    ws = open_workspace()
    project = helpers.project(ws)
    base = helpers.model(ws, tmp_path, "base-one")
    source = helpers.dataset(ws, project.id, tmp_path)
    ws.close()
    path = tmp_path / "practice.yaml"
    path.write_text(
        f"kind: round\npurpose: calibration\nmodel: base-one\ndataset: {source.name}\n"
        "prompts: 5\nguidelines: Be kind.\n"
    )
    start = ("rating", "rounds", "start", path)
    code, out, err = tuneloop(*start, "--set", "seed=3", "--prompts", 4, "--json")
    assert code == 0, err
    made = json.loads(out)
    assert (made["status"], made["plan"]["prompts"], made["plan"]["seed"]) == ("open", 4, 3)
    assert made["plan"]["guidelines"] == "Be kind."
    assert made["arm_base"] == base.id
    code, _, err = tuneloop(*start, "--set", "prompst=3")
    assert code == 2
    assert "did you mean 'prompts'?" in err


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (4, "fewer than 6 comparisons can show nothing"),
        (6, "So few comparisons cannot show that raters favour a side."),
        (40, "favour one half of its answers by 73 to 27 or more"),
        (40, "To be called even it takes about 96 votes with a winner."),
        (40, "mostly shows 77 % or more of the votes on one side."),
        (40, "A side that raters favour cancels out in this rate"),
    ],
)
def test_aa_plan_promises_what_it_can_see(pairs, said):
    found = plans.expected("aa_control", pairs)
    assert said in found
    assert "sides are biased" not in found


def test_aa_plan_of_many_pairs_asks_for_no_more():
    assert "To be called even" not in plans.expected("aa_control", 96)


def test_side_bias_of_the_size_that_an_aa_plan_names_is_seen_in_eighty_of_hundred():
    rng = np.random.default_rng(1)
    rate = detectable(40, alpha=SIDE_ALPHA)
    seen = [
        position_bias(int(left), 40 - int(left)).biased for left in rng.binomial(40, rate, 2000)
    ]
    assert sum(seen) / 2000 == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("decision", ["fixed", "sequential"])
def test_blind_plan_says_how_many_raters_a_general_claim_takes(decision):
    found = plans.expected("blind_eval", 60, decision)
    assert found.endswith(
        "The verdict is about its raters. A claim about people in general takes 4 raters or more, "
        "and about 10 for a win rate of 65 %, where their own win rates differ by 15 points "
        "(standard deviation)."
    )
