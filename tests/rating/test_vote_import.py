"""Votes and ratings of a file in a project: what becomes of them, and what refuses them."""

import csv

import pytest

from engine.core.actor import LOCAL, Actor, Role
from engine.core.errors import Conflict, Forbidden, NotFound, UserError
from engine.core.imported_votes import vote_mapping
from engine.services import erasure
from engine.services.loop import history, status
from engine.services.models import registry
from engine.services.preferences import build, contested
from engine.services.rating import paused_raters, report, rounds, vote_import
from engine.services.rating.imported_scales import threshold
from engine.services.rating.vote_import import VoteImport
from engine.stats.verdict import verdict as weigh
from engine.store import rounds as round_store
from engine.store import votes as vote_store
from engine.store.connect import reading
from tests import helpers

TRAINER = Actor(name="tess", role=Role.TRAINER)


def file_of(folder, rows, name="votes.csv"):
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return path


def whole(pairs=24, raters_=("ada", "bob"), new="gpt", base="llama"):
    """Votes with texts and sides: the new model wins two of three, and stands left every second."""
    rows = []
    for n in range(pairs):
        left, right = (new, base) if n % 2 else (base, new)
        won = new if n % 3 else base
        rows += [
            {
                "prompt": f"Where is shop number {n} of the town?", "rater": rater,
                "model_left": left, "model_right": right,
                "answer_left": f"{left} says street {n}.", "answer_right": f"{right} knows {n}.",
                "winner": "left" if won == left else "right",
                "created_at": f"2026-03-09T10:{n % 60:02d}:00Z",
            }
            for rater in raters_
        ]  # fmt: skip
    return rows


def bare(rows):
    """The same without sides, texts and prompts that say anything."""
    return [
        {
            "prompt": row["prompt"], "annotator": row["rater"], "model_a": row["model_left"],
            "model_b": row["model_right"],
            "preference": "a is better" if row["winner"] == "left" else "b is better",
        }
        for row in rows
    ]  # fmt: skip


def add(ws, project, path, actor=LOCAL, **how):
    return vote_import.add(ws, actor, project.id, path, path.name, VoteImport(**how))


@pytest.fixture
def place(ws):
    return helpers.project(ws)


def test_votes_with_sides_and_texts_are_read_by_everything(ws, place, tmp_path):
    made = add(ws, place, file_of(tmp_path, whole()), new="gpt", actor=TRAINER)
    (one,) = made.rounds
    assert (one.new, one.base, one.votes, one.comparisons) == ("gpt", "llama", 48, 24)
    found = report.report(ws, LOCAL, one.id)
    expected = weigh(32, 16, 0, 0, by_prompt=[1.0] * 16 + [0.0] * 8)
    assert (found.verdict.wins, found.verdict.losses) == (32, 16)
    assert found.verdict.win_rate == pytest.approx(expected.win_rate)
    assert (found.agreement.raw, found.tally.raters, found.position.biased) == (1.0, 2, False)
    assert rounds.verdict(ws, LOCAL, one.id).decision == found.verdict.decision
    seen = build.preview(ws, LOCAL, place.id)
    assert len(seen.judged.pairs) == 24
    for pair in seen.judged.pairs:
        number = int(pair.prompt[-1].content.split()[4])
        assert pair.chosen.startswith("gpt" if number % 3 else "llama")
    assert build.make(ws, LOCAL, place.id).pairs == 24


def test_votes_without_sides_give_no_verdict_and_are_marked(ws, place, tmp_path):
    made = add(ws, place, file_of(tmp_path, bare(whole())))
    (one,) = made.rounds
    assert not made.seen.sides
    assert any("Not known to be blind" in each for each in vote_import.sentences(made.seen))
    found = report.report(ws, LOCAL, one.id)
    assert found.verdict is None
    assert found.position is None
    assert "Not known to be blind" in found.sentence
    assert found.agreement.raw == 1.0
    assert (found.tally.wins, found.tally.losses) == (16, 32)  # llama is named first
    assert not any(each.sides for each in paused_raters.raters(ws, LOCAL, one.id))
    with pytest.raises(Conflict, match="not known to be blind"):
        rounds.verdict(ws, LOCAL, one.id)
    with pytest.raises(UserError, match="not known to be blind"):
        add(ws, place, file_of(tmp_path, bare(whole(23)), "other.csv"), test=True)
    counts = build.preview(ws, LOCAL, place.id).counts
    assert (counts["votes"], counts["no_text"]) == (48, 24)


