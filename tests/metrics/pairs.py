"""Awkward pairs of a prediction and its references, for every metric."""

LATIN = [
    "the cat sat on the mat",
    "The  cat, sat on THE mat!",
    "yes",
    "",
    " ",
    "!!! ... ???",
    "a",
    "an the a",
    "Café naïve résumé für Straße",
    "e\u0301te\u0301 decomposed",
    "don't can't won't it's o'clock",
    'she said "hello" (twice) & left',
    "1,000.50 dollars and 3-4 e-mails at 10:30",
    "state-of-the-art,state of the art",
    "line one\nline two\n\nline three\ttabbed",
    "the the the the the the the",
    "run running runs ran runner",
    "<b>bold</b> &amp; <i>html</i>",
    "https://example.org/a?b=c#d and a@b.co",
    "emoji \U0001f600\U0001f680 inside",
    "I\u0307stanbul \u0130STANBUL \u212aelvin",
    "x" * 300,
    "def f(x):\n    return x ** 2",
    "zero\u200bwidth non\u00a0breaking",
    "$5 %20 ^caret_under",
    "The quick brown fox jumps over the lazy dog . Twice .",
]
OTHER = [
    "敏捷的棕色狐狸跳过了懒狗。",
    "敏捷的狐狸跳过狗",
    "素早い茶色の狐がのろまな犬を飛び越える",
    "빠른 갈색 여우가 게으른 개를 뛰어넘는다",
    "Быстрая коричневая лиса прыгает",
    "Η γρήγορη αλεπού",
    "तेज भूरी लोमड़ी आलसी कुत्ते पर कूदती है",
    "الثعلب البني السريع",
    "สุนัขจิ้งจอกสีน้ำตาล",
    "GPT模型 version 2 的 model",
]


def paired(texts: list[str]) -> list[tuple[str, list[str]]]:
    """Each text with itself, with its neighbours, and with two references at once."""
    pairs = [(text, [text]) for text in texts]
    for gap in (1, 2):
        pairs += [(text, [texts[place - gap]]) for place, text in enumerate(texts)]
    pairs += [(text, [texts[place - 1], texts[place - 3]]) for place, text in enumerate(texts)]
    return pairs


LATIN_PAIRS = paired(LATIN)
OTHER_PAIRS = paired(OTHER)
