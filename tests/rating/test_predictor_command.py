"""`tuneloop rating verdict --unlabelled`: a predictor beside the votes of a file, and bad files."""

import json

import numpy as np
import pytest

VOTES = "prompt,rater,model_left,model_right,choice,predicted"
FURTHER = "prompt,predicted"


def files(folder, votes, further, heads=(VOTES, FURTHER)):
    paths = folder / "votes.csv", folder / "further.csv"
    for path, head, lines in zip(paths, heads, (votes, further), strict=True):
        path.write_text("".join(f"{line}\n" for line in (head, *lines)), encoding="utf-8")
    return paths


def vote(number, won, predicted, rater="r"):
    left, right = ("new", "old") if number % 2 else ("old", "new")
    choice = "left" if (left == "new") == won else "right"
    return f"p{number},{rater},{left},{right},{choice},{predicted}"


def sample(raters=1):
    """60 questions with votes and 240 without; the judge is right on four of five."""
    rng = np.random.default_rng(2)
    won = rng.random(300) < 0.6
    judged = np.where(rng.random(300) < 0.8, won, ~won)
    votes = [
        vote(n, won[n], int(judged[n]), f"r{rater}") for n in range(60) for rater in range(raters)
    ]
    return votes, [f"p{n},{int(judged[n])}" for n in range(60, 300)]


def of(tuneloop, paths, *more):
    return tuneloop("rate", "verdict", paths[0], "--unlabelled", paths[1], "--new", "new", *more)


@pytest.mark.parametrize("raters", [1, 3])
def test_judge_that_helps_narrows_the_interval_and_votes_alone_stand_beside(
    tuneloop, tmp_path, raters
):
    paths = files(tmp_path, *sample(raters))
    _, plain, _ = tuneloop("rate", "verdict", paths[0], "--new", "new", "--json")
    code, out, _ = of(tuneloop, paths, "--json")
    alone, found = json.loads(plain), json.loads(out)
    assert code == 0
    assert found["votes_only"] == {name: alone[name] for name in ("win_rate", "low", "high")}
    predictor = found["predictor"]
    assert predictor["used"] is True
    assert 0.4 < predictor["correlation"] < 0.8
    assert predictor["votes_saved"] > 10 * raters
    assert found["high"] - found["low"] < 0.92 * (alone["high"] - alone["low"])
    assert predictor["sentence"] in found["sentence"]
    assert found["n"] == alone["n"] == 60 * raters


def test_order_of_the_rows_changes_nothing(tuneloop, tmp_path):
    votes, further = sample()
    _, one, _ = of(tuneloop, files(tmp_path, votes, further), "--json")
    _, other, _ = of(tuneloop, files(tmp_path, votes[::-1], further[::-1]), "--json")
    for name in ("win_rate", "low", "high", "p"):
        assert json.loads(one)[name] == pytest.approx(json.loads(other)[name])


def test_judge_that_knows_nothing_is_not_used(tuneloop, tmp_path):
    votes, further = sample()
    blind = [f"{line.rpartition(',')[0]},{n // 2 % 2}" for n, line in enumerate(votes)]
    more = [f"{line.rpartition(',')[0]},{n % 2}" for n, line in enumerate(further)]
    paths = files(tmp_path, blind, more)
    code, out, _ = of(tuneloop, paths)
    assert code == 0
    assert "The predictor did not help: not used (correlation with the votes" in out
    _, plain, _ = tuneloop("rate", "verdict", paths[0], "--new", "new")
    assert out.startswith(plain.strip())


def test_vote_on_a_gold_item_or_other_models_needs_no_match(tuneloop, tmp_path):
    votes, further = sample()
    others = ["p1,r,third,old,left,7", "p2,r,third,old,right,8"]
    _, out, _ = of(tuneloop, files(tmp_path, votes + others, further), "--base", "old", "--json")
    _, without, _ = of(tuneloop, files(tmp_path, votes, further), "--json")
    assert json.loads(out) == json.loads(without)


