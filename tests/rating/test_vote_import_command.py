"""`tuneloop rating add` and `rating start --answers`: what they print and how they end."""

import json

import pytest

FIVE = "prompt,annotator,model_a,model_b,preference\n" + "".join(
    f"p{n},r{n % 2},new,old,{said}\n"
    for n, said in enumerate(["a is clearly better", "tie", "b is slightly better", "odd"])
)


@pytest.fixture
def votes(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(FIVE)
    return path


def test_votes_are_added_and_counted(tuneloop, votes):
    code, out, err = tuneloop("rating", "add", votes, "--new", "old")
    assert code == 0
    assert "Table of votes: 4 rows, 3 votes on two answers, 2 named raters." in out
    assert "Not known to be blind" in out
    assert "Row 5 has the choice 'odd'." in err
    _, out, _ = tuneloop("rating", "rounds", "--json")
    (one,) = json.loads(out)["rounds"]
    assert (one["status"], one["plan"]["origin"]["file"]) == ("closed", "votes.csv")
    _, out, _ = tuneloop("rating", "rounds", "report", one["id"], "--json")
    assert json.loads(out)["tally"]["wins"] == 1
    code, _, _ = tuneloop("rating", "rounds", "verdict", one["id"])
    assert code == 5
    code, out, err = tuneloop("votes", "add", votes)
    assert (code, out) == (5, "")
    assert "in the project already" in " ".join(err.split())


def test_preview_of_votes_stores_nothing(tuneloop, votes):
    tuneloop("rating", "add", votes, "--project", "A")
    _, out, _ = tuneloop("votes", "add", votes, "--preview", "--json")
    found = json.loads(out)
    assert (found["votes"], found["refused"], found["sides"]) == (3, 1, False)
    _, out, _ = tuneloop("rating", "add", votes, "--project", "B", "--json")
    assert json.loads(out)["rounds"][0]["votes"] == 3


def test_help_lists_no_other_spelling(tuneloop):
    _, out, _ = tuneloop("--help")
    assert "\n  votes " not in out
    _, out, _ = tuneloop("rating", "--help")
    assert "  add " in out


@pytest.mark.parametrize("arguments", [("--map", "nothing"), ("--map", "judge=x"),
                                       ("--choice", "a=left"), ("--test",)])  # fmt: skip
def test_wrong_options_are_a_sentence(tuneloop, votes, arguments):
    code, out, err = tuneloop("rating", "add", votes, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")


def test_file_of_votes_that_is_not_there_is_not_found(tuneloop, tmp_path):
    code, _, _ = tuneloop("rating", "add", tmp_path / "none.csv")
    assert code == 4


def test_round_starts_with_the_answers_of_a_file(tuneloop, tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text("prompt,answer_1,answer_2\nWhy?,Because.,So.\nWhere?,Here.,Here.\n")
    code, out, _ = tuneloop("rating", "start", "--answers", path, "--overlap", 2)
    assert code == 0
    assert "1 comparisons; left out: 1 identical" in out
    _, out, _ = tuneloop("rating", "rounds", "--json")
    (one,) = json.loads(out)["rounds"]
    assert (one["status"], one["plan"]["overlap"], one["job_id"]) == ("open", 2, None)
    code, _, err = tuneloop("rating", "rounds", "start", "--answers", path, "--blind")
    assert code == 2
    assert "A blind test compares two models" in " ".join(err.split())


def test_answers_of_a_file_are_ranked_where_more_are_shown(tuneloop, tmp_path):
    path = tmp_path / "four.jsonl"
    rows = [{"prompt": f"question {n}?", "answers": [f"{w} {n}" for w in "abcde"]} for n in (1, 2)]
    path.write_text("\n".join(map(json.dumps, rows)))
    code, out, _ = tuneloop("rounds", "start", "--answers", path, "--set", "answers=4", "--json")
    assert code == 0
    assert json.loads(out)["plan"]["answers"] == 4


def test_number_of_answers_is_no_file(tuneloop):
    code, _, err = tuneloop("rounds", "start", "--answers", "5", "--model", "m", "--dataset", "d")
    assert code != 0
    assert "no project" in err  # a path would say that there is no file


@pytest.mark.parametrize(
    ("option", "value"),
    [("--good-from", "nan"), ("--good-from", "-inf"), ("--name", "n" * 81), ("--new", "m" * 3000)],
)
@pytest.mark.parametrize("spelling", ["apart", "joined"])
def test_option_that_is_out_of_bounds_is_a_sentence_that_names_it(
    tuneloop, votes, option, value, spelling
):
    given = (option, value) if spelling == "apart" else (f"{option}={value}",)
    code, out, err = tuneloop("votes", "add", votes, *given)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {option} is ")
    assert len(err) < 300
    assert "pydantic" not in err


def test_model_under_test_of_a_file_that_names_none_is_refused_whole(tuneloop, tmp_path):
    path = tmp_path / "votes.csv"
    rows = "".join(f"p{n},r,one {n},two {n},left\n" for n in range(4))
    path.write_text("prompt,annotator,left_answer,right_answer,preference\n" + rows)
    code, _, err = tuneloop("votes", "add", path, "--new", "new")
    assert code == 2
    assert "The models are not named." in " ".join(err.split())