def test_dealt_sides_say_nothing_of_a_rater(ws, place, tmp_path):
    rows = [{**row, "preference": "a is better"} for row in bare(whole(200, ("ada",)))]
    made = add(ws, place, file_of(tmp_path, rows))
    with reading(ws.db) as conn:
        cast = vote_store.live(conn, [made.rounds[0].id])
    left = sum(vote.choice == "left" for vote in cast)
    assert 60 < left < 140
    assert {vote.preferred for vote in cast} == {"a", "b"}


def test_same_file_is_not_added_twice(ws, place, tmp_path):
    path = file_of(tmp_path, whole())
    add(ws, place, path)
    before = rounds.list_all(ws, LOCAL, place.id)
    with pytest.raises(Conflict, match="are in the project already"):
        add(ws, place, path)
    with pytest.raises(Conflict, match="are in the project already"):
        add(ws, place, path.rename(tmp_path / "renamed.csv"))
    assert rounds.list_all(ws, LOCAL, place.id) == before
    add(ws, helpers.project(ws, "Other"), tmp_path / "renamed.csv")


def test_refused_file_leaves_nothing_behind(ws, place, tmp_path, monkeypatch):
    path = file_of(tmp_path, whole())

    def fails(*_):
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(vote_store, "add_imported", fails)
    with pytest.raises(RuntimeError):
        add(ws, place, path)
    assert rounds.list_all(ws, LOCAL, place.id) == []
    assert registry.outside(ws, LOCAL, place.id) == []


def test_every_row_is_counted(ws, place, tmp_path):
    rows = whole(4, ("ada",))
    rows[1]["winner"] = "perhaps"
    rows[2]["rater"] = ""
    rows.append({**rows[0], "winner": "tie"})
    made = add(ws, place, file_of(tmp_path, rows))
    seen = made.seen
    assert (seen.rows, seen.votes, seen.refused, seen.repeats) == (5, 3, 2, 1)
    assert vote_import.first_reasons(seen.broken) == [
        "Row 3 has the choice 'perhaps'.", "Row 4 is not whole: it names no rater.",
    ]  # fmt: skip
    assert report.report(ws, LOCAL, made.rounds[0].id).tally.prompts == 2
    assert rounds.left_out(ws, LOCAL, made.rounds[0].id) == {"refused": 2}


def test_models_of_the_project_are_linked_and_others_are_names_alone(ws, place, tmp_path):
    own = helpers.model(ws, tmp_path, "smol-tuned")
    made = add(ws, place, file_of(tmp_path, whole(new="smol-tuned", base="gpt-x")))
    one = rounds.get(ws, LOCAL, made.rounds[0].id)
    assert made.seen.linked == ("smol-tuned",)
    assert own.id in (one.arm_new, one.arm_base)
    (outside,) = registry.outside(ws, LOCAL, place.id)
    assert outside.name == "gpt-x"
    assert outside.id not in [each.id for each in registry.list_all(ws, LOCAL, place.id)]
    with pytest.raises(NotFound):
        registry.get(ws, LOCAL, outside.id)
    add(ws, place, file_of(tmp_path, whole(5, new="gpt-x", base="other"), "more.csv"))
    assert [each.name for each in registry.outside(ws, LOCAL, place.id)] == ["gpt-x", "other"]


def test_each_two_models_are_a_round(ws, place, tmp_path):
    rows = [*whole(6), *whole(4, new="gpt", base="qwen")]
    made = add(ws, place, file_of(tmp_path, rows), new="gpt")
    assert [(each.new, each.base) for each in made.rounds] == [("gpt", "llama"), ("gpt", "qwen")]
    with pytest.raises(UserError, match="No vote is about 'nobody'"):
        add(ws, place, file_of(tmp_path, whole(3), "c.csv"), new="nobody")


def test_too_many_pairs_of_models_are_refused(ws, place, tmp_path):
    rows = [row for n in range(61) for row in whole(1, new=f"m{n}", base="z")]
    with pytest.raises(UserError, match="61 pairs of models"):
        add(ws, place, file_of(tmp_path, rows))


