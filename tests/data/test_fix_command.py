"""`tuneloop data fix` and `undo`: fixes and a system prompt from the command line."""

import json

import pytest


@pytest.fixture
def faq(tuneloop, tmp_path):
    """Twenty rows of which one repeats another, added as faq@1."""
    rows = [{"prompt": f"question {n}?", "completion": f"answer {n}."} for n in range(19)]
    path = tmp_path / "faq.jsonl"
    path.write_text("\n".join(map(json.dumps, [*rows, rows[0]])))
    code, *_ = tuneloop("data", "add", path)
    assert code == 0
    return "faq@1"


def told(tuneloop, *arguments):
    code, out, _ = tuneloop("data", *arguments, "--json")
    assert code == 0
    return json.loads(out)


def test_fix_counts_first_then_makes_a_version_that_undo_takes_back(tuneloop, faq):
    fixes = ("--fix", "drop_exact_duplicates", "--system-prompt", "Be brief.")
    counts = told(tuneloop, "fix", faq, *fixes, "--dry-run")
    assert counts == {"removed": 1, "changed": 19, "rows_before": 20, "rows_after": 19}
    assert [one["version"] for one in told(tuneloop, "list")["datasets"]] == [1]
    new = told(tuneloop, "fix", faq, *fixes)
    assert (new["version"], new["rows"]) == (2, 19)
    assert new["origin"]["fixes"] == ["drop_exact_duplicates", "system_prompt:Be brief."]
    assert told(tuneloop, "undo", "faq@2")["version"] == 1
    assert [one["version"] for one in told(tuneloop, "list")["datasets"]] == [1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "No fix was chosen"),
        (("--fix", "nothing"), "no fix named 'nothing'"),
        (("--system-prompt", " "), "The system prompt is empty"),
    ],
)
def test_fix_that_cannot_be_applied_is_refused(tuneloop, faq, arguments, said):
    code, _, err = tuneloop("data", "fix", faq, *arguments)
    assert code == 2
    assert said in err


def test_undo_of_a_version_without_fixes_is_a_conflict(tuneloop, faq):
    code, _, err = tuneloop("data", "undo", faq)
    assert code == 5
    assert "was not made by fixes" in err
