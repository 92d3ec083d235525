"""Columns mapped on the command line, and rows kept together by a column."""

import json

import pytest


@pytest.fixture
def odd(tmp_path):
    path = tmp_path / "odd.csv"
    lines = [f"Frage {n}?,Antwort {n},Kunde {n // 5}" for n in range(40)]
    path.write_text("\n".join(["Frage,Antwort,Kunde", *lines]))
    return path


MAP = ("--map", "prompt=Frage", "--map", "answer=antwort")


def test_file_of_unknown_columns_is_added_with_a_mapping(tuneloop, odd):
    code, _, err = tuneloop("data", "add", odd, "--json")
    assert code == 2
    assert "prompt = frage, answer = antwort" in " ".join(err.split())
    code, out, _ = tuneloop("data", "add", odd, *MAP, "--group", "kunde", "--json")
    kept = json.loads(out)
    assert (code, kept["kind"], kept["rows"]) == (0, "sft", 40)
    assert kept["held_out_rows"] == 5
    assert kept["origin"]["group"] == "kunde"


def test_check_reads_through_the_mapping(tuneloop, odd):
    _, out, _ = tuneloop("data", "check", odd, "--map", "prompt=frage", "--json")
    found = json.loads(out)
    assert (found["kind"], found["rows"]) == ("prompts", 40)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--map", "prompt"), "'prompt' is not ROLE=COLUMN"),
        (("--kind", "sft"), "--kind needs --map"),
        (("--map", "asker=frage"), "There is no role 'asker'"),
        ((*MAP, "--kind", "preference"), "No column is mapped to chosen"),
        (("--map", "prompt=nobody"), "There is no column 'nobody'"),
        ((*MAP, "--group", "team"), "There is no column 'team'"),
    ],
)
def test_mapping_that_does_not_fit_is_one_sentence(tuneloop, odd, arguments, said):
    code, _, err = tuneloop("data", "check", odd, *arguments)
    assert code == 2
    assert said in " ".join(err.split())


def test_data_set_of_the_hub_without_a_network_is_one_sentence(tuneloop):
    code, _, err = tuneloop("data", "fetch", "me/faq")
    assert code == 2
    assert "The Hugging Face Hub cannot be reached" in " ".join(err.split())
