import json
from contextlib import suppress

import pytest
from jsonschema import Draft202012Validator

from engine.core.errors import UserError
from engine.metrics import schema_process
from engine.metrics.evaluate_module import as_evaluate
from engine.metrics.json_answers import json_match, json_valid
from engine.metrics.score import find, score_rows
from tests.cpu import cpu_seconds_below
from tests.metrics.pairs import JSON_PAIRS

SCHEMA = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
NAME = f"json_schema:{json.dumps(SCHEMA)}"


@pytest.mark.parametrize(("prediction", "accepted", "valid", "same"), JSON_PAIRS)
def test_answers_are_read_as_json(prediction, accepted, valid, same):
    with cpu_seconds_below(2):
        assert json_valid([prediction], [accepted]).each == (valid,)
        assert json_match([prediction], [accepted]).each == (same,)


def test_plain_values_are_equal_where_python_says_so():
    texts = ['{"a": {"b": [1, "x", null, false]}}', '[{"k": 2}]', '"s"', "2.5", "[]", "{}", "[[]]"]
    for one in texts:
        each = json_match(texts, [[one]] * len(texts)).each
        assert each == tuple(float(json.loads(text) == json.loads(one)) for text in texts)


def test_schema_decides_as_jsonschema_does():
    texts = [json.dumps({"a": n}) for n in range(40)] + ['{"a": "x"}', "{}", "[]", '{"a": 1.0}'] * 4
    each = find(NAME)(texts, [["x"]] * len(texts)).each
    theirs = [float(Draft202012Validator(SCHEMA).is_valid(json.loads(text))) for text in texts]
    assert list(each) == theirs
    assert find(NAME)(["no json", "[" * 20_000, ""], [["x"]] * 3).overall == 0


def test_schema_goes_through_scores_and_the_evaluate_library():
    mean = score_rows(NAME, ['{"a": 1}', None, "{}"], [["x"]] * 3).mean
    assert (mean.score, mean.n, mean.failed) == (0.5, 2, 1)
    assert as_evaluate(NAME).compute(predictions=['{"a": 1}'], references=["x"]) == {NAME: 1}


@pytest.mark.parametrize(
    "argument", ["", "{", "3", '"x"', "[]", '{"type": "nothing"}', "[" * 20_000, '{"$schema": 3}']
)
def test_schema_that_is_invalid_is_one_readable_sentence(argument):
    with pytest.raises(UserError, match="JSON Schema"):
        find(f"json_schema:{argument}")


def test_schema_without_its_text_is_asked_for():
    with pytest.raises(UserError, match="needs a JSON Schema"):
        find("json_schema")


def test_schema_references_outside_it_are_not_fetched():
    away = find('json_schema:{"$ref": "http://127.0.0.1:1/schema.json"}')
    with pytest.raises(UserError, match="which is not in it"):
        away(["{}"], [["x"]])


def test_schema_that_refers_to_itself_for_ever_fails_the_answer():
    assert find('json_schema:{"$ref": "#"}')(["{}"], [["x"]]).overall == 0


def doubled(times):
    """A schema in which each of `times` references stands for two others."""
    parts = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}, {"$ref": f"#/$defs/a{n + 1}"}]}
        for n in range(times)
    }
    return {"$defs": {**parts, f"a{times}": {"type": "object"}}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"type": "string", "pattern": "^(a+)+$"}, json.dumps("a" * 60 + "!")),
        ({"patternProperties": {"^(a|a)*$": {}}}, json.dumps({"a" * 60 + "!": 1})),
        (doubled(60), "{}"),
    ],
    ids=["pattern", "patternProperties", "references"],
)
def test_schema_that_never_ends_is_stopped_and_named(schema, answer):
    metric = find(f"json_schema:{json.dumps(schema)}")
    with cpu_seconds_below(2), pytest.raises(UserError, match="to check answer 2"):
        metric(["no json", answer, "{}"], [["x"]] * 3)


def test_schema_with_patterns_decides_as_jsonschema_does():
    schema = {
        "properties": {"a": {"pattern": "^x+$"}},
        "patternProperties": {"^n": {"type": "null"}},
    }
    texts = [json.dumps(each) for each in ({"a": "xx"}, {"a": "xy"}, {"n1": None}, {"n1": 1}, 5)]
    theirs = [float(Draft202012Validator(schema).is_valid(json.loads(text))) for text in texts]
    assert list(find(f"json_schema:{json.dumps(schema)}")(texts, [["x"]] * 5).each) == theirs


def test_schema_whose_pattern_is_none_is_refused_or_matches_nothing():
    with pytest.raises(UserError, match="no JSON Schema"):
        find('json_schema:{"pattern": "("}')
    odd = {"patternProperties": {"a{2,1}": {}}}
    assert schema_process.valid(odd, ['{"a": 1}', '"a"']) == [False, True]


def test_schema_process_gets_no_secret(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    given = []
    run = schema_process.subprocess.run
    monkeypatch.setattr(
        schema_process.subprocess, "run", lambda *a, **k: given.append(k["env"]) or run(*a, **k)
    )
    assert find('json_schema:{"pattern": "a"}')(['"a"'], [["x"]]).overall == 1
    assert "HF_TOKEN" not in given[0]


@pytest.mark.parametrize("number", ["9" * 401, "-" + "9" * 401, "1e999", "1" + "0" * 4000])
@pytest.mark.parametrize("step", [0.5, 1e-300, 2, 1e300])
def test_number_beyond_all_fractions_is_no_multiple_and_ends_nothing(number, step):
    checked = find(f"json_schema:{json.dumps({'multipleOf': step})}")
    each = checked(["x", number, "4"], [["x"]] * 3).each
    assert each[0] == 0
    assert each[2] == float(Draft202012Validator({"multipleOf": step}).is_valid(4))


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"uniqueItems": True}, json.dumps([{"a": n} for n in range(6000)])),
        (
            {"unevaluatedItems": False, "contains": {"type": "integer"}},
            json.dumps([1] * 60_000),
        ),
        ({"enum": [[0] * 300 + [n] for n in range(3000)]}, json.dumps([0] * 400)),
    ],
)
def test_work_beyond_the_size_of_the_answer_is_done_under_a_limit(schema, answer, monkeypatch):
    asked = []
    real = schema_process.subprocess.run
    monkeypatch.setattr(
        schema_process.subprocess, "run", lambda *a, **k: asked.append(1) or real(*a, **k)
    )
    monkeypatch.setattr(schema_process, "CPU_S", 1)
    with cpu_seconds_below(4), suppress(UserError):  # a fast machine is done in time
        schema_process.valid(schema, [answer])
    assert asked
