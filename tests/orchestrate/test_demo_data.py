"""The committed sample data: what its description promises."""

import json
import re
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

import engine.orchestrate
from engine import plugins
from engine.simulated_raters.friendly import ends_friendly

FOLDER = Path(engine.orchestrate.__file__).parent
FAQ, PROMPTS = FOLDER / "library_faq.jsonl", FOLDER / "library_prompts.jsonl"
NEAR = 0.85  # token-set Jaccard from which two questions count as the same


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def questions(path: Path) -> list[str]:
    return [row["prompt"] for row in rows(path)]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def plain(row: dict[str, Any]) -> str:
    return str(row["references"][0])


def last_lines(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(each.removeprefix(plain(row)).strip() for each in row["references"][1:])


def test_demo_data_has_36_topics_of_nine_questions():
    topics = Counter(map(plain, rows(FAQ)))
    assert len(topics) == 36
    assert set(topics.values()) == {9}


def test_each_answer_is_accepted_with_and_without_a_friendly_last_line():
    both = rows(FAQ) + rows(PROMPTS)
    assert {last_lines(row) for row in both} == {last_lines(both[0])}
    assert [line for line in last_lines(both[0]) if not ends_friendly(line)] == []
    assert [row for row in rows(FAQ) if row["completion"] not in row["references"]] == []


def test_half_of_the_answers_of_each_topic_end_with_a_friendly_last_line():
    friendly = Counter(plain(row) for row in rows(FAQ) if row["completion"] != plain(row))
    assert set(friendly.values()) == {4, 5}
    assert friendly.total() == 162


def test_each_topic_has_two_further_questions():
    asked = Counter(map(plain, rows(PROMPTS)))
    assert set(asked) == set(map(plain, rows(FAQ)))
    assert set(asked.values()) == {2}


def test_rows_have_exactly_the_fields_of_their_layout():
    assert {tuple(row) for row in rows(FAQ)} == {("prompt", "completion", "references")}
    assert {tuple(row) for row in rows(PROMPTS)} == {("prompt", "references")}


@pytest.mark.parametrize(("path", "layout"), [(FAQ, "prompt_completion"), (PROMPTS, "prompts")])
def test_layout_is_recognised(path, layout):
    names = plugins.names("formats")
    sure = {name: plugins.load("formats", name).sniff(rows(path)) for name in names}
    assert max(sure, key=lambda name: sure[name]) == layout


def test_demo_questions_are_unique_after_normalisation():
    every = [" ".join(words(question)) for question in questions(FAQ) + questions(PROMPTS)]
    assert [question for question, count in Counter(every).items() if count > 1] == []


def test_demo_questions_have_no_near_duplicates():
    every = [(text, set(words(text))) for text in questions(FAQ) + questions(PROMPTS)]
    pairs = combinations(every, 2)
    assert [(a, b) for (a, one), (b, other) in pairs if jaccard(one, other) >= NEAR] == []


def test_questions_have_5_to_25_words():
    every = questions(FAQ) + questions(PROMPTS)
    assert [question for question in every if not 5 <= len(question.split()) <= 25] == []


def test_answers_have_8_to_22_words():
    answers = set(map(plain, rows(FAQ)))
    assert [answer for answer in answers if not 8 <= len(answer.split()) <= 22] == []


@pytest.mark.parametrize("path", [FAQ, PROMPTS])
def test_files_are_plain_ascii_with_unix_line_ends_and_no_stray_spaces(path):
    raw = path.read_bytes()
    assert raw.isascii()
    assert b"\r" not in raw
    assert raw.endswith(b"}\n")
    texts = [text for row in rows(path) for text in (row["prompt"], row.get("completion", "x"))]
    assert [text for text in texts if text != " ".join(text.split())] == []


def test_neighbouring_rows_are_of_different_topics():
    answers = list(map(plain, rows(FAQ)))
    assert [a for a, b in pairwise(answers) if a == b] == []
