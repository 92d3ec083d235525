"""`tuneloop evaluation score` on files of texts: which rows it reads, and which it names."""

import json

import pytest


@pytest.fixture
def score(tuneloop, tmp_path):
    def run(predictions, references=None, *options, metrics="exact_match"):
        path = tmp_path / "answers.jsonl"
        path.write_text(predictions, encoding="utf-8")
        more = []
        if references is not None:
            other = tmp_path / "references.txt"
            other.write_text(references, encoding="utf-8", newline="")
            more = ["--references", other]
        return tuneloop(
            "evaluation", "score", "--predictions", path, *more, "--metrics", metrics, *options
        )

    return run


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_score_splits_rows_at_line_ends_only(score, end):
    predictions = f"a\u2028b c d{end}e f\x0bg h{end}"
    code, out, _ = score(predictions, f"a b c d{end}e f\u2028g h{end}", "--json")
    assert code == 0
    assert json.loads(out)["exact_match"]["n"] == 2
    assert json.loads(out)["exact_match"]["score"] == 1.0  # separators are spaces to the metric


def test_score_reads_numbers_as_they_are_written(score):
    rows = (
        '{"prediction": 5, "reference": "5"}\n{"prediction": 1.50, "reference": 1.50}\n'
        '{"prediction": true, "references": ["true", 1e3]}\n'
    )
    code, out, _ = score(rows, None, "--json")
    assert (code, json.loads(out)["exact_match"]["score"]) == (0, 1.0)


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"prediction": "b"}, "Line 2 of answers.jsonl: the reference is missing or null"),
        ({"prediction": "b", "reference": None}, "Line 2 of answers.jsonl: the reference"),
        ({"prediction": "b", "references": [None]}, "Line 2 of answers.jsonl: the reference"),
        ({"prediction": "b", "references": [["x"]]}, "the reference is a list"),
        ({"prediction": {"text": "b"}, "reference": "b"}, "the prediction is an object"),
        ({"reference": "b"}, "Line 2 of answers.jsonl has no 'prediction'"),
    ],
)
def test_score_names_the_row_that_it_cannot_read(score, row, named):
    code, _, err = score(lines({"prediction": "a", "reference": "a"}, row))
    assert code == 2
    assert named in err
    assert "Traceback" not in err


def test_score_names_references_that_squad_takes_as_equal(score):
    rows = lines({"prediction": "5", "reference": "-5"}, {"prediction": "5", "reference": "5"})
    code, out, _ = score(rows, metrics="exact_match,squad_exact_match")
    assert code == 0
    assert "exact_match  0.5000" in out
    assert "takes the references '-5' and '5' as equal" in out
    assert "as equal" not in score(rows)[1]


# small inputs that once failed, by their names


def test_score_of_predictions_that_are_numbers_takes_their_text(score):
    rows = '{"prediction": 5, "reference": 5}\n{"prediction": "5", "reference": "5"}\n'
    code, out, err = score(rows, None, "--json")
    assert code == 0, err
    assert json.loads(out)["exact_match"]["score"] == 1.0
    assert json.loads(out)["exact_match"]["n"] == 2


def test_score_of_reference_null_in_list_names_the_row(score):
    code, out, err = score(lines({"prediction": "a", "references": [None]}))
    assert code == 2
    assert out == ""
    assert "Line 1 of answers.jsonl: the reference" in err
    assert "None" not in err
    assert len(err.strip().splitlines()) == 1


@pytest.fixture
def line_separators():
    """Two rows a side; U+2028 stands in the first prediction and in the second reference."""
    return "a\u2028b c d\ne f g h\n", "a b c d\ne f\u2028g h\n"


def test_score_of_line_separator_predictions_counts_two_rows(score, line_separators):
    predictions, _ = line_separators
    code, out, err = score(predictions, "a b c d\ne f g h\n", "--json")
    assert code == 0, err
    assert json.loads(out)["exact_match"]["n"] == 2
    assert json.loads(out)["exact_match"]["score"] in (0.5, 1.0)


def test_score_of_line_separator_references_counts_two_rows(score, line_separators):
    predictions, references = line_separators
    code, out, err = score(predictions, references, "--json", metrics="exact_match,bleu")
    assert code == 0, err
    found = json.loads(out)
    assert {name: found[name]["n"] for name in found} == {"exact_match": 2, "bleu": 2}
    assert found["exact_match"]["score"] == 1.0  # the separator is a space to the metric
