"""`tuneloop rating` on files of votes: what it prints, and which line is wrong."""

import csv
import json

import krippendorff
import numpy as np
import pytest

from engine.cli import vote_files
from engine.core.imported_votes import VoteFile

HEAD = "prompt,rater,model_left,model_right,choice"


@pytest.fixture
def write(tmp_path):
    """Writes a file of votes: the path."""

    def written(lines, head=HEAD):
        path = tmp_path / "votes.csv"
        path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
        return path

    return written


def decisive(wins, losses, ties=0, bad=0, raters=1):
    """Lines of a round: each outcome on a prompt of its own, all raters alike, sides mixed."""
    won = ["new"] * wins + ["old"] * losses + ["tie"] * ties + ["both_bad"] * bad
    lines = []
    for n, winner in enumerate(won):
        left, right = ("new", "old") if n % 2 else ("old", "new")
        choice = {left: "left", right: "right"}.get(winner, winner)
        lines += [f"p{n},r{r},{left},{right},{choice}" for r in range(raters)]
    return lines


def test_sides_of_a_file_of_votes_are_asked_once(write, monkeypatch):
    asked = []
    known = VoteFile.sides.fget
    monkeypatch.setattr(VoteFile, "sides", property(lambda file: asked.append(1) or known(file)))
    read = vote_files.read(write(decisive(20, 20)), None)
    assert len(vote_files.rated(read)) == 40
    assert len(asked) == 1  # each time all votes are looked at


def test_verdict_from_a_file_is_that_of_its_counts(tuneloop, write):
    path = write(decisive(50, 30, 15, 5))
    _, out, _ = tuneloop("rate", "verdict", path, "--new", "new", "--json")
    counts = ("--wins", 50, "--losses", 30, "--ties", 15, "--both-bad", 5)
    _, counted, _ = tuneloop("rate", "verdict", *counts, "--json")
    found, expected = json.loads(out), json.loads(counted)
    said = found.pop("sentence")
    assert said.startswith("New is better than old in the eyes of 1 rater: it wins 60.0 % of votes")
    assert found.pop("panel") == {"people": 1, "simulated": 0, "rules": 0}
    del expected["sentence"], expected["panel"]
    assert found == expected


def test_raters_who_share_prompts_are_weighed_by_prompt(tuneloop, write):
    path = write(decisive(60, 40, raters=3))
    _, out, _ = tuneloop("rate", "verdict", path, "--new", "new", "--json")
    found = json.loads(out)
    assert (found["n"], found["decision"]) == (300, "no difference shown")


def test_verdict_before_the_end_says_whether_to_stop(tuneloop, write):
    _, out, _ = tuneloop("rate", "verdict", write(decisive(60, 0)), "--new", "new", "--look")
    assert out.startswith("Stop: after 60 prompts the new model is better")
    _, out, _ = tuneloop("rate", "verdict", write(decisive(6, 5)), "--new", "new", "--look")
    assert out.startswith("Go on: after 11 prompts no difference shown")


