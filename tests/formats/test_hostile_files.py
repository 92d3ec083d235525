"""Small files that unpack to much, or cost more than their size: refused early, in a sentence."""

import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.core.errors import UserError
from engine.formats import isolated
from engine.formats.files import any_file, parquet

KNOWN = frozenset({"prompt", "completion"})
ROW = b'{"prompt": "a", "completion": "b"}\n'


def read(data, name="file.jsonl"):
    return any_file.rows_in(data, name, KNOWN)


def test_parquet_dictionary_that_unpacks_to_gigabytes_is_refused(monkeypatch):
    monkeypatch.setattr(parquet, "MAX_FILE", 2**20)
    out = io.BytesIO()
    values = pa.DictionaryArray.from_arrays([0] * 50_000, ["x" * 1000])
    pq.write_table(pa.table({"prompt": values, "completion": values}), out)
    assert len(out.getvalue()) < 2**18
    with pytest.raises(UserError, match="unpacks to more than 1 MiB"):
        read(out.getvalue(), "dict.parquet")


def test_parquet_of_too_many_rows_is_refused_before_they_are_read(monkeypatch):
    monkeypatch.setattr(parquet, "MAX_ROWS", 1000)
    out = io.BytesIO()
    pq.write_table(pa.table({"prompt": ["a"] * 1001}), out)
    with pytest.raises(UserError, match="more than 1,000 rows"):
        read(out.getvalue(), "rows.parquet")


def test_header_of_many_columns_is_refused():
    names = ",".join(f"c{n}" for n in range(100_000))
    with pytest.raises(UserError, match="100,000 columns"):
        read(f"prompt,{names[3:]}\n".encode(), "cols.csv")


def test_gzip_of_many_members_is_read_in_one_pass():
    packed = gzip.compress(ROW) * 20_000  # a copy of the rest for each took minutes
    assert len(read(packed + b"\0" * 512, "members.jsonl.gz").rows) == 20_000


@pytest.mark.parametrize(
    ("data", "problem"),
    [(gzip.compress(ROW)[:-9], "incomplete"), (gzip.compress(ROW) + b"junk", "damaged")],
    ids=["incomplete", "damaged"],
)
def test_broken_gzip_is_told_in_a_sentence(data, problem):
    with pytest.raises(UserError, match=problem):
        read(data)


def test_archive_entry_without_a_name_is_passed_over():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.jsonl", ROW)
        archive.writestr("b.jsonl", ROW)
    nameless = out.getvalue().replace(b"b.jsonl", b"\0.jsonl")  # read as an empty name
    assert [row for _, row in read(nameless).rows] == [{"prompt": "a", "completion": "b"}]


def test_reader_that_aborts_after_its_last_line_has_read_the_file(tmp_path, monkeypatch):
    """pyarrow aborts now and then while the interpreter ends; what it printed is whole."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"prompt": ["a"], "completion": ["b"]}), path)
    real = isolated.subprocess.run

    def aborting(*arguments, **options):
        done = real(*arguments, **options)
        done.returncode = -6
        return done

    monkeypatch.setattr(isolated.subprocess, "run", aborting)
    assert isolated.rows_of(path, path.name, KNOWN).rows == [
        (1, {"prompt": "a", "completion": "b"})
    ]


def test_parquet_with_a_time_zone_that_is_unknown_is_refused_in_its_words():
    times = pa.array([0], pa.timestamp("us", tz="Mars/Phobos"))
    out = io.BytesIO()
    pq.write_table(pa.table({"prompt": ["a"], "at": times}), out)
    with pytest.raises(UserError, match="zone 'Mars/Phobos', which is unknown"):
        read(out.getvalue(), "mars.parquet")
