"""A file in several languages: wanted or a mistake, the person who made it should know."""

from collections import Counter
from collections.abc import Sequence

from engine.checks.row_language import language
from engine.checks.shared import finding
from engine.core.examples import Example
from engine.core.finding import Finding


def check(examples: Sequence[Example]) -> list[Finding]:
    """Rows in another language than most; rows too short to tell are not counted."""
    found = [language(e) for e in examples]
    counts = Counter(found)
    main = _main(counts)
    shares = ", ".join(f"{name} {n:,}" for name, n in counts.most_common(6) if name)
    return finding(
        "languages",
        "info",
        [e.source_row for e, name in zip(examples, found, strict=True) if name not in ("", main)],
        f"in another language than most ({shares})",
        "Keep one language if the model should answer in one.",
        fix_id="keep_main_language",
    )


def keep_main(examples: Sequence[Example]) -> list[Example]:
    """Keeps the most frequent language, and rows too short to tell theirs."""
    found = [language(e) for e in examples]
    main = _main(Counter(found))
    return [e for e, name in zip(examples, found, strict=True) if name in ("", main)]


def _main(counts: Counter[str]) -> str:
    known = [(n, name) for name, n in counts.items() if name]
    return max(known)[1] if known else ""
