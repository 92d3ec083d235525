"""Marks of a template that was never filled in or never taken off."""

import re
from collections.abc import Sequence

from engine.checks.shared import answers_of, finding, texts_of
from engine.core.examples import Example
from engine.core.finding import Finding

# {{name}}: a blank that somebody meant to fill in
BLANK = re.compile(r"\{\{\s*\w+\s*\}\}")
# marks that a chat template adds by itself: in the text they end or start turns that are not there
MARKS = re.compile(
    r"<\|[a-z][a-z_]*\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|</s>\s*\Z"
    r"|^#{2,3} (?:Instruction|Input|Response):|\n\n(?:Human|Assistant): ",
    re.MULTILINE,
)
SPEAKER = re.compile(r"\s*(?:Assistant|AI|Bot|GPT|User|Human): ")


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows with unfilled blanks, and rows with the marks of a chat template in their text."""
    return [
        *finding(
            "unfilled_blanks",
            "warning",
            [e.source_row for e in examples if _has_blanks(e)],
            "with a blank such as {{name}} that was never filled in",
            "Replace the blanks: the model would learn to say them.",
            fix_id="drop_unfilled_blanks",
        ),
        *finding(
            "template_residue",
            "warning",
            [e.source_row for e in examples if _has_marks(e)],
            "with marks of a chat template in the text, such as <|im_end|> or [INST]",
            "Take them out: the template of the model adds its own.",
            fix_id="drop_template_residue",
        ),
    ]


def drop_blanks(examples: Sequence[Example]) -> list[Example]:
    """Removes rows with a blank such as {{name}} that was never filled in."""
    return [e for e in examples if not _has_blanks(e)]


def drop_marks(examples: Sequence[Example]) -> list[Example]:
    """Removes rows with marks of a chat template in their text."""
    return [e for e in examples if not _has_marks(e)]


def _has_blanks(example: Example) -> bool:
    return any(map(BLANK.search, texts_of(example)))


def _has_marks(example: Example) -> bool:
    return any(map(MARKS.search, texts_of(example))) or any(map(SPEAKER.match, answers_of(example)))
