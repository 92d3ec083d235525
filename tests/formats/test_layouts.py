"""What each layout makes of a row."""

import pytest

from engine import plugins
from engine.core.errors import RowError
from engine.core.examples import Message


def read(layout: str, **row):
    return plugins.load("formats", layout).read(row, 7)


def said(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in messages]


HI = [{"role": "user", "content": "Hi"}]
HELLO = {"role": "assistant", "content": "Hello"}


def test_an_alpaca_input_follows_its_instruction_after_a_blank_line():
    chat = read("alpaca", instruction="Translate.", input="good day", output="guten Tag")
    assert said(chat.messages) == [
        ("user", "Translate.\n\ngood day"),
        ("assistant", "guten Tag"),
    ]


def test_an_empty_alpaca_input_leaves_the_instruction_alone():
    assert read("alpaca", instruction="Sing.", input="", output="La").prompt[0].content == "Sing."


def test_dolly_names_context_and_response_mean_the_same():
    dolly = read("alpaca", instruction="Who?", context="Goethe did.", response="Goethe")
    assert dolly == read("alpaca", instruction="Who?", input="Goethe did.", output="Goethe")


def test_alpaca_takes_a_system_text_and_earlier_exchanges():
    chat = read("alpaca", instruction="And 3?", output="9", system="Square.", history=[["2?", "4"]])
    assert [turn.role for turn in chat.messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]


def test_sharegpt_roles_become_ours():
    spoken = ["system", "human", "function_call", "observation", "gpt"]
    chat = read("sharegpt", conversations=[{"from": who, "value": who} for who in spoken])
    assert [turn.role for turn in chat.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]


def test_sharegpt_with_the_names_user_and_assistant_is_the_same():
    chat = read(
        "sharegpt",
        conversations=[{"from": "user", "value": "Hi"}, {"from": "assistant", "value": "Hello"}],
    )
    assert chat == read("messages", messages=[*HI, HELLO])


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (HI, "no answer to learn"),
        ([HELLO], "nothing that it answers"),
        ([], "no turns"),
        ("Hi", "is text, not a list"),
        ([{"role": "judge", "content": "x"}, HELLO], "turn 1 of 'messages' has the unknown role"),
        ([*HI, {"role": "assistant", "content": None}], "turn 2 of 'messages' has no 'content'"),
        ([*HI, {"role": "assistant", "tool_calls": [{}]}], "turn 2 of 'messages' has tool_calls"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, HELLO],
            "turn 1 of 'messages' has a part of type 'image_url'; only text can be learned",
        ),
    ],
)
def test_a_conversation_that_cannot_be_learned_says_why(messages, reason):
    with pytest.raises(RowError, match=reason):
        read("messages", messages=messages)


def test_typed_text_parts_are_joined():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    chat = read("messages", messages=[{"role": "user", "content": parts}, HELLO])
    assert chat.prompt[0].content == "ab"


def test_prompts_and_completions_are_kept_to_the_letter():
    chat = read("prompt_completion", prompt="Q: x\nA: ", completion=" y\n")
    assert [turn.content for turn in chat.messages] == ["Q: x\nA: ", " y\n"]


def test_references_replace_the_completion_as_accepted_answers():
    chat = read("prompt_completion", prompt="Peru?", completion="Lima", references=["Lima", "L."])
    assert chat.accepted == ("Lima", "L.")


PAIR = {"chosen": "yes", "rejected": "no"}


def as_chat(answer: str) -> list[dict]:
    return [*HI, {"role": "assistant", "content": answer}]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", **PAIR},
        {"prompt": HI, "chosen": as_chat("yes")[1:], "rejected": as_chat("no")[1:]},
        {"prompt": "Hi", "chosen": as_chat("yes"), "rejected": as_chat("no")},
        {"chosen": as_chat("yes"), "rejected": as_chat("no")},
        {
            "conversations": [{"from": "human", "value": "Hi"}],
            "chosen": {"from": "gpt", "value": "yes"},
            "rejected": {"from": "gpt", "value": "no"},
        },
        {
            "chosen": "\n\nHuman: Hi\n\nAssistant: yes",
            "rejected": "\n\nHuman: Hi\n\nAssistant: no",
        },
    ],
    ids=["texts", "turns", "prompt repeated", "no prompt", "ShareGPT", "transcripts"],
)
def test_every_way_to_write_a_pair_means_the_same(row):
    pair = read("preference", **row)
    assert (said(pair.prompt), pair.chosen, pair.rejected) == ([("user", "Hi")], "yes", "no")


def test_a_system_turn_inside_the_answers_is_part_of_the_prompt():
    system = [{"role": "system", "content": "Be kind."}]
    pair = read(
        "preference", prompt="Hi", chosen=system + as_chat("yes"), rejected=system + as_chat("no")
    )
    assert [turn.role for turn in pair.prompt] == ["system", "user"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (PAIR, "there is no prompt"),
        ({"prompt": "Hi", "chosen": "yes"}, "'rejected' is missing"),
        ({"chosen": as_chat("yes"), "rejected": as_chat("x")[1:]}, "the same conversation"),
        (
            {"prompt": "Bye", "chosen": as_chat("yes"), "rejected": as_chat("no")},
            "differ from the prompt",
        ),
        ({"prompt": "Hi", "chosen": HI, "rejected": HI}, "not with an answer"),
    ],
)
def test_a_pair_that_is_none_says_why(row, reason):
    with pytest.raises(RowError, match=reason):
        read("preference", **row)


@pytest.mark.parametrize(
    ("written", "label"),
    [(True, True), (False, False), (1, True), ("0", False), ("True", True), ("FALSE", False)],
)
def test_labels_are_read_as_json_and_as_csv_write_them(written, label):
    assert read("kto", prompt="Hi", completion="Hello", label=written).label is label


def test_a_label_that_is_a_word_is_not_a_judgement():
    with pytest.raises(RowError, match="neither true nor false"):
        read("kto", prompt="Hi", completion="Hello", label="greeting")


def test_a_question_with_a_list_of_answers_is_a_prompt_with_references():
    prompt = read("prompts", question="Who?", answer=["Goethe", "J. W. von Goethe"])
    assert prompt.references == ("Goethe", "J. W. von Goethe")


@pytest.mark.parametrize(
    "row",
    [
        {"text": "I lost my card", "category": "lost_card"},
        {"text": "play a song", "intent": "PlayMusic"},
        {"text": "fine", "label": "positive"},
        {"question": "2+2?", "answer": "4"},
        {"prompt": "2+2?", "answer": "4"},
        {"mr": "name[x]", "ref": "x is a place."},
        {"prompt": "2+2?", "completion": "4", "response": "four"},
    ],
)
def test_columns_that_could_mean_several_things_are_not_guessed(row):
    assert {
        name: score
        for name in plugins.names("formats")
        if (score := plugins.load("formats", name).sniff([row]))
    } == {}
