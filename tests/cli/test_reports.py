"""What `--json` prints is a promise to scripts; what goes wrong is one sentence and a code."""

import json

import pytest

from engine.core.actor import LOCAL
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.rating import screen


def test_data_check_reports_layout_kind_rows_and_findings(tuneloop, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"instruction": "a?", "output": "b"}\n' * 3
        + "{broken\n"
        + '{"instruction": "c?", "output": "d"}\n' * 4
    )
    code, out, _ = tuneloop("data", "check", path, "--json")
    found = json.loads(out)
    assert (found["layout"], found["kind"], found["rows"]) == ("alpaca", "sft", 7)
    broken = next(f for f in found["findings"] if f["rows"] == [4])
    assert set(broken) >= {"id", "severity", "count", "rows"}
    assert code in (0, 1)


@pytest.mark.parametrize(
    "name", ["empty.jsonl", "missing.jsonl", "noise.bin", "odd.csv", "cut.json"]
)
def test_file_that_cannot_be_used_is_one_sentence_and_an_exit_code(tuneloop, tmp_path, name):
    contents = {
        "empty.jsonl": b"",
        "noise.bin": bytes(range(256)) * 20,
        "odd.csv": b"height,width\n1,2\n3,4\n",
        "cut.json": b'[{"instruction": "a", "output": "b"}, {"instr',
    }
    path = tmp_path / name
    if name in contents:
        path.write_bytes(contents[name])
    for command in ("check", "add"):
        code, out, err = tuneloop("data", command, path)
        assert code == (4 if name == "missing.jsonl" else 2)
        assert out == ""
        assert err.startswith("Error: ")
        assert "Traceback" not in err
    code, out, _ = tuneloop("data", "list", "--json")
    assert code == 4 or json.loads(out) == {"datasets": []}


def test_data_add_keeps_a_version_once(tuneloop, tmp_path):
    path = tmp_path / "faq.jsonl"
    path.write_text("".join(f'{{"prompt": "q{i}", "completion": "a{i}"}}\n' for i in range(20)))
    first = json.loads(tuneloop("data", "add", path, "--json")[1])
    second = json.loads(tuneloop("data", "add", path, "--json")[1])
    assert first["id"] == second["id"]
    assert first["held_out_rows"] == 3
    path.write_text(path.read_text() + '{"prompt": "one more", "completion": "a"}\n')
    third = json.loads(tuneloop("data", "add", path, "--json")[1])
    assert (third["name"], third["version"]) == ("faq", 2)


def test_evaluate_score_of_text_files_is_keyed_by_metric(tuneloop, tmp_path):
    (tmp_path / "p.txt").write_text("the cat sat on the mat\na dog barks loudly now\n")
    (tmp_path / "r.txt").write_text("the cat sat on the mat\na dog barked loudly then\n")
    code, out, _ = tuneloop(
        "evaluate", "score", "--predictions", tmp_path / "p.txt",
        "--references", tmp_path / "r.txt", "--metrics", "bleu,rouge,meteor,exact_match", "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert code == 0
    assert set(found) == {"bleu", "rouge1", "rouge2", "rougeL", "meteor", "exact_match"}
    for mean in found.values():
        assert set(mean) >= {"score", "low", "high", "n", "failed", "signature"}
        assert 0 <= mean["low"] <= mean["score"] <= mean["high"] <= 1
    assert found["exact_match"]["score"] == 0.5


def test_evaluate_score_says_where_few_rows_decide(tuneloop, tmp_path):
    """Thirty short answers are right, one of two hundred words is not."""
    rows = [{"prediction": f"it is open on day {n}", "reference": f"it is open on day {n}"}
            for n in range(30)]  # fmt: skip
    rows.append({"prediction": "word " * 200, "reference": "other " * 200})
    path = tmp_path / "both.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    _, out, _ = tuneloop(
        "evaluate", "score", "--predictions", path, "--metrics", "bleu,exact_match"
    )
    bleu, exact = out.splitlines()
    assert "n=31)  Few rows decide this number: about 1 of 31, " in bleu
    assert exact.endswith("n=31)")


def test_evaluate_score_of_jsonl_counts_failures_and_takes_many_references(tuneloop, tmp_path):
    rows = [
        {"prediction": "four", "references": ["4", "four"]},
        {"prediction": None, "reference": "five"},
    ]
    path = tmp_path / "both.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    _, out, _ = tuneloop(
        "evaluate", "score", "--predictions", path, "--metrics", "exact_match", "--json"
    )
    mean = json.loads(out)["exact_match"]
    assert (mean["score"], mean["n"], mean["failed"]) == (1.0, 1, 1)


def test_evaluate_score_refuses_different_row_counts(tuneloop, tmp_path):
    (tmp_path / "p.txt").write_text("a\nb\n")
    (tmp_path / "r.txt").write_text("a\n")
    code, _, err = tuneloop(
        "evaluate", "score", "--predictions", tmp_path / "p.txt", "--references", tmp_path / "r.txt"
    )
    assert code == 2
    assert "2" in err
    assert "1" in err


