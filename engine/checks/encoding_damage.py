"""Letters that a wrong encoding has spoilt: "cafÃ©" for "café", or "caf�" where it is lost."""

from collections.abc import Sequence

import ftfy

from engine.checks.shared import finding, texts_of, with_texts
from engine.core.examples import Example
from engine.core.finding import Finding

LOST = "\N{REPLACEMENT CHARACTER}"
ROUNDS = 5  # text spoilt more often than this is beyond repair
# a guess that puts the replacement character in would hide one damage behind another
CONFIG = ftfy.TextFixerConfig(replace_lossy_sequences=False, unescape_html=False)


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows whose letters can be restored, and apart from them rows with lost letters."""
    return [
        *finding(
            "encoding_damage",
            "warning",
            [e.source_row for e in examples if _is_spoilt(e)],
            "with letters garbled by a wrong encoding, such as Ã© for é",
            "Apply the repair, then check a few rows.",
            fix_id="repair_encoding",
        ),
        *finding(
            "lost_characters",
            "warning",
            [e.source_row for e in examples if _has_lost(e)],
            f"with letters that were lost ({LOST})",
            "Save the file as UTF-8 from its source again, or remove the rows.",
            fix_id="drop_lost_characters",
        ),
    ]


def repair(examples: Sequence[Example]) -> list[Example]:
    """Restores letters that a wrong encoding has spoilt, such as Ã© for é."""
    return [with_texts(e, _repaired) if _is_spoilt(e) else e for e in examples]


def drop_lost(examples: Sequence[Example]) -> list[Example]:
    """Removes rows in which letters were lost (the replacement character stands for them)."""
    return [e for e in examples if not _has_lost(e)]


def _is_spoilt(example: Example) -> bool:
    return any(not text.isascii() and _repaired(text) != text for text in texts_of(example))


def _has_lost(example: Example) -> bool:
    return any(LOST in text for text in texts_of(example))


def _repaired(text: str) -> str:
    if text.isascii():
        return text
    for _ in range(ROUNDS):
        better = ftfy.fix_encoding(text, CONFIG)
        if better == text:
            break
        text = better
    return text