def test_verdict_among_three_models_asks_which_two(tuneloop, write):
    path = write([*decisive(3, 1), "x,r,new,third,left"])
    code, _, err = tuneloop("rate", "verdict", path, "--new", "new")
    assert code == 2
    assert "Name one of them with --base" in err
    _, out, _ = tuneloop("rate", "verdict", path, "--new", "new", "--base", "old", "--json")
    assert json.loads(out)["n"] == 4


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--wins", 3),
        ("--wins", 3, "--losses", 1, "--look"),
        ("votes.csv", "--wins", 3, "--losses", 1),
    ],
)
def test_verdict_without_votes_says_what_to_give(tuneloop, arguments):
    code, out, err = tuneloop("rate", "verdict", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")


def test_verdict_of_a_file_that_is_not_there_says_so(tuneloop):
    code, out, err = tuneloop("rate", "verdict", "votes.csv")
    assert (code, out) == (4, "")
    assert "votes.csv" in err


def test_verdict_needs_no_new_where_one_of_two_models_is_a_baseline(tuneloop, write):
    path = write(decisive(8, 2))
    _, named, _ = tuneloop("rate", "verdict", path, "--new", "new", "--json")
    for more in ((), ("--base", "old")):
        code, out, _ = tuneloop("rate", "verdict", path, *more, "--json")
        assert (code, out) == (0, named)


def test_verdict_of_two_models_of_which_none_is_a_baseline_asks_for_new(tuneloop, write):
    rows = [row.replace("old", "other") for row in decisive(8, 2)]
    code, out, err = tuneloop("rate", "verdict", write(rows))
    assert (code, out) == (2, "")
    assert "do not say which model is under test" in err
    assert "--new: new, other" in err


def test_real_raters_agree_as_published(tuneloop, write, shared_data):
    """PandaLM's 999 pairs as a file of values: scikit-learn's and krippendorff's numbers."""
    folder = shared_data / "ratings"
    expected = json.loads((folder / "pandalm_expected.json").read_text())
    pairs = json.loads((folder / "pandalm_testset_v1.json").read_text())
    lines = [f"{n},{r},{pair[f'annotator{r}']}" for n, pair in enumerate(pairs) for r in (1, 2, 3)]
    path = write(lines, "item,rater,value")
    _, out, _ = tuneloop("rate", "agreement", path, "--json")
    found = json.loads(out)
    assert found["alpha"] == pytest.approx(expected["krippendorff_alpha_nominal"], abs=1e-6)
    for pair in found["pairs"]:
        name = f"{pair['first']}-{pair['second']}"
        assert pair["kappa"] == pytest.approx(expected["cohen_kappa"][name], abs=1e-6)
        assert pair["raw"] == pytest.approx(expected["raw_agreement"][name], abs=1e-6)
    assert len(found["pairs"]) == 3
    _, out, _ = tuneloop("rate", "agreement", path)
    assert "1 and 2: 91 % of 999 alike, kappa 0.85, pi 0.85" in out


def test_agreement_of_a_file_of_votes_does_not_depend_on_sides(tuneloop, write):
    rng = np.random.default_rng(0)
    lines = []
    for n, won in enumerate(rng.random(200) < 0.9):
        for rater in ("a", "b"):
            right = won if rng.random() < 0.95 else not won
            left, other = ("new", "old") if rng.random() < 0.5 else ("old", "new")
            lines.append(
                f"{n},{rater},{left},{other},{'left' if right == (left == 'new') else 'right'}"
            )
    _, out, _ = tuneloop("rate", "agreement", write(lines), "--json")
    found = json.loads(out)
    assert found["items"] == 200
    assert found["raw"] == pytest.approx(0.905, abs=0.04)
    assert found["alpha"] == pytest.approx(0.81, abs=0.08)


def test_agreement_takes_the_level_ratio_and_says_fleiss_kappa_and_pi(tuneloop, tmp_path):
    path = tmp_path / "values.csv"
    values = {"a": (1, 2, 3, 3, 2), "b": (1, 2, 3, 3, 2), "c": (1, 2, 3, 4, 4)}
    rows = [f"{n},{rater},{v}" for rater, each in values.items() for n, v in enumerate(each)]
    path.write_text("item,rater,value\n" + "\n".join(rows) + "\n")
    alphas = {}
    for level in ("interval", "ratio"):
        _, out, _ = tuneloop("rating", "agreement", path, "--level", level, "--json")
        found = json.loads(out)
        alphas[level] = found["alpha"]
    table = [[int(each[n]) for n in range(5)] for each in values.values()]
    for level, alpha in alphas.items():
        theirs = krippendorff.alpha(reliability_data=table, level_of_measurement=level)
        assert alpha == pytest.approx(theirs)
    assert alphas["ratio"] != alphas["interval"]
    _, out, _ = tuneloop("rating", "agreement", path)
    assert "Fleiss' kappa 0.63." in out
    assert "a and b: 100 % of 5 alike, kappa 1.00, pi 1.00" in out


def test_real_votes_are_ranked(tuneloop, write, shared_data):
    with (shared_data / "ratings" / "evalica_llmfao.csv").open(encoding="utf-8") as file:
        lines = [
            f"{row['prompt']},{row['worker']}-{n},{row['left']},{row['right']},{row['winner']}"
            for n, row in enumerate(csv.DictReader(file))
            if "GPT 4" in (row["left"], row["right"])
        ]
    path = write(lines)
    _, out, _ = tuneloop("rate", "ranking", path, "--baseline", "GPT 4", "--json")
    found = json.loads(out)
    assert found["votes"] == len(lines) == 158
    assert next(m for m in found["models"] if m["name"] == "GPT 4")["strength"] == 0
    _, out, _ = tuneloop("rate", "ranking", path, "--baseline", "GPT 4", "--ties", "davidson")
    assert " against GPT 4 (" in out.splitlines()[1]


def test_models_that_never_met_are_one_sentence(tuneloop, write):
    path = write(["1,r,a,b,left", "2,r,c,d,tie"])
    code, _, err = tuneloop("rate", "ranking", path, "--baseline", "a")
    assert code == 2
    assert "never met: a, b; c, d" in " ".join(err.split())


def test_bias_reports_side_length_and_the_rater_behind_it(tuneloop, write):
    rng = np.random.default_rng(1)
    lines = [
        f"p{n},{rater},{left},{right},{'left' if rng.random() < always else 'right'},"
        f"{100 + rng.integers(50)},{100 + rng.integers(50)}"
        for n in range(60)
        for rater, always in (("lefty", 1), ("fair", 0.5))
        for left, right in [("new", "old") if rng.random() < 0.5 else ("old", "new")]
    ]
    path = write(lines, HEAD + ",left_len,right_len")
    _, out, _ = tuneloop("rate", "bias", path, "--new", "new", "--json")
    found = json.loads(out)
    assert found["position"]["biased"]
    assert [(one["rater"], one["biased"]) for one in found["raters"]] == [
        ("lefty", True),
        ("fair", False),
    ]
    assert found["length_controlled"]["low"] < 0.5 < found["length_controlled"]["high"]
    assert found["longer"]["longer"] + found["longer"]["shorter"] <= 120
    _, out, _ = tuneloop("rate", "bias", path, "--new", "new")
    assert "lefty: Position bias: 60 of 60" in out


def test_quality_reads_gold_and_repeats(tuneloop, write):
    lines = [f"g{n},careless,x,y,left,right" for n in range(5)]
    lines += [f"p{n},careless,new,old,left," for n in range(6)]
    lines += [f"p{n},careless,old,new,left," for n in range(6)]
    path = write(lines, HEAD + ",expected")
    _, out, _ = tuneloop("rate", "quality", path, "--new", "new", "--json")
    rater = json.loads(out)["raters"][0]
    assert (rater["gold"]["right"], rater["gold"]["of"], rater["gold"]["pause"]) == (0, 5, True)
    assert (rater["repeats"]["same"], rater["repeats"]["of"]) == (0, 6)
    assert rater["votes"] == 6
    _, out, _ = tuneloop("rate", "quality", path)
    assert out.startswith("Look at 1 of 1 rater: careless (only 0 of 5 gold items right")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("p,r,a,b,maybe,1,2,", "Row 3 of votes.csv has the choice 'maybe'"),
        ("p,,a,b,left,1,2,", "Row 3 of votes.csv is not whole"),
        ("p,r,a", "Row 3 of votes.csv has 3 fields where the header has 8"),
        ("p,r,a,b,,1,2,", "Row 3 of votes.csv has the choice ''"),
        ("p,r,a,b,left,-1,2,", "Row 3 of votes.csv has the length '-1'"),
        ("p,r,a,b,left,nan,2,", "Row 3 of votes.csv has the length 'nan'"),
        ("p,r,a,b,left,9,long,", "Row 3 of votes.csv has the length 'long'"),
        ("p,r,a,b,left,1,2,third", "Row 3 of votes.csv has the choice 'third'"),
    ],
)
def test_broken_line_is_named_with_its_number(tuneloop, write, line, said):
    path = write(["p,r,a,b,left,1,2,", line], HEAD + ",left_len,right_len,expected")
    for command in (("bias", "--new", "a"), ("quality",), ("ranking", "--baseline", "a")):
        code, out, err = tuneloop("rate", command[0], path, *command[1:])
        assert (code, out) == (2, "")
        assert said in " ".join(err.split())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (HEAD.encode(), "holds no vote"),
        (b"prompt,rater\n1,2\n", "has no columns of votes that are known. Found: prompt, rater"),
        (bytes(range(256)) * 20, "is not text in UTF-8"),
        (HEAD.encode() + b'\n"' + b"x" * 200_000, "has a field that never ends"),
    ],
)
def test_vote_file_that_holds_no_votes_is_refused_in_one_sentence(
    tuneloop, tmp_path, content, said
):
    path = tmp_path / "votes.csv"
    path.write_bytes(content)
    code, out, err = tuneloop("rate", "quality", path)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_file_that_is_not_there_is_not_found(tuneloop, tmp_path):
    for command in ("quality", "agreement"):
        code, _, err = tuneloop("rate", command, tmp_path / "none.csv")
        assert code == 4
        assert err.startswith("Error: There is no file")


