"""What every registered layout promises, ours or installed."""

import contextlib
import json
from io import BytesIO
from pathlib import Path

import pytest

from engine import plugins
from engine.core.errors import RowError
from engine.core.examples import Example
from engine.formats.content_hash import read_lines, sha256_of, to_line
from engine.formats.read import read_file

FIXTURES = Path(__file__).parents[1] / "formats" / "fixtures"
LAYOUTS = plugins.names("formats")
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def rows_of(layout: str) -> list[dict]:
    path = FIXTURES / f"{layout}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def examples_of(layout: str) -> list[Example]:
    return read_file(FIXTURES / f"{layout}.jsonl", f"{layout}.jsonl").examples


@every_layout
def test_layout_claims_its_rows_more_surely_than_any_other(layout):
    rows = rows_of(layout)
    scores = {name: plugins.load("formats", name).sniff(rows) for name in LAYOUTS}
    own = scores.pop(layout)
    assert own > max(scores.values())
    assert 0.5 <= own <= 1


@every_layout
def test_layout_recognises_each_of_its_rows_alone(layout, tmp_path):
    for number, row in enumerate(rows_of(layout)):
        path = tmp_path / f"{number}.jsonl"
        path.write_text(json.dumps(row), encoding="utf-8")
        assert read_file(path, path.name).layout == layout


@every_layout
def test_layout_reads_its_file_as_examples_of_its_kind(layout):
    parsed = read_file(FIXTURES / f"{layout}.jsonl", "upload.jsonl")
    assert (parsed.layout, parsed.kind) == (layout, plugins.load("formats", layout).KIND)
    assert {example.kind for example in parsed.examples} == {parsed.kind}
    assert [example.source_row for example in parsed.examples] == [1, 2, 3]
    assert parsed.broken == []


@every_layout
def test_layout_examples_survive_storage(layout):
    examples = examples_of(layout)
    stored = b"".join(map(to_line, examples))
    again = list(read_lines(BytesIO(stored)))
    assert again == examples
    assert b"".join(map(to_line, again)) == stored
    assert sha256_of(again) == sha256_of(examples)


@every_layout
@pytest.mark.parametrize("junk", [{}, {"x": 1}])
def test_layout_refuses_a_foreign_row_with_a_reason(layout, junk):
    module = plugins.load("formats", layout)
    assert module.sniff([junk]) == 0
    with pytest.raises(RowError, match=r"^['\w].*[^.]$"):
        module.read(junk, 7)


@every_layout
def test_layout_claims_nothing_without_rows(layout):
    assert plugins.load("formats", layout).sniff([]) == 0


@every_layout
@pytest.mark.parametrize("value", [None, 7, True, [], [1], {}, {"role": 1}, [{"role": "x"}]])
def test_layout_reports_or_ignores_a_column_of_the_wrong_type(layout, value):
    module = plugins.load("formats", layout)
    for row in rows_of(layout):
        for column in row:
            with contextlib.suppress(RowError):
                assert module.read({**row, column: value}, 1).kind == module.KIND


@every_layout
def test_layout_reports_a_broken_row_by_its_line_and_keeps_the_rest(layout, tmp_path):
    lines = (FIXTURES / f"{layout}.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path / "upload.jsonl"
    path.write_text("\n".join([lines[0], "", '{"oops": ', *lines[1:], "{}"]), encoding="utf-8")
    parsed = read_file(path, path.name)
    assert [example.source_row for example in parsed.examples] == [1, 4, 5]
    assert [broken.row for broken in parsed.broken] == [3, 6]


@every_layout
def test_layout_describes_its_rows_and_reads_the_columns_it_names(layout):
    module = plugins.load("formats", layout)
    assert module.TITLE
    assert module.SUMMARY
    used = {column for row in rows_of(layout) for column in row} & module.COLUMNS
    assert used
    assert "group" in module.COLUMNS


@every_layout
def test_layout_keeps_the_group(layout):
    module = plugins.load("formats", layout)
    assert module.read({**rows_of(layout)[0], "group": 12}, 1).group == "12"
