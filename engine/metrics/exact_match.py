"""Exact match of answers: form and case do not count, signs and symbols do."""

import re
import unicodedata
from collections.abc import Sequence
from statistics import fmean

from engine.core.score import Scores, described
from engine.metrics.input_check import References, check

NORM = "norm:NFC,quotes,case,articles,punctuation but signs"
QUOTES = str.maketrans("‘’‚‛“”„‟′″\N{MINUS SIGN}", "''''\"\"\"\"'\"-")
ARTICLES = re.compile(r"\b(a|an|the)\b")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")  # 1,000 is 1000; 1,5 stays
# Punctuation that belongs to a number or a name is kept, all other ASCII punctuation goes.
KEPT = "|".join(
    (
        r"(?<![\w)])[-+](?=[$]?\.?\d)",  # a sign: -5, but well-known and 3-4 lose theirs
        r"(?<=\d)[.,:/](?=\d)",  # 1.5, 10:30, 1/2
        r"(?<!\w)\.(?=\d)",  # .5
        r"(?<=\w)[+#]+",  # C++, C#
        r"[$%<>=^]",
        r"(?<=\w)[&@](?=\w)",  # R&D, an address
    )
)
PUNCTUATION = re.compile(rf"({KEPT})|[!-/:-@\[-`{{-~]")


@described(
    "Exact match",
    "short",
    "The share of answers that equal a reference, apart from case, punctuation and articles. "
    "Signs and symbols such as C++ count.",
)
def exact_match(predictions: Sequence[str], references: References) -> Scores:
    """The share of predictions equal to one of their references after normalisation.

    Unicode forms, the shape of quotes, case, sentence punctuation, English articles and the width
    of spaces do not count. The sign of a number, a point or colon inside it and symbols of a name
    (C++, 5 %) do. An answer of nothing never matches. `squad_exact_match` is SQuAD's published
    figure, which drops signs and symbols too.
    """
    check(predictions, references)
    each = tuple(
        float(bool(normal(prediction)) and normal(prediction) in map(normal, accepted))
        for prediction, accepted in zip(predictions, references, strict=True)
    )
    return Scores(overall=fmean(each), each=each, signature=f"exact_match|{NORM}|refs:any")


def normal(text: str) -> str:
    """Lower case in NFC, without sentence punctuation, articles and needless spaces.

    A text of nothing but punctuation or articles keeps them: "A" may be a label.
    """
    plain = " ".join(unicodedata.normalize("NFC", text).translate(QUOTES).lower().split())
    bare = " ".join(PUNCTUATION.sub(r"\1", THOUSANDS.sub("", plain)).split()) or plain
    return " ".join(ARTICLES.sub(" ", bare).split()) or bare
