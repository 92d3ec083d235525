"""Simulated raters that look at length or at nothing: to try the loop and to test its alarms."""

import random
from collections.abc import Sequence

from engine.core.rating import Choice


def shorter(left: str, right: str, references: Sequence[str], rng: random.Random) -> Choice:
    """Picks the answer with fewer words; equal counts tie, and an empty answer never wins."""
    del references, rng
    words_left, words_right = len(left.split()), len(right.split())
    if not words_left and not words_right:
        return "both_bad"
    if words_left == words_right:
        return "tie"
    if not words_left or not words_right:
        return "left" if words_left else "right"
    return "left" if words_left < words_right else "right"


def longer(left: str, right: str, references: Sequence[str], rng: random.Random) -> Choice:
    """Picks the answer with more words; equal counts tie, and two empty answers are both bad."""
    del references, rng
    words_left, words_right = len(left.split()), len(right.split())
    if not words_left and not words_right:
        return "both_bad"
    if words_left == words_right:
        return "tie"
    return "left" if words_left > words_right else "right"


def coin(left: str, right: str, references: Sequence[str], rng: random.Random) -> Choice:
    """Tosses a fair coin for the side and reads neither answer."""
    del left, right, references
    return "left" if rng.random() < 0.5 else "right"


def always_left(left: str, right: str, references: Sequence[str], rng: random.Random) -> Choice:
    """Picks the left side every time and reads neither answer."""
    del left, right, references, rng
    return "left"
