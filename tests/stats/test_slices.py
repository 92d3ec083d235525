import numpy as np
import pytest

from engine.core.errors import UserError
from engine.stats.intervals import mean_interval
from engine.stats.slices import by_slice, thirds


def test_each_part_has_its_own_mean_and_interval():
    scores = [1.0, 0.0] * 15 + [0.5] * 25 + [None]
    found = by_slice(scores, ["de"] * 30 + ["fr"] * 25 + ["fr"])
    assert [(s.name, s.n, s.failed, s.mean) for s in found] == [
        ("de", 30, 0, 0.5),
        ("fr", 25, 1, 0.5),
    ]
    assert (found[0].low, found[0].high) == mean_interval(scores[:30])
    assert found[0].sentence == "0.50 (95 % interval 0.33 to 0.67) on 30 rows."
    assert "25 rows, 1 failed" in found[1].sentence


def test_slice_of_few_rows_says_so():
    few, none = by_slice([1.0, None], ["a", "b"])
    assert not few.enough
    assert few.sentence.startswith("Too few rows to tell: 1.00")
    assert (none.mean, none.low, none.high) == (None, 0, 1)
    assert none.sentence == "Nothing is known: 0 rows, 1 failed."


def test_slice_excludes_rows_without_a_name():
    assert [s.n for s in by_slice([1.0, 0.0, 1.0], ["x", None, "x"])] == [2]
    with pytest.raises(UserError, match="2 scores but 1 rows"):
        by_slice([1, 0], ["a"])


def test_thirds_have_equally_many_rows_and_say_their_bounds():
    names = thirds(range(1, 91))
    assert names[0] == "short (1 to 30 characters)"
    assert names[45] == "middle (31 to 60 characters)"
    assert names[89] == "long (61 to 90 characters)"
    assert [names.count(name) for name in dict.fromkeys(names)] == [30, 30, 30]


def test_slice_thirds_keep_equal_sizes_together():
    assert set(thirds([7, 7, 7, 7], "words")) == {"short (7 words)"}
    assert thirds([]) == ()
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 5, 200)
    names = thirds(sizes)
    assert all(len({n for n, s in zip(names, sizes, strict=True) if s == k}) == 1 for k in range(5))
