"""What each layout makes of a row."""

import pytest

from engine import plugins
from engine.core.errors import RowError, UserError
from engine.core.examples import Message
from engine.formats.files.loaded_file import LoadedFile
from engine.formats.read import understand


def read(layout: str, **row):
    return plugins.load("formats", layout).read(row, 7)


def said(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in messages]


HI = [{"role": "user", "content": "Hi"}]
HELLO = {"role": "assistant", "content": "Hello"}


def test_alpaca_input_follows_its_instruction_after_a_blank_line():
    chat = read("alpaca", instruction="Translate.", input="good day", output="guten Tag")
    assert said(chat.messages) == [
        ("user", "Translate.\n\ngood day"),
        ("assistant", "guten Tag"),
    ]


def test_empty_alpaca_input_leaves_the_instruction_alone():
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
        (
            [*HI, {"role": "assistant", "tool_calls": [{}]}],
            "turn 2 of 'messages' has a tool call",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, HELLO],
            "turn 1 of 'messages' has part 1 of type 'image_url'; only text can be learned",
        ),
    ],
)
def test_conversation_that_cannot_be_learned_says_why(messages, reason):
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


@pytest.mark.parametrize("given", ["surely", as_chat("surely")], ids=["text", "turns"])
def test_reference_of_a_pair_is_the_answer_that_a_person_improved(given):
    assert read("preference", prompt="Hi", chosen="yes", rejected="no").improved is None
    row = {"prompt": "Hi", "chosen": "yes", "rejected": "no"}
    assert read("preference", **row, reference=given).improved == "surely"
    strange = [{"role": "user", "content": "Other"}, *as_chat("surely")[1:]]
    with pytest.raises(RowError, match="turns before its answer that differ"):
        read("preference", **row, reference=strange)


def test_system_turn_inside_the_answers_is_part_of_the_prompt():
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
def test_pair_without_two_answers_is_refused_with_a_reason(row, reason):
    with pytest.raises(RowError, match=reason):
        read("preference", **row)


@pytest.mark.parametrize(
    ("written", "label"),
    [(True, True), (False, False), (1, True), ("0", False), ("True", True), ("FALSE", False)],
)
def test_labels_are_read_as_json_and_as_csv_write_them(written, label):
    assert read("kto", prompt="Hi", completion="Hello", label=written).label is label


def test_label_that_is_a_word_is_no_rating():
    with pytest.raises(RowError, match="neither true nor false"):
        read("kto", prompt="Hi", completion="Hello", label="greeting")


def test_layout_with_several_answers_trains_on_the_first_and_accepts_all():
    both = ["Goethe", "J. W. von Goethe"]
    for chat in (
        read("question_answer", question="Who?", answer=both),
        read("prompt_completion", prompt="Who?", completion=both),
        read("alpaca", instruction="Who?", output=both),
        read("source_target", source="Who?", target=both),
    ):
        assert (chat.answer, chat.references) == ("Goethe", tuple(both))


def test_person_may_take_questions_with_answers_as_prompts():
    prompt = read("prompts", question="Who?", answer=["Goethe", "J. W. von Goethe"])
    assert prompt.references == ("Goethe", "J. W. von Goethe")


