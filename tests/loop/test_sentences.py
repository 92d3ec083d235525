"""Every branch of what the Loop says of length and side."""

from types import SimpleNamespace

import pytest

from engine.services.loop.sentences import _explained


def shown(decision, low, high, rate, biased=None, length=True):
    return SimpleNamespace(
        report=SimpleNamespace(
            verdict=SimpleNamespace(decision=decision),
            length=SimpleNamespace(win_rate=rate, low=low, high=high, length=object())
            if length
            else None,
            position=None if biased is None else SimpleNamespace(biased=biased),
            tally=SimpleNamespace(left=11, right=9),
        )
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (("better", 0.55, 0.7, 0.6), "; not explained by length (at equal lengths 60 %)"),
        (("better", 0.45, 0.7, 0.6), "; length may explain it (at equal lengths 60 %)"),
        (("better", 0.13, 0.33, 0.21), "; length may explain it (at equal lengths 21 %)"),
        (("worse", 0.13, 0.33, 0.21), "; not explained by length (at equal lengths 21 %)"),
        (("worse", 0.55, 0.7, 0.6), "; length may explain it (at equal lengths 60 %)"),
        (("better", 0.45, 0.7, 0.6, False),
         "; length may explain it (at equal lengths 60 %), no side is shown to be favoured "
         "(left 55 %)"),
        (("better", 0.55, 0.7, 0.6, True),
         "; not explained by length (at equal lengths 60 %), raters favour a side (left 55 %)"),
        (("better", 0.5, 0.5, 0.5, False, False), "; no side is shown to be favoured (left 55 %)"),
        (("better", 0.5, 0.5, 0.5, None, False), ""),
    ],
)  # fmt: skip
def test_length_and_side_are_explained_on_the_side_of_the_verdict(found, said):
    assert _explained(shown(*found)) == said