def changed(line, column, value):
    cells = line.split(",")
    cells[column] = value
    return ",".join(cells)


@pytest.mark.parametrize(
    ("votes", "further", "problem"),
    [
        (lambda v: [changed(v[0], 5, "nan"), *v[1:]], None, "Row 2 of votes.csv has 'nan' in"),
        (lambda v: [changed(v[0], 5, ""), *v[1:]], None, "Row 2 of votes.csv has nothing in"),
        (None, lambda f: [f[0], "q,good"], "Row 3 of further.csv has 'good' in predicted"),
        (None, lambda f: [f[0], "q,inf"], "Row 3 of further.csv has 'inf' in predicted"),
        (None, lambda f: [f[0], "q,-1e200"], "Row 3 of further.csv has -1e+200 in predicted"),
        (None, lambda f: [*f, f[3]], "Rows 5 and 242 of further.csv have the same question"),
        (None, lambda f: [*f, "p7,1"], "The question of row 242 of further.csv has votes in"),
        (None, lambda _: [], "further.csv holds no question"),
        (None, lambda f: [f[0], ",1"], "Row 3 of further.csv has no prompt"),
        (None, lambda f: [f[0], "q,1,2"], "Row 3 of further.csv has 3 fields where"),
        (
            lambda v: [*v, "p1,r2,new,old,left,9"], None,
            "Row 62 of votes.csv has another prediction than an earlier row of its question",
        ),
    ],
)  # fmt: skip
def test_bad_predictions_are_named_in_one_sentence(tuneloop, tmp_path, votes, further, problem):
    good_votes, good_further = sample()
    paths = files(
        tmp_path,
        votes(good_votes) if votes else good_votes,
        further(good_further) if further else good_further,
    )
    refused(of(tuneloop, paths), problem)


@pytest.mark.parametrize(
    ("heads", "problem"),
    [
        ((VOTES.replace("predicted", "guess"), FURTHER), "votes.csv has no column predicted"),
        ((VOTES, "prompt,guess"), "further.csv has no column predicted"),
        ((VOTES, "place,predicted"), "further.csv has no column prompt"),
        ((VOTES, "choice,predicted"), "further.csv has no column prompt"),
    ],
)
def test_missing_column_is_named_in_one_sentence(tuneloop, tmp_path, heads, problem):
    refused(of(tuneloop, files(tmp_path, *sample(), heads)), problem)


def test_further_questions_with_a_vote_or_other_models_are_refused(tuneloop, tmp_path):
    votes, _ = sample()
    both = (VOTES, VOTES)
    paths = files(tmp_path, votes, [vote(99, True, 1)], both)
    refused(of(tuneloop, paths), "Row 2 of further.csv holds a choice")
    paths = files(tmp_path, votes, ["q,r,new,third,,1"], both)
    refused(of(tuneloop, paths), "Row 2 of further.csv is not about new and old")
    paths = files(tmp_path, votes, ["q,r,new,old,,1"], both)
    assert of(tuneloop, paths)[0] == 0


def test_empty_and_missing_files_are_refused(tuneloop, tmp_path):
    paths = files(tmp_path, *sample())
    paths[1].write_bytes(b"")
    refused(of(tuneloop, paths), "The file is empty")
    code, _, err = of(tuneloop, (paths[0], tmp_path / "none.csv"))
    assert code == 4
    assert "There is no file" in err


def test_predictor_takes_no_counts_and_no_early_look(tuneloop, tmp_path):
    paths = files(tmp_path, *sample())
    refused(of(tuneloop, paths, "--look"), "--look takes no predictor")
    counts = ("--wins", 5, "--losses", 3, "--unlabelled", paths[1])
    refused(tuneloop("rate", "verdict", *counts), "A predictor needs a file of votes")


def refused(result, problem):
    code, out, err = result
    assert (code, out) == (2, "")
    assert problem in " ".join(err.split())
    assert "Traceback" not in err
