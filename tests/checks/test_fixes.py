"""What each new check finds in planted faults, and that its fix mends that and nothing else."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import plugins
from engine.checks.run import findings
from engine.core.examples import Chat, Example, Message, Preference, Text, Unpaired
from engine.core.finding import Finding
from engine.core.near_duplicates import alike, families
from engine.core.parsed_file import ParsedFile
from tests.cpu import cpu_seconds_below

PLACES = "river stone garden letter window summer market bridge teacher kitchen morning doctor"
THINGS = "island forest silver winter corner thunder village pocket mirror ladder candle harvest"
WORDS = [*PLACES.split(), *THINGS.split()]


def chat(question: str, answer: str) -> Chat:
    return Chat(
        messages=(
            Message(role="user", content=question),
            Message(role="assistant", content=answer),
        )
    )


def pair(question: str, chosen: str, rejected: str) -> Preference:
    return Preference(
        prompt=(Message(role="user", content=question),), chosen=chosen, rejected=rejected
    )


def numbered(examples: list[Example]) -> list[Example]:
    return [e.model_copy(update={"source_row": n}) for n, e in enumerate(examples, 1)]


def clean(rows: int, seed: int = 0) -> list[Chat]:
    """Rows of twenty-four words drawn at random: no two are alike."""
    draw = random.Random(seed)
    return [
        chat(" ".join(draw.choices(WORDS, k=12)), " ".join(draw.choices(WORDS, k=12)))
        for _ in range(rows)
    ]


def found(name: str, examples: list[Example]) -> list[Finding]:
    return plugins.load("checks", name)(numbered(examples))


GERMAN = "Das Wetter ist heute sehr schön, und wir gehen nach dem Essen noch lange spazieren."
ENGLISH = "The weather is very fine today, and after lunch we will go for a long walk in the park."
GOOD: list[Example] = [
    chat("What do you do?", ENGLISH),
    chat("And tomorrow?", "We stay at home, read an old book and listen to the rain on the roof."),
    pair("Hi", "Hello", "What?"),
    Text(text="Call me Ishmael."),
]
USER, BOT = Message(role="user", content="Hi"), Message(role="assistant", content="Hello")
FAULTS: dict[str, list[Example]] = {
    "exact_duplicates": [chat("What do you do?", ENGLISH)],
    "near_duplicates": [chat("What do you do?", ENGLISH.replace("long ", "short "))],
    "asked_twice": [chat("what do YOU do?", "Nothing.")],
    "unanswered": [Chat(messages=(USER, BOT, USER))],
    "nothing_asked": [Chat(messages=(BOT,))],
    "encoding_damage": [chat("Un cafÃ© ?", "Trop cher, â‚¬ 5 pour un cafÃ©.")],
    "lost_characters": [chat("Caf\ufffd?", "No.")],
    "personal_data": [chat("Whom do I write to?", "Write to jane.doe@example.com today.")],
    "languages": [chat("Was macht ihr?", GERMAN)],
    "unfilled_blanks": [chat("Who is it?", "I am {{name}}.")],
    "template_residue": [chat("Who is there?", "Hello<|im_end|>")],
    "empty_answers": [chat("Who was it?", " ")],
    "empty_turns": [Chat(messages=(USER, BOT, Message(role="user", content=""), BOT))],
    "role_order": [Chat(messages=(USER, USER, BOT))],
    "chosen_equals_rejected": [pair("Who?", "a", "a ")],
    "contradictory_pairs": [pair("Which?", "a", "b"), pair("Which?", "b", "a")],
    "length_outliers": [chat("Tell me all.", "a b c d e f g h " * 400)],
}


def all_findings(examples: list[Example]) -> dict[str, Finding]:
    return {f.id: f for f in findings(ParsedFile("x", "sft", numbered(examples), []))}


@pytest.mark.parametrize("fault", FAULTS)
def test_fix_repairs_the_rows_that_its_check_names_and_no_other(fault):
    examples = numbered([*GOOD, *FAULTS[fault]])
    before = all_findings(examples)[fault]
    mended = plugins.load("fixes", before.fix_id)(examples)
    assert fault not in all_findings(mended)
    touched = set(before.rows)
    assert len(GOOD) < min(touched)
    kept = {e.source_row: e.model_dump_json() for e in mended}
    for example in examples:
        if example.source_row not in touched:
            assert kept[example.source_row] == example.model_dump_json()


@pytest.mark.parametrize("name", plugins.names("fixes"))
def test_fix_says_what_it_does_and_leaves_good_rows_and_no_rows_as_they_are(name):
    fix = plugins.load("fixes", name)
    assert fix.__doc__.strip().splitlines()[0].endswith(".")
    rows = numbered(GOOD)
    assert fix(rows) == rows
    assert fix([]) == []


def test_fix_exists_for_every_id_that_a_check_names():
    everything = [row for rows in FAULTS.values() for row in rows]
    mends = {f.fix_id for f in all_findings([*GOOD, *everything]).values() if f.fix_id}
    assert mends <= set(plugins.names("fixes"))
    assert len(mends) >= 14


def nearly(row: Chat, draw: random.Random) -> Chat:
    """The row with one word of its answer replaced, its case changed and a full stop added."""
    words = row.answer.split()
    words[draw.randrange(len(words))] = "otherwise"
    return chat(row.messages[0].content.upper(), " ".join(words) + ".")


def test_near_duplicates_are_found_nine_of_ten_and_no_clean_row():
    draw = random.Random(5)
    rows = clean(200)
    copies = [nearly(row, draw) for row in draw.sample(rows, 10)]
    named = [row for f in found("near_duplicates", [*rows, *copies]) for row in f.rows]
    assert len(named) >= 9
    assert min(named) > 200


def test_shared_instruction_makes_no_copies():
    rows = [
        chat(f"Read the sentence below and say whether it is glad or sad. {r.answer}", "glad")
        for r in clean(60)
    ]
    assert found("near_duplicates", rows) == []


def test_another_question_about_the_same_long_text_is_no_copy():
    text = " ".join(random.Random(1).choices(WORDS, k=120))
    rows = [chat(f"{text} Who came?", "The doctor."), chat(f"{text} When?", "In the morning.")]
    assert found("near_duplicates", [*clean(20), *rows]) == []


def test_copies_in_a_language_without_blanks_are_found():
    said = "今天天气很好我们吃完午饭以后去公园里散步好不好我觉得很好那就这样说定了"
    rows = [chat("你好", said), chat("你好", said.replace("很好那", "不错那"))]
    assert found("near_duplicates", [*clean(20), *rows])[0].rows == (22,)


def test_clusters_do_not_depend_on_the_order_of_the_rows():
    draw = random.Random(2)
    rows = clean(100)
    rows += [nearly(row, draw) for row in rows[:30]]
    shuffled = draw.sample(range(len(rows)), len(rows))
    there = {frozenset(c) for c in families(rows)}
    back = {frozenset(shuffled[n] for n in c) for c in families([rows[n] for n in shuffled])}
    assert there == back
    assert sum(len(c) == 2 for c in there) >= 27


def test_five_thousand_rows_are_compared_in_seconds():
    rows = clean(5000)
    with cpu_seconds_below(10):
        assert len(alike(rows).groups) == 5000


def test_near_copy_check_reports_rows_that_it_did_not_compare():
    rows = [Text(text="the same")] * 50_001
    (said,) = plugins.load("checks", "near_duplicates")(rows)
    assert (said.id, said.fix_id) == ("near_duplicates_unknown", "")
    assert families(rows) == [[n] for n in range(len(rows))]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Ask jane.doe+x@mail.example.org, she knows.", "e-mail"),
        ("Call +49 (0)30 1234567 now", "phone"),
        ("Call (212) 555-0123 or 212-555-0199", "phone"),
        ("Pay to GB82 WEST 1234 5698 7654 32 BY NOON", "IBAN"),  # the example of the standard
        ("Pay to DE89370400440532013000.", "IBAN"),
        ("It is 4111 1111 1111 1111, yes", "card"),
        ("The server 8.8.8.8 answers", "IP"),
    ],
)
def test_hints_of_personal_data_are_named_and_masked(text, kind):
    (said,) = found("personal_data", [chat("Hi", text)])
    assert f"{kind} 1" in said.message
    (masked,) = plugins.load("fixes", "mask_personal_data")([chat("Hi", text)])
    assert f"[{kind}]" in masked.answer
    assert found("personal_data", [masked]) == []


@pytest.mark.parametrize(
    "text",
    [
        "In 2024 we sold 1,234,567 of them for 99.95 each, 10:30-11:45.",
        "GB82 WEST 1234 5698 7654 33 has a wrong check number",
        "4111 1111 1111 1112 has one too",
        "Version 3.11.2 of 127.0.0.1 and 192.168.1.1",
        "a @ b, x@y, 12 @ 3.50",
    ],
)
def test_numbers_that_belong_to_nobody_are_left_alone(text):
    assert found("personal_data", [chat("Hi", text)]) == []


@given(st.text(alphabet="@.+- 0123456789aGB[]()", max_size=60))
def test_masking_twice_changes_nothing_more(text):
    (masked,) = plugins.load("fixes", "mask_personal_data")([Text(text=text)])
    assert found("personal_data", [masked]) == []


@pytest.mark.parametrize("text", ["@" * 200_000, "+1" * 100_000, "1.1." * 50_000, "a" * 200_000])
def test_checks_of_hostile_text_end_soon(text):
    with cpu_seconds_below(3):
        for name in ("personal_data", "encoding_damage", "languages", "near_duplicates"):
            found(name, [Text(text=text)])


def test_encoding_fix_restores_the_letters_as_written():
    spoilt = "Müller trinkt für 5 € Kaffee – »schön«".encode().decode("cp1252", errors="ignore")
    row = chat("Hi", "naÃ¯ve cafÃ©")
    assert plugins.load("fixes", "repair_encoding")([row])[0].answer == "naïve café"
    assert found("encoding_damage", [chat("Hi", spoilt)])[0].id == "encoding_damage"


@pytest.mark.parametrize("text", ["Größe, naïve café – „ja“", "日本語の文", "🙂 ¿Qué?", "ÃO"])
def test_encoding_fix_leaves_sound_letters_alone(text):
    assert found("encoding_damage", [chat("Hi", text)]) == []


def test_rows_of_the_rarer_language_are_named_and_the_short_ones_kept():
    rows = [
        *[chat(f"Question {n}", ENGLISH) for n in range(3)],
        chat("Hallo", GERMAN),
        chat("Ja", "Nein"),
    ]
    (said,) = found("languages", rows)
    assert said.rows == (4,)
    assert "en 3, de 1" in said.message
    assert plugins.load("fixes", "keep_main_language")(rows) == [*rows[:3], rows[4]]


def test_contradiction_fix_keeps_the_majority_and_removes_draws():
    rows = [
        pair("A", "x", "y"), pair("A", "x", "y"), pair("A", "y", "x"), pair("B", "x", "y"),
        pair("B", "y", "x"), Unpaired(prompt=(USER,), completion="x", label=True),
    ]  # fmt: skip
    assert plugins.load("fixes", "drop_contradictory_pairs")(rows) == [*rows[:2], rows[5]]
