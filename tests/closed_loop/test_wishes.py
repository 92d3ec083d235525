"""The closed loop goes where its raters want it to go: real TRL, real answers, blind votes."""

import json

import pytest

from engine.core.actor import LOCAL
from engine.services.data import datasets
from engine.services.preferences import build, export
from tests.closed_loop import loop_steps

pytestmark = pytest.mark.train


def more_seeds(*seeds):
    """Seeds that only `make proof` repeats a test with."""
    return [pytest.param(seed, marks=pytest.mark.proof) for seed in seeds]


@pytest.mark.parametrize("seed", [1, *more_seeds(2, 3)])
def test_preference_for_shorter_answers_is_learned_and_they_keep_to_their_topic(followed, seed):
    """Measured: win rate .708 .729 .838, lowest bound .627; answers .66 .64 .51 as long.

    All words keep to the topic, before and after.
    """
    seen = followed(seed).seen
    assert seen.verdict.decision == "better"
    assert seen.verdict.win_rate >= 0.60
    assert seen.verdict.low > 0.5
    assert seen.ratio <= 0.70
    assert loop_steps.accuracy(seen.after) >= loop_steps.accuracy(seen.before) - 0.05


@pytest.mark.parametrize("seed", more_seeds(1, 2))
def test_preference_for_longer_answers_is_learned(start, seed):
    """In `make test` swapped pairs show that answers can become longer.

    Measured: win rate .735 .770, answers 1.37 and 1.44 times as long."""
    seen = loop_steps.once_round(start(), loop_steps.wish(0.1), seed).seen
    assert seen.verdict.win_rate >= 0.60
    assert seen.verdict.low > 0.5
    assert seen.ratio > 1.15
    assert loop_steps.accuracy(seen.after) >= loop_steps.accuracy(seen.before) - 0.05


def test_swapped_preference_pairs_teach_the_opposite(followed, tmp_path):
    """Measured: win rate .278, answers 1.37 times as long."""
    lap, made, _, seen = followed(1)
    rows = export.files(lap.ws, LOCAL, made.id, "trl").rows.splitlines()
    turned = [{**row, "chosen": row["rejected"], "rejected": row["chosen"]}
              for row in map(json.loads, rows)]  # fmt: skip
    file = tmp_path / "turned.jsonl"
    file.write_text("\n".join(map(json.dumps, turned)))
    data = datasets.add(lap.ws, LOCAL, lap.project, file, file.name, held_out=0.1)
    done = loop_steps.trained(lap, data.id, seed=1)
    against = loop_steps.compared(lap, done.result.model_id, loop_steps.wish(0.9), seed=1)
    assert against.verdict.high < 0.5 < seen.verdict.low
    assert against.ratio > 1.15 > seen.ratio


def test_edits_alone_change_a_model(start):
    """An editor who says nothing but cuts each left answer in half.

    Measured: answers .70 as long, win rate .742.
    """
    lap = start()
    one = loop_steps.answered(lap, "train_pairs", lap.base, lap.base, seed=1, prompts=200,
                        temperature=1.0)  # fmt: skip
    loop_steps.edit(lap, one, halved)
    made = build.make(lap.ws, LOCAL, lap.project, rules=build.Rules(edit_share=1.0))
    rows = datasets.rows(lap.ws, LOCAL, made.dataset_id)
    assert all(row.example.chosen == halved(row.example.rejected) for row in rows)
    done = loop_steps.trained(lap, made.dataset_id, seed=1, learning_rate=5e-4)
    seen = loop_steps.compared(lap, done.result.model_id, loop_steps.wish(1.0), seed=1)
    assert seen.ratio <= 0.80
    assert loop_steps.accuracy(seen.after) >= loop_steps.accuracy(seen.before) - 0.05


def halved(text):
    words = text.split()
    return " ".join(words[: len(words) // 2])


@pytest.mark.parametrize("seed", [1, *more_seeds(2, 3)])
def test_length_is_not_learned_from_pairs_that_balance_it(start, seed):
    """Three of four votes go to the longer answer, whatever it says.

    Measured: answers .98 .97 .89 times as long; without the rule 1.30 1.26 1.13.
    """
    lap, judge = start(), loop_steps.wish(0.25)
    loop_steps.rated(lap, judge, seed)
    made = build.make(lap.ws, LOCAL, lap.project, rules=build.Rules(balance_length=True))
    done = loop_steps.trained(lap, made.dataset_id, seed)
    seen = loop_steps.compared(lap, done.result.model_id, judge, seed)
    assert made.counts["length"] > 50
    assert 0.8 < seen.ratio < 1.1
    assert loop_steps.accuracy(seen.after) >= loop_steps.accuracy(seen.before) - 0.05