def test_loop_takes_a_file_for_its_own_test_only_where_it_may(ws, place, tmp_path):
    add(ws, place, file_of(tmp_path, whole()), test=True)
    steps = {step.name: step.state for step in status.status(ws, LOCAL, place.id).steps}
    assert steps["verdict"] != "done"
    assert history.history(ws, LOCAL, place.id).baseline is None
    new, base = helpers.model(ws, tmp_path, "tuned"), helpers.model(ws, tmp_path, "plain")
    rows = whole(30, new="tuned", base="plain")
    add(ws, place, file_of(tmp_path, bare(rows), "sides.csv"), new="tuned")
    steps = {step.name: step.state for step in status.status(ws, LOCAL, place.id).steps}
    assert steps["verdict"] != "done"
    add(ws, place, file_of(tmp_path, rows, "test.csv"), test=True, new="tuned")
    found = status.status(ws, LOCAL, place.id)
    steps = {step.name: step for step in found.steps}
    assert steps["verdict"].state == "done"
    assert steps["verdict"].value == pytest.approx(2 / 3)
    assert {new.id, base.id} == set(rounds.list_all(ws, LOCAL, place.id)[0].plan.arms)


def test_test_of_a_file_makes_no_pairs_and_holds_its_questions_out(ws, place, tmp_path):
    add(ws, place, file_of(tmp_path, whole()), test=True)
    with pytest.raises(UserError, match="no rating round"):
        build.preview(ws, LOCAL, place.id)
    other = [{**row, "answer_left": "One.", "answer_right": "Two."} for row in whole(24)]
    add(ws, place, file_of(tmp_path, other, "other.csv"))
    assert build.preview(ws, LOCAL, place.id).counts["blind"] == 24


def test_five_levels_become_strength(ws, place, tmp_path):
    rows = [
        {"prompt": f"Say {n}", "answer_a": f"yes {n}", "answer_b": f"no {n}",
         "preference": ["a is clearly better", "b is slightly better"][n % 2]}
        for n in range(4)
    ]  # fmt: skip
    add(ws, place, file_of(tmp_path, rows))
    pairs = build.preview(ws, LOCAL, place.id).judged.pairs
    assert sorted((pair.chosen.split()[0], pair.clearly) for pair in pairs) == [
        ("no", False), ("no", False), ("yes", True), ("yes", True),
    ]  # fmt: skip


def test_ratings_become_answers_that_are_good_or_bad(ws, place, tmp_path):
    rows = [
        {"prompt": f"Question {n} of many?", "response": f"Reply {n}.", "model": "gpt",
         "rater": "ada", "rating": stars}
        for n, stars in enumerate([5, 4, 3, 2, 1])
    ]  # fmt: skip
    made = add(ws, place, file_of(tmp_path, rows))
    seen = made.seen
    assert (seen.ratings, seen.undecided, seen.threshold) == (4, 1, (4.0, 2.0))
    tally = rounds.tally(ws, LOCAL, made.rounds[0].id)
    assert (tally.good, tally.bad) == (2, 2)
    examples = build.preview(ws, LOCAL, place.id, of="ratings").examples
    assert [(each.completion, each.label) for each in examples] == [
        ("Reply 0.", True), ("Reply 1.", True), ("Reply 3.", False), ("Reply 4.", False),
    ]  # fmt: skip
    with pytest.raises(UserError, match="no test of two models"):
        add(ws, place, file_of(tmp_path, rows[:2], "b.csv"), test=True)


@pytest.mark.parametrize(
    ("values", "good_from", "labels"),
    [
        ([0, 1], None, [False, True]), ([-1, 1], None, [False, True]), ([1, 1], None, [True, True]),
        ([1, 2, 3, 4, 5], None, [False, False, None, True, True]),
        ([1, 4, 5, 6, 7, 10], None, [False, False, None, None, True, True]),
        ([0.1, 0.5, 0.9], None, [False, None, True]), ([10, 50, 90], None, [False, None, True]),
        ([1, 3, 5], 3, [False, True, True]), ([-5, 400], 0, [False, True]),
    ],
)  # fmt: skip
def test_threshold_follows_the_scale(values, good_from, labels):
    found = threshold([float(each) for each in values], good_from)
    assert [found.label(each) for each in values] == labels


