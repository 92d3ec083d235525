"""Which language a row is in."""

from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from engine.checks.shared import texts_of
from engine.core.examples import Example

LEAST, READ = 80, 600  # letters: fewer are a guess, more change nothing
SURE = 0.9
NO_LANGUAGE = {"", "und", "zxx"}


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


@cache
def _identifier() -> LanguageIdentifier:
    """The model of py3langid: a third of a second to load, so once and only when asked."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
