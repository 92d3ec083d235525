import json

import pytest
from click.testing import CliRunner

from engine.cli import own_metric
from engine.cli.app import cli
from engine.core.errors import UserError
from tests.metrics.test_llm_judge import endpoint, honest

ROWS = (["a", "bb", "c"], [["a"], ["b"], ["c"]])


@pytest.fixture
def written(tmp_path):
    def write(body):
        path = tmp_path / "my.py"
        path.write_text(body, encoding="utf-8")
        return f"{path}:score"

    return write


def test_function_in_a_file_is_a_metric(written):
    metric = own_metric.named(
        written(
            "print('noise')\n"
            "def score(predictions, references):\n"
            "    print('more noise')\n"
            "    return [p in r for p, r in zip(predictions, references)]\n"
        )
    )
    scores = metric(*ROWS)
    assert scores.each == (1, 0, 1)
    assert scores.overall == pytest.approx(2 / 3)
    assert scores.signature == "own:my.py:score|mean of rows"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("def score(p, r): return [1 / 0]", "my.py failed: ZeroDivisionError: division by zero."),
        ("def score(p, r): return [0.5]", "did not return 3 scores"),
        ("def score(p, r): return [0, 1, 7]", "gave row 3 the score 7"),
        ("def score(p, r): return [0, 1, float('nan')]", "gave row 3 the score nan"),
        ("def other(p, r): return []", "has no attribute 'score'"),
        ("def broken(", "SyntaxError"),
        ("import os; os._exit(3)", "ended with code 3"),
        ("def score(p, r): return [len(bytearray(6 << 30))]", "MemoryError"),
    ],
)
def test_metric_file_error_is_one_sentence(written, body, problem):
    with pytest.raises(UserError) as caught:
        own_metric.named(written(body))(*ROWS)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_never_ends_is_stopped(written):
    with pytest.raises(UserError, match="longer than 1 s"):
        own_metric.named(written("while True: pass"), timeout_s=1)(*ROWS)


@pytest.mark.parametrize("target", ["my.py", "nowhere.py:score", ":score", "my.py:a b"])
def test_metric_file_without_the_named_function_is_refused(target):
    with pytest.raises(UserError):
        own_metric.named(target)


def test_own_metrics_and_schemas_are_scored_beside_the_others(written, tmp_path):
    target = written("def score(p, r): return [0.5] * len(p)")
    (tmp_path / "p.jsonl").write_text(
        '{"prediction": "{\\"a\\": 1}", "reference": "x"}\n'
        '{"prediction": null, "reference": "y"}\n'
        '{"prediction": "{}", "reference": "z"}\n'
    )
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "required": ["a"]}')
    options = ["--metrics", "exact_match,json_valid", "--metric-file", target, "--json"]
    files = ["--predictions", str(tmp_path / "p.jsonl"), "--json-schema"]
    command = ["evaluate", "score", *files, str(schema), *options]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    found = {key.partition(":")[0]: mean for key, mean in json.loads(done.stdout).items()}
    assert found["json_valid"]["score"] == 1
    assert found["json_schema"]["score"] == 0.5
    [own] = [mean for key, mean in json.loads(done.stdout).items() if key == target]
    assert (own["score"], own["n"], own["failed"]) == (0.5, 2, 1)


def test_judge_that_is_not_set_up_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.delenv("TUNELOOP_JUDGE_URL", raising=False)
    answers = tmp_path / "a.jsonl"
    answers.write_text('{"prompt": "q", "base": "a", "new": "b"}\n')
    with pytest.raises(UserError, match="No LLM judge is configured"):
        CliRunner().invoke(
            cli, ["evaluate", "judge", "--answers", str(answers)], catch_exceptions=False
        )


def test_command_asks_the_judge_and_says_what_it_chose(tmp_path, monkeypatch):
    answers = tmp_path / "a.jsonl"
    row = {"prompt": "Capital of France?", "new": "good", "base": "bad"}
    answers.write_text("\n".join([json.dumps(row)] * 8))
    with endpoint(honest) as (judge, _):
        monkeypatch.setenv("TUNELOOP_JUDGE_URL", judge.url)
        monkeypatch.setenv("TUNELOOP_JUDGE_MODEL", "m")
        done = CliRunner().invoke(cli, ["evaluate", "judge", "--answers", str(answers)])
    assert "wins 8, losses 0" in done.output
    assert "failed on 0 (not counted)" in done.output


@pytest.mark.parametrize("text", ["", '{"prompt": "q", "base": "a"}', "no json"])
def test_rows_without_two_answers_are_named(text, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNELOOP_JUDGE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("TUNELOOP_JUDGE_MODEL", "m")
    (tmp_path / "a.jsonl").write_text(text)
    command = ["evaluate", "judge", "--answers", str(tmp_path / "a.jsonl")]
    with pytest.raises(UserError):
        CliRunner().invoke(cli, command, catch_exceptions=False)