@pytest.mark.parametrize(
    "row",
    [
        {"text": "I lost my card", "category": "lost_card"},
        {"text": "play a song", "intent": "PlayMusic"},
        {"text": "fine", "label": "positive"},
        {"question": "2+2?", "answer": "B", "choices": ["3", "4"]},
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


def unfolded(layout: str, *rows: dict):
    module = plugins.load("formats", layout)
    return [module.read(row, n) for n, row in module.unfold(list(enumerate(rows, 1)))]


def article(*paragraphs: list[str]) -> dict:
    return {
        "paragraphs": [
            {
                "context": f"text {n}",
                "qas": [{"question": q, "answers": [{"text": "x"}]} for q in qs],
            }
            for n, qs in enumerate(paragraphs)
        ]
    }


def test_question_of_squad_follows_its_paragraph_and_learns_the_first_answer():
    row = article(["Who?"])
    row["paragraphs"][0]["qas"][0]["answers"] = [{"text": "a"}, {"text": "b"}, {"text": "a"}]
    (chat,) = unfolded("squad", row)
    assert chat.prompt[0].content == "text 0\n\nWho?"
    assert (chat.answer, chat.references) == ("a", ("a", "b"))


def test_questions_of_squad_are_numbered_and_grouped_by_article():
    chats = unfolded("squad", article(["a", "b"], ["c"]), article(["d"]))
    assert [chat.source_row for chat in chats] == [1, 2, 3, 4]
    first, second = {chat.group for chat in chats[:3]}, chats[3].group
    assert len(first) == 1
    assert second not in first


def test_single_article_is_grouped_by_paragraph():
    a, b, c = unfolded("squad", article(["a", "b"], ["c"]))
    assert a.group == b.group != c.group


def test_question_without_an_answer_in_its_text_is_learned_as_unanswerable():
    for none in ([], {"text": [], "answer_start": []}):
        assert read("question_answer", question="Who?", context="x", answers=none).answer == (
            "unanswerable"
        )


def test_instances_of_a_task_are_rows_of_one_group():
    given = [{"input": "a", "output": "A"}, {"input": "b", "output": "B"}]
    chats = unfolded("self_instruct", {"instruction": "Shout.", "instances": given})
    assert [chat.prompt[0].content for chat in chats] == ["Shout.\n\na", "Shout.\n\nb"]
    assert [chat.answer for chat in chats] == ["A", "B"]
    assert chats[0].group == chats[1].group is not None


def node(text: str, role: str, *replies: dict, **more) -> dict:
    return {"text": text, "role": role, "replies": list(replies), **more}


def test_path_through_a_tree_takes_the_best_ranked_answer_at_every_turn():
    again = node(
        "Again", "prompter", node("Ja", "assistant", rank=1), node("Yes", "assistant", rank=0)
    )
    tree = node(
        "Hi", "prompter",
        node("Bad", "assistant", rank=2),
        node("Gone", "assistant", rank=0, deleted=True),
        node("Hello", "assistant", node("Late", "prompter", rank=1), {**again, "rank": 0}, rank=1),
    )  # fmt: skip
    assert said(read("oasst", prompt=tree).messages) == [
        ("user", "Hi"), ("assistant", "Hello"), ("user", "Again"), ("assistant", "Yes"),
    ]  # fmt: skip


def test_messages_of_a_tree_one_a_row_become_the_same_tree():
    def row(name: str, parent: str | None, text: str, role: str, rank: int | None = None) -> dict:
        known = {"message_id": name, "parent_id": parent, "text": text, "role": role, "rank": rank}
        return {key: value for key, value in known.items() if value is not None}

    rows = [
        row("1", None, "Hi", "prompter"),
        row("2", "1", "What?", "assistant", 1),
        row("9", None, "Bye", "prompter"),
        row("3", "1", "Hello", "assistant", 0),
        row("8", "9", "See you", "assistant"),
    ]
    chats = unfolded("oasst", *rows)
    assert [chat.answer for chat in chats] == ["Hello", "See you"]
    assert [chat.source_row for chat in chats] == [1, 3]


def test_message_that_answers_itself_does_not_go_round_for_ever():
    loop = {"message_id": "1", "parent_id": "2", "text": "a", "role": "assistant"}
    back = {"message_id": "2", "parent_id": "1", "text": "b", "role": "prompter"}
    assert unfolded("oasst", loop, back) == []


def test_later_question_is_asked_where_the_answer_before_it_is_known():
    rows = [
        {"turns": ["2+2?", "And 3?"], "reference": ["4", "7"]},
        {"turns": ["Poem!", "Shorter."]},
    ]
    first, second, third = unfolded("questions", *rows)
    assert [turn.content for turn in second.prompt] == ["2+2?", "4", "And 3?"]
    assert (first.references, second.references, third.references) == (("4",), ("7",), ())
    assert third.prompt[0].content == "Poem!"
    assert plugins.load("formats", "questions").note(rows).endswith("were not read: 1.")


CALL = {"function": {"name": "weather", "arguments": '{"city": "Kiel"}'}}


def test_tools_are_listed_in_the_system_turn_and_a_call_is_its_json():
    called = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    told = {"role": "tool", "content": "rain"}
    system = {"role": "system", "content": "Be brief."}
    chat = read(
        "messages", messages=[system, *HI, called, told, HELLO], tools=[{"name": "weather"}]
    )
    assert said(chat.messages) == [
        ("system", 'Be brief.\n\nYou can call these tools:\n{"name": "weather"}'),
        ("user", "Hi"),
        ("assistant", '{"name": "weather", "arguments": {"city": "Kiel"}}'),
        ("tool", "rain"),
        ("assistant", "Hello"),
    ]


def test_call_may_be_what_is_learned():
    chat = read(
        "messages", messages=[*HI, {"role": "assistant", "content": "", "tool_calls": [CALL]}]
    )
    assert chat.answer.startswith('{"name": "weather"')


def test_sharegpt_tools_as_json_text_are_listed_too():
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    chat = read("sharegpt", conversations=turns, tools='[{"name": "weather"}]')
    assert chat.messages[0].content.endswith('{"name": "weather"}')
    with pytest.raises(RowError, match="'tools' is no valid JSON"):
        read("sharegpt", conversations=turns, tools="[")


@pytest.mark.parametrize("odd", [[{"a": 1}], [["x"]], [None, {}]])
def test_question_with_an_answer_that_is_no_text_is_a_refused_row(odd):
    rows = [(n, {"turns": [f"q {n}", "and?"], "reference": ["a", "b"]}) for n in range(1, 5)]
    rows.insert(2, (9, {"turns": ["q", "and?"], "reference": odd}))
    found = understand(LoadedFile(rows, []))
    assert found.layout == "questions"
    assert [(flaw.row, "'reference' holds" in flaw.reason) for flaw in found.broken] == [(9, True)]
    assert len(found.examples) == 8
    with pytest.raises(UserError, match="1 of 1 rows cannot be read; row 9"):
        understand(LoadedFile(rows[2:3], []), "questions")


@pytest.mark.parametrize("step", ["sniff", "unfold", "note", "columns"])
def test_row_that_any_step_of_a_layout_refuses_is_left_out_alone(step, monkeypatch):
    rows = [(n, {"text": "odd" if n == 2 else f"some text {n}"}) for n in range(1, 5)]
    layout = plugins.load("formats", "text")
    known = getattr(layout, step, None)

    def refusing(given):
        plain = [row[1] if step == "unfold" else row for row in given]
        if any(row["text"] == "odd" for row in plain):
            raise RowError("is odd")
        return known(given) if known else {"note": "", "columns": frozenset()}.get(step, given)

    monkeypatch.setattr(layout, step, refusing, raising=False)
    if step == "sniff":
        with pytest.raises(UserError, match="No known layout fits"):
            understand(LoadedFile(rows, []))
        return
    found = understand(LoadedFile(rows, []))
    assert [tuple(flaw) for flaw in found.broken] == [(2, "is odd")]
    assert len(found.examples) == 3