def test_ranking_of_two_votes_puts_no_model_above_the_baseline(tuneloop, write):
    path = write(["1,r,A,B,left", "2,r,A,B,left"])
    _, out, _ = tuneloop("rating", "ranking", path, "--baseline", "B")
    assert "not shown to beat the baseline" in out
    assert "(95 % interval 33 to 100 %, p = 0.5" in out


LEFT_RIGHT = "left;right;winner\nPizza;Salad;left\nPizza;Salad;Left\nPizza;Salad;RIGHT\n"
FIVE_LEVELS = "prompt,annotator,model_a,model_b,preference\n" + "".join(
    f"p{n},r1,new,old,a is clearly better\np{n},r2,new,old,{said}\n"
    for n, said in enumerate(["tie", "a is slightly better", "a is slightly better"] * 4)
)


def test_table_of_left_right_and_winner_gives_every_statistic(tuneloop, tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(LEFT_RIGHT)
    _, out, _ = tuneloop("rating", "verdict", path, "--new", "Pizza", "--json")
    assert (json.loads(out)["wins"], json.loads(out)["losses"]) == (2, 1)
    _, out, _ = tuneloop("rating", "ranking", path, "--baseline", "Salad", "--json")
    assert json.loads(out)["votes"] == 3
    _, out, _ = tuneloop("rating", "quality", path)
    assert "unnamed rater: 3 votes" in out
    code, _, _ = tuneloop("rating", "agreement", path)
    assert code == 0


def test_file_without_sides_gives_no_verdict_until_somebody_states_them(tuneloop, tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(FIVE_LEVELS)
    for command in ("verdict", "bias"):
        code, out, err = tuneloop("rating", command, path, "--new", "new")
        assert (code, out) == (2, "")
        assert "not known to be blind" in " ".join(err.split())
    stated = [
        *("--map", "prompt=prompt", "--map", "rater=annotator", "--map", "choice=preference"),
        *("--map", "left_model=model_a", "--map", "right_model=model_b"),
    ]
    _, out, _ = tuneloop("rating", "verdict", path, "--new", "new", "--json", *stated)
    found = json.loads(out)
    assert (found["wins"], found["losses"], found["ties"]) == (20, 0, 4)
    _, out, _ = tuneloop("rating", "agreement", path, "--json")
    assert (json.loads(out)["items"], json.loads(out)["raw"]) == (12, pytest.approx(8 / 12))
    _, out, _ = tuneloop("rating", "ranking", path, "--baseline", "old", "--json")
    assert json.loads(out)["votes"] == 24
    _, out, _ = tuneloop("rating", "quality", path)
    assert "sides unknown" in out
