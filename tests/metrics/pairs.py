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
LONG_PAIRS = [
    ("lorem ipsum dolor sit amet, " * 715, ["dolor sit ipsum, lorem amet? " * 690]),
    ("天地玄黄宇宙洪荒" * 2500, ["日月盈昃天地玄黄" * 2500]),
]
UNICODE_PAIRS = paired(
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
        "e\u0301 and \u00e9 look alike",
        "الثَّعْلَبُ البني",
        "天地玄黄\n宇宙洪荒",
        "",
    ]
)
NUMBER_PAIRS = [
    ("so 3 + 4 = 7.\n#### 7", ["7"], 1),
    ("#### 1,000", ["1000"], 1),
    ("The total is $1,234,567.50.", ["#### 1234567.5"], 1),
    ("3.50", ["3.5"], 1),
    ("3/4", ["0.75"], 1),
    ("it is 1 / 3", ["2/6"], 1),
    ("about 50 %", ["50"], 1),
    ("50%", ["0.5"], 0),
    ("#### -5", ["\N{MINUS SIGN}5"], 1),
    ("10-5", ["5"], 1),
    ("(3)-2", ["2"], 1),
    ("答案是-42。", ["42", "-42"], 1),
    ("٣", ["3"], 1),
    (".5", ["1/2"], 1),
    ("1/0", ["1/0"], 0),
    ("", ["7"], 0),
    ("no number", ["no number"], 0),
    ("7", ["none here"], 0),
    ("#### 5 apples, not 6", ["5"], 1),
    ("#### unknown, maybe 8", ["8"], 1),
    ("1 #### 2 #### 3 and 4", ["3"], 1),
    ("7", ["1", "2"], 0),
    ("8.", ["8"], 1),
    ("3,5", ["5"], 1),
    ("12345,678", ["678"], 1),
    ("9" * 20_000, ["9" * 20_000], 0),
    ("1,234" * 4_000, ["5"], 0),
]
JSON_PAIRS = [
    ('{"a": 1, "b": [1, 2]}', ['{ "b":[1,2], "a":1.0 }'], 1, 1),
    ("[1, 2]", ["[2, 1]"], 1, 0),
    ("true", ["1"], 1, 0),
    ("null", ["null"], 1, 1),
    ("0.1", ["0.10"], 1, 1),
    ("1e400", ["1e500"], 1, 0),
    ("1e99999999999999999999", ["1"], 0, 0),
    ('"caf\\u00e9"', ['"café"'], 1, 1),
    ("NaN", ["NaN"], 0, 0),
    ("-Infinity", ["null"], 0, 0),
    ('```json\n{"a": 1}\n```', ['{"a": 1}'], 0, 0),
    ('{"a": 1} ', ["{}", '{"a": 1}'], 1, 1),
    ("{'a': 1}", ['{"a": 1}'], 0, 0),
    ("", ["{}"], 0, 0),
    ("[" * 20_000, ["[]"], 0, 0),
    ("[" * 10_000 + "]" * 10_000, ["[]"], 0, 0),
    ("1" * 20_000, ["1" * 20_000], 1, 1),
    ('{"天": "地"}', ['{"天": "地"}'], 1, 1),
    ("[1,]", ["[1]"], 0, 0),
    ("{}", ["not json"], 1, 0),
]
LABEL_ROWS = [
    (given, [right])
    for given, right in zip(
        ["Yes", "no", "YES.", "maybe", "yes", "no", "'No'", "maybe", "banana", "yes", "", ""],
        ["yes", "yes", "yes", "no", "no", "maybe", "no", "maybe", "yes", "no", "maybe", "no"],
        strict=True,
    )
] * 5
TEXT = "seven quick brown foxes jumped over many very lazy dogs"
KINDS = {"numeric_match": "#### 42", "json_valid": '{"a": 1}', "json_match": '{"a": 1}'}
NO_REFERENCE = {"json_valid", "repetition"}  # what these say does not depend on a reference


def right(name: str) -> str:
    """A text that the metric can tell to be right when it is its own reference."""
    return KINDS.get(name, TEXT)
