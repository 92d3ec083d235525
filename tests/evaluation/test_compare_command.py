"""`tuneloop evaluation compare`: several files of predictions against the first."""

import json

import pytest

REFERENCES = [f"the answer to question {n} is {n * 7} litres" for n in range(40)]


@pytest.fixture
def files(tmp_path):
    def write(name, texts):
        path = tmp_path / name
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return path

    right = REFERENCES[:30] + ["no idea"] * 10
    return (
        write("refs.txt", REFERENCES),
        write("base.txt", ["no idea"] * 40),
        write("same.txt", ["no idea"] * 40),
        write("better.txt", right),
    )


def compare(tuneloop, files, *options, metrics="exact_match,bleu:tokenize=intl+lowercase,ter"):
    references, *systems = files
    return tuneloop(
        "evaluation", "compare", *systems, "--references", references, "--metrics", metrics,
        *options,
    )  # fmt: skip


def test_compare_holds_each_file_against_the_first(tuneloop, files):
    code, out, _ = compare(tuneloop, files, "--json")
    assert code == 0
    base, same, better = json.loads(out)["systems"].values()
    assert base["gains"] == {}
    assert better["scores"]["exact_match"]["score"] == 0.75
    assert better["gains"]["exact_match"]["decision"] == "better"
    assert better["gains"]["exact_match"]["diff"] == 0.75
    assert same["gains"]["ter"]["decision"] != "better"
    assert "tok:intl" in better["scores"]["bleu:tokenize=intl+lowercase"]["signature"]
    assert "case:lc" in better["scores"]["bleu:tokenize=intl+lowercase"]["signature"]


@pytest.mark.parametrize("test", ["randomisation", "bootstrap"])
def test_compare_prints_the_p_of_a_named_test(tuneloop, files, test):
    _, out, _ = compare(tuneloop, files, "--test", test, "--json", metrics="exact_match")
    _, _, better = json.loads(out)["systems"].values()
    assert better["p"]["exact_match"] < 0.01
    _, out, _ = compare(tuneloop, files, "--test", test, metrics="exact_match")
    assert f"{test} p = 0." in out


@pytest.mark.parametrize("number", [1, 2])
def test_compare_refuses_one_file_or_the_same_twice(tuneloop, files, number):
    code, _, err = compare(tuneloop, [files[0], *[files[1]] * number])
    assert code != 0
    assert "needs two or more different files" in err


def test_compare_leaves_out_rows_that_a_system_failed_on(tuneloop, files, tmp_path):
    path = tmp_path / "failed.jsonl"
    rows = [None, *REFERENCES[1:]]
    path.write_text("".join(json.dumps({"prediction": row}) + "\n" for row in rows))
    _, out, _ = compare(tuneloop, (files[0], files[1], path), "--json", metrics="exact_match")
    _, found = json.loads(out)["systems"].values()
    assert found["scores"]["exact_match"]["failed"] == 1
    assert found["gains"]["exact_match"]["n"] == 39