def test_scale_that_is_unknown_asks_for_the_number():
    with pytest.raises(UserError, match="no scale that is known"):
        threshold([-5.0, 400.0])


def test_gold_items_of_a_file_judge_its_raters(ws, place, tmp_path):
    rows = [
        {**row, "expected": "" if n % 4 else "left"} for n, row in enumerate(whole(24, ("ada",)))
    ]
    made = add(ws, place, file_of(tmp_path, rows))
    (ada,) = paused_raters.raters(ws, LOCAL, made.rounds[0].id)
    right = sum(row["expected"] == row["winner"] for row in rows)
    assert (ada.quality.gold.right, ada.quality.gold.of) == (right, 6)


def test_rater_of_a_file_can_be_deleted_and_paused(ws, place, tmp_path):
    made = add(ws, place, file_of(tmp_path, whole()))
    one = made.rounds[0].id
    paused_raters.pause(ws, LOCAL, one, "bob")
    assert rounds.tally(ws, LOCAL, one).paused == 24
    assert erasure.erase(ws, LOCAL, place.id, "ada").votes == 24
    with reading(ws.db) as conn:
        assert {vote.rater for vote in vote_store.live(conn, [one])} == {"bob"}


def test_contested_pairs_of_a_file_can_be_asked_again(ws, place, tmp_path):
    rows = whole(6)
    for row in rows[1::2]:
        row["winner"] = "right" if row["winner"] == "left" else "left"
    made = add(ws, place, file_of(tmp_path, rows))
    again = contested.ask_again(ws, LOCAL, made.rounds[0].id)
    assert (again.status, again.imported, again.states_sides) == ("open", False, True)


def test_only_trainers_of_the_project_bring_votes(ws, place, tmp_path):
    path = file_of(tmp_path, whole())
    for call in (vote_import.add, vote_import.preview):
        with pytest.raises(Forbidden):
            call(ws, Actor(name="r", role=Role.RATER), place.id, path, path.name, VoteImport())
        other = Actor(name="t", role=Role.TRAINER, projects=frozenset({"elsewhere"}))
        with pytest.raises(NotFound):
            call(ws, other, place.id, path, path.name, VoteImport())
    assert rounds.list_all(ws, LOCAL, place.id) == []


def test_rater_called_like_a_record_of_deletion_gets_another_name(ws, place, tmp_path):
    rows = [{**row, "rater": "forgotten-19a3f2c4b10-9f2c04d1aa"} for row in whole(3, ("x",))]
    made = add(ws, place, file_of(tmp_path, rows))
    assert paused_raters.raters(ws, LOCAL, made.rounds[0].id)[0].rater.startswith(
        "rater forgotten-"
    )


def test_mapping_and_preview_store_nothing(ws, place, tmp_path):
    rows = [{"frage": "Wo?", "x": "neu", "y": "alt", "wahl": "links"} for _ in range(3)]
    path = file_of(tmp_path, rows)
    mapping = vote_mapping(
        {"prompt": "frage", "left_model": "x", "right_model": "y", "choice": "wahl"},
        {"links": "left"},
    )
    with pytest.raises(UserError, match="no columns of votes"):
        vote_import.preview(ws, LOCAL, place.id, path, path.name, VoteImport())
    seen = vote_import.preview(ws, LOCAL, place.id, path, path.name, VoteImport(mapping=mapping))
    assert (seen.votes, seen.repeats, seen.raters, seen.models) == (3, 2, 0, ("neu", "alt"))
    assert seen.first[0].choice == "first"
    assert rounds.list_all(ws, LOCAL, place.id) == []
    assert any("unnamed rater" in each for each in vote_import.sentences(seen))


def test_stored_round_reads_back_with_the_hash_of_its_plan(ws, place, tmp_path):
    from engine.core import ids
    from engine.store.json_columns import to_json

    made = add(ws, place, file_of(tmp_path, whole()))
    one = rounds.get(ws, LOCAL, made.rounds[0].id)
    assert ids.sha256(to_json(one.plan)) == one.plan_sha256
    assert one.plan.origin.file == "votes.csv"
    with reading(ws.db) as conn:
        shown = round_store.comparisons(conn, one.id)
    assert len({each.position for each in shown}) == 24
