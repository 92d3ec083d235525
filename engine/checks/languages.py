"""A file in several languages: wanted or a mistake, the person who made it should know."""

from collections import Counter
from collections.abc import Sequence
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from engine.checks.parts import finding, texts_of
from engine.core.examples import Example
from engine.core.finding import Finding

LEAST, READ = 80, 600  # letters: fewer are a guess, more change nothing
SURE = 0.9
NO_LANGUAGE = {"", "und", "zxx"}


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
        mend="keep_main_language",
    )


def keep_main(examples: Sequence[Example]) -> list[Example]:
    """Keeps the most frequent language, and rows too short to tell theirs."""
    found = [language(e) for e in examples]
    main = _main(Counter(found))
    return [e for e, name in zip(examples, found, strict=True) if name in ("", main)]


def language(example: Example) -> str:
    """The ISO 639 code of the language of a row, or nothing where it cannot be told."""
    letters = "".join(
        letter
        for letter in " ".join(text[:READ] for text in texts_of(example))[: 2 * READ]
        if letter.isalpha() or letter == " "
    )
    if len(letters) < LEAST:
        return ""
    name, confidence = _identifier().classify(letters[:READ])
    return str(name) if confidence >= SURE and name not in NO_LANGUAGE else ""


def _main(counts: Counter[str]) -> str:
    known = [(n, name) for name, n in counts.items() if name]
    return max(known)[1] if known else ""


@cache
def _identifier() -> LanguageIdentifier:
    """The model of py3langid: a third of a second to load, so once and only when asked."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