def test_rating_plan_names_the_number_of_decisive_votes(tuneloop):
    _, out, _ = tuneloop("rate", "plan", "--win-rate", "0.6", "--power", "0.8", "--json")
    assert abs(json.loads(out)["n"] - 204) <= 2


def test_rating_verdict_has_sentence_interval_and_p(tuneloop):
    _, out, _ = tuneloop("rate", "verdict", "--wins", 50, "--losses", 30, "--ties", 20, "--json")
    found = json.loads(out)
    assert found["win_rate"] == 0.6
    assert (found["low"], found["high"]) == pytest.approx((0.513144, 0.682934), abs=1e-4)
    assert found["p"] == pytest.approx(0.032993, abs=1e-4)
    assert found["sentence"]


def test_rating_agreement_reads_a_csv(tuneloop, tmp_path):
    table = [[1, 1, 0, -1, 1, 0], [1, 0, 0, -1, 1, -1], [1, 1, 1, -1, -1, 0]]
    lines = ["item,rater,value"]
    lines += [f"{i},{r},{v}" for r, row in enumerate(table) for i, v in enumerate(row)]
    path = tmp_path / "votes.csv"
    path.write_text("\n".join(lines))
    for level, alpha in (("nominal", 0.352381), ("ordinal", 0.459599), ("interval", 0.471111)):
        _, out, _ = tuneloop("rate", "agreement", path, "--level", level, "--json")
        found = json.loads(out)
        assert found["alpha"] == pytest.approx(alpha, abs=1e-5)
        assert (found["raters"], found["items"]) == (3, 6)


def test_rating_agreement_names_the_column_that_is_missing(tuneloop, tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("item,value\n1,2\n")
    code, _, err = tuneloop("rate", "agreement", path)
    assert code == 2
    assert "rater" in err


def test_recipe_with_a_typo_names_the_field_that_was_meant(tuneloop, tmp_path):
    data = tmp_path / "faq.jsonl"
    data.write_text("".join(f'{{"prompt": "q{i}", "completion": "a{i}"}}\n' for i in range(20)))
    tuneloop("data", "add", data)
    path = tmp_path / "recipe.yaml"
    path.write_text("kind: sft\ndataset: faq\nlearning_rat: 0.1\n")
    code, _, err = tuneloop("train", path)
    assert code == 2
    assert "learning_rate" in err
    path.write_text("kind: sft\nmodel: no-such-model\ndataset: faq\n")
    code, _, err = tuneloop("train", path)
    assert code == 4
    assert "no-such-model" in err
    path.write_text("kind: [")
    assert tuneloop("train", path)[0] == 2


def test_home_that_cannot_be_made_is_a_sentence(tuneloop, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNELOOP_HOME", str(tmp_path / "file" / "home"))
    code, _, err = tuneloop("runs")
    assert code == 2
    assert "TUNELOOP_HOME" in err


def test_database_that_is_not_there_is_a_sentence(tuneloop, monkeypatch):
    monkeypatch.setenv("TUNELOOP_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    code, _, err = tuneloop("runs")
    assert code == 2
    assert "TUNELOOP_DATABASE_URL" in err


def test_data_preview_marks_what_is_learned(tuneloop, tmp_path, tiny_model, monkeypatch):
    monkeypatch.setenv("TUNELOOP_MODEL", str(tiny_model))
    path = tmp_path / "faq.jsonl"
    path.write_text('{"prompt": "q?", "completion": "the answer"}\n' * 9)
    _, out, _ = tuneloop("data", "preview", path, "--rows", 1, "--json")
    (row,) = json.loads(out)["rows"]
    assert [piece["text"] for piece in row if piece["trained"]] == ["the answer<|im_end|>"]


def test_data_preview_reads_through_a_mapping(tuneloop, tmp_path, tiny_model, monkeypatch):
    monkeypatch.setenv("TUNELOOP_MODEL", str(tiny_model))
    path = tmp_path / "faq.tsv"
    path.write_text("\n".join(f"q {n}\tanswer {n}" for n in range(9)))
    said = ("--no-header", "--map", "prompt=1", "--map", "answer=2", "--rows", 1, "--json")
    _, out, _ = tuneloop("data", "preview", path, *said)
    (row,) = json.loads(out)["rows"]
    assert [piece["text"] for piece in row if piece["trained"]] == ["answer 0<|im_end|>"]


def test_blind_round_is_closed_and_weighed(tuneloop, home, tmp_path):
    url = f"sqlite:///{home / 'tuneloop.db'}"
    ws = open_workspace(Settings(home=home, database_url=url))
    one = helpers.open_round(ws, helpers.project(ws).id, tmp_path, purpose="blind_eval", pairs=8)
    shown = screen.next_pair(ws, LOCAL, one.id)
    screen.vote(ws, LOCAL, shown.token, "key-00000001", "left")
    ws.close()
    assert tuneloop("rounds", "verdict", one.id)[0] == 6
    assert json.loads(tuneloop("rounds", "close", one.id, "--json")[1])["status"] == "closed"
    assert tuneloop("rounds", "close", one.id)[0] == 5
    found = json.loads(tuneloop("rounds", "verdict", one.id, "--json")[1])
    assert found["wins"] + found["losses"] == 1
    assert one.id in tuneloop("rounds")[1]
