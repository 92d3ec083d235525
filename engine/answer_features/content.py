"""Features of what an answer says, beside its question and its accepted answers."""

import re
from collections.abc import Sequence
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from engine import plugins
from engine.answer_features.described import Prompts, References, described

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
WORD = re.compile(r"\w+")
OVERLAP = "token_f1"  # the metric of answers and references
LEAST, READ = 20, 600  # letters: fewer are a guess, more change nothing
SURE = 0.7


@described("with more numbers", "with fewer numbers")
def numbers(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """How many numbers it has."""
    del prompts, references
    return [float(len(NUMBER.findall(text))) for text in answers]


@described("closer to the reference", "further from the reference")
def overlap(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """Word F1 with the best reference; 0 without one."""
    del prompts
    known = [n for n, each in enumerate(references) if each]
    found = [0.0] * len(answers)
    if known:
        score = plugins.load("metrics", OVERLAP)
        each = score([answers[n] for n in known], [references[n] for n in known]).each
        for place, value in zip(known, each, strict=True):
            found[place] = float(value)
    return found


@described("repeating more of the question", "repeating less of the question")
def echo(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """The share of the question's words that the answer says too."""
    del references
    return [_echoed(p[-1].content if p else "", a) for p, a in zip(prompts, answers, strict=True)]


@described("in the question's language", "in another language than the question")
def same_language(prompts: Prompts, answers: Sequence[str], references: References) -> list[float]:
    """1 in the language of the question, 0 in another, 1/2 where either cannot be told."""
    del references
    asked = [_language(prompt[-1].content if prompt else "") for prompt in prompts]
    given = [_language(text) for text in answers]
    return [
        float(one == other) if one and other else 0.5
        for one, other in zip(asked, given, strict=True)
    ]


def _echoed(question: str, answer: str) -> float:
    asked, given = (set(WORD.findall(text.lower())) for text in (question, answer))
    return len(asked & given) / len(asked) if asked else 0.0


def _language(text: str) -> str:
    letters = "".join(each for each in text[:READ] if each.isalpha() or each == " ")
    if len(letters) < LEAST:
        return ""
    name, confidence = _identifier().classify(letters)
    return str(name) if confidence >= SURE else ""


@cache
def _identifier() -> LanguageIdentifier:
    """The model of py3langid: a third of a second to load, so once and only when asked."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
