"""Files of votes and ratings: tables under any names, and what other programs export."""

import json

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import plugins
from engine.core.errors import RowError, UserError
from engine.core.imported_votes import vote_mapping
from engine.formats.files.loaded_file import LoadedFile
from engine.formats.votes.choices import choice_of
from engine.formats.votes.read import read_votes, understand

FIVE = ["a is clearly better", "a is slightly better", "tie", "b is slightly better", "both bad"]
TABLE = [
    {
        "prompt": f"p{n}", "annotator": f"r{n % 2}", "model_a": "new", "model_b": "old",
        "preference": FIVE[n % 5],
    }
    for n in range(10)
]  # fmt: skip


@pytest.fixture
def read(tmp_path):
    """Reads rows written as JSON, or text or bytes as they are, under a name."""

    def written(rows, name="votes.json", **how):
        path = tmp_path / name
        if isinstance(rows, str | bytes):
            path.write_bytes(rows.encode() if isinstance(rows, str) else rows)
        else:
            path.write_text(json.dumps(rows))
        return read_votes(path, name, **how)

    return written


def as_table(rows, mark):
    return "\n".join(mark.join(map(str, line)) for line in [rows[0], *(r.values() for r in rows)])


def test_five_levels_are_read_the_same_from_every_container(read, tmp_path):
    expected = read(TABLE)
    assert [(v.choice, v.strength) for v in expected.votes[:5]] == [
        ("left", 2), ("left", 1), ("tie", None), ("right", 1), ("both_bad", None),
    ]  # fmt: skip
    assert not expected.sides
    for mark in ",;\t|":
        assert read(as_table(TABLE, mark), "votes.csv").votes == [
            vote._replace(row=vote.row + 1) for vote in expected.votes
        ]
    lines = "\n".join(map(json.dumps, TABLE))
    assert read(lines, "votes.jsonl").votes == expected.votes
    pq.write_table(pa.Table.from_pylist(TABLE), tmp_path / "votes.parquet")
    assert read_votes(tmp_path / "votes.parquet", "votes.parquet").votes == expected.votes
    book = openpyxl.Workbook()
    for row in [list(TABLE[0]), *(list(row.values()) for row in TABLE)]:
        book.active.append(row)
    book.save(tmp_path / "votes.xlsx")
    found = read_votes(tmp_path / "votes.xlsx", "votes.xlsx")
    assert [v._replace(row=0) for v in found.votes] == [v._replace(row=0) for v in expected.votes]


def test_table_of_left_right_and_winner_states_its_sides(read):
    found = read("left;right;winner\nPizza;Salad;left\nPizza;Salad;RIGHT\nSalad;Pizza;tie\n",
                 "votes.csv")  # fmt: skip
    assert found.sides
    assert [(v.first.model, v.second.model, v.choice) for v in found.votes] == [
        ("Pizza", "Salad", "left"), ("Pizza", "Salad", "right"), ("Salad", "Pizza", "tie"),
    ]  # fmt: skip
    assert len({v.item for v in found.votes}) == 3


def test_left_and_right_are_answers_where_they_are_texts(read):
    rows = [
        {"prompt": f"p{n}", "left": f"Answer {n}.", "right": f"Reply {n}.", "winner": "right"}
        for n in range(4)
    ]
    vote = read(rows).votes[1]
    assert (vote.first.text, vote.second.text, vote.first.model) == ("Answer 1.", "Reply 1.", "")


@pytest.mark.parametrize("winner", ["model_a", "A", "new", "Model A wins", "a>>b", "1", "a>b"])
def test_winner_may_be_a_letter_a_column_or_a_model(read, winner):
    rows = [{"prompt": "p", "model_a": "new", "model_b": "old", "winner": winner}]
    assert read(rows).votes[0].choice == "left"


@pytest.mark.parametrize(
    ("said", "choice", "strength"),
    [
        ("left", "left", None), ("R", "right", None), ("Right is much better", "right", 2),
        ("b is a bit better", "right", 1), ("A slightly worse", "right", 1), ("a<b", "right", None),
        ("b >> a", "right", 2), ("tie (bothbad)", "both_bad", None), ("Neither", "both_bad", None),
        ("about the same", "tie", None), ("a=b", "tie", None), ("a is better than b", "left", None),
        ("Response 2", "right", None), ("I prefer answer 1", "left", None),
    ],
)  # fmt: skip
def test_choice_in_words_is_understood(said, choice, strength):
    found = choice_of(said, ("new",), ("old",))
    assert (found.choice, found.strength) == (choice, strength)


@pytest.mark.parametrize(
    "said", ["maybe", "", "a and b", "a better b", "I am a person", "3", None, ["left"], {}, True,
             "not left", "a" * 5000],
)  # fmt: skip
def test_choice_that_cannot_be_told_is_refused(said):
    with pytest.raises(RowError):
        choice_of(said, ("new",), ("old",))


def test_mapping_names_other_columns_and_what_words_mean(read):
    rows = [{"frage": "Wo?", "x": "neu", "y": "alt", "wahl": "5", "wer": "ada"}]
    mapping = vote_mapping(
        {"prompt": "Frage", "left_model": "x", "right_model": "y", "choice": "wahl",
         "rater": "wer"},
        {"5": "right is clearly better"},
    )  # fmt: skip
    vote = read(rows, mapping=mapping).votes[0]
    assert (vote.choice, vote.strength, vote.rater, vote.sides) == ("right", 2, "ada", True)
    with pytest.raises(UserError, match="no column 'nope'"):
        read(rows, mapping=vote_mapping({"choice": "nope"}))
    with pytest.raises(UserError, match="no role 'judge'"):
        vote_mapping({"judge": "wer"})


def test_mapping_of_the_sides_alone_is_completed_by_the_other_columns(read):
    sides = {"left_model": "model_a", "right_model": "model_b"}
    found = read(TABLE, mapping=vote_mapping(sides))
    plain = read(TABLE).votes
    assert found.votes == [vote._replace(sides=True) for vote in plain]
    assert (found.sides, {vote.rater for vote in plain}) == (True, {"r0", "r1"})
    named = read(TABLE, mapping=vote_mapping({**sides, "choice": "preference"})).votes
    assert {vote.rater for vote in named} == {""}  # whoever maps a whole vote has said all


def test_mapping_of_one_column_is_completed_for_ratings_too(read):
    rows = [{"q": f"p{n}", "response": f"r{n}", "score": 4, "annotator": "ada"} for n in range(3)]
    found = read(rows, mapping=vote_mapping({"prompt": "q"}))
    assert [(r.answer.text, r.value, r.rater) for r in found.ratings] == [
        ("r0", 4.0, "ada"), ("r1", 4.0, "ada"), ("r2", 4.0, "ada"),
    ]  # fmt: skip


def test_rows_that_are_no_votes_are_counted_with_number_and_reason(read):
    rows = [*TABLE[:2], {**TABLE[2], "preference": "perhaps"}, {**TABLE[3], "annotator": ""},
            {**TABLE[4], "model_b": "new"}]  # fmt: skip
    found = read(rows)
    assert len(found.votes) == 2
    assert [(b.row, b.reason) for b in found.broken] == [
        (3, "has the choice 'perhaps'"),
        (4, "is not whole: it names no rater"),
        (5, "compares one thing with itself"),
    ]


def test_ratings_of_one_answer_are_thumbs_or_stars(read):
    rows = [
        {"prompt": "p", "response": "r", "model": "m", "rating": said}
        for said in ("👍", "thumbs_down", 4, "5", True, "good")
    ]
    assert [r.value for r in read(rows).ratings] == [1, 0, 4, 5, 1, 1]
    assert (
        read([{**rows[0], "rating": "fine"}, rows[1]]).broken[0].reason == "has the rating 'fine'"
    )


def label_studio(result, **annotation):
    return {
        "id": 1,
        "data": {"prompt": "Where?", "answer1": "Here.", "answer2": "There."},
        "annotations": [{"completed_by": {"id": 7, "email": "ada@example.org"}, "result": result,
                         "created_at": "2026-03-09T22:16:08.728353Z", **annotation}],
    }  # fmt: skip


def pairwise(side):
    return [{"type": "pairwise", "from_name": "p", "to_name": "a,b", "value": {"selected": side}}]


def test_label_studio_export_is_read(read):
    choices = [{"type": "choices", "value": {"choices": ["Both bad"]}}]
    found = read([
        label_studio(pairwise("left")), label_studio(pairwise("right"), completed_by=3),
        label_studio(pairwise("left"), was_cancelled=True), label_studio([]),
        label_studio(choices),
    ])  # fmt: skip
    assert found.format == "label_studio"
    assert [(v.choice, v.rater, v.sides) for v in found.votes] == [
        ("left", "ada@example.org", True), ("right", "3", True),
        ("both_bad", "ada@example.org", False),
    ]  # fmt: skip
    vote = found.votes[0]
    assert (vote.first.text, vote.second.text, vote.prompt[0].content) == (
        "Here.", "There.", "Where?",
    )  # fmt: skip
    assert vote.at == pytest.approx(1773094568.728353)
    assert [s.row for s in found.skipped] == [3, 4]


def test_argilla_records_are_read_in_all_their_layouts(read):
    fields = {"prompt": "Where?", "response1": "Here.", "response2": "There."}
    said = [("response1", "u1", "submitted"), ("response2", "u2", "discarded")]
    record = {
        "id": "x", "fields": fields, "metadata": {}, "suggestions": {},
        "responses": {"better": [
            {"value": value, "user_id": user, "status": status} for value, user, status in said
        ]},
    }  # fmt: skip
    flat = {
        "id": "x", "status": "completed", "_server_id": "s", **fields,
        "better.responses": [s[0] for s in said], "better.responses.users": [s[1] for s in said],
        "better.responses.status": [s[2] for s in said],
    }  # fmt: skip
    old = {**fields, "better": [
        {"value": value, "user_id": user, "status": status} for value, user, status in said
    ], "metadata": "{}", "external_id": "1"}  # fmt: skip
    columns = {**fields, "better": {
        "user_id": ["u1", "u2"], "value": [s[0] for s in said], "status": [s[2] for s in said],
    }}  # fmt: skip
    odd = {**record, "responses": {"better": [
        *record["responses"]["better"], None, {"user_id": "u3", "status": "submitted"},
    ]}}  # fmt: skip
    assert [each.row for each in read([odd]).broken] == [1, 1]
    assert len(read([odd]).votes) == 1
    for row in (record, flat, old, columns):
        found = read([row])
        assert (found.format, len(found.skipped)) == ("argilla", 1)
        (vote,) = found.votes
        assert (vote.choice, vote.rater, vote.first.text, vote.sides) == (
            "left", "u1", "Here.", False,
        )  # fmt: skip


def test_argilla_ranking_of_two_and_rating_of_one_are_read(read):
    ranking = [{"value": "response1", "rank": 2}, {"value": "response2", "rank": 1}]
    fields = {"prompt": "Where?", "response1": "Here.", "response2": "There."}
    row = {"fields": fields, "responses": {"rank": [{"value": ranking, "user_id": "u"}]}}
    assert read([row]).votes[0].choice == "right"
    one = {"fields": {"prompt": "Where?", "response": "Here."},
           "responses": {"stars": [{"value": 4, "user_id": "u"}]}}  # fmt: skip
    assert read([one]).ratings[0].value == 4


def feedback(rating, siblings=True, **data):
    messages = {
        "q": {"id": "q", "role": "user", "content": "Where?", "parentId": None},
        "a": {"id": "a", "role": "assistant", "content": "Here.", "parentId": "q",
              "model": "new"},
    }  # fmt: skip
    if siblings:
        messages["b"] = {**messages["a"], "id": "b", "content": "There.", "model": "old"}
    return {
        "id": "f", "user_id": "u1", "version": 0, "type": "rating", "created_at": 1_764_000_000,
        "data": {"rating": rating, "model_id": "new", **data}, "meta": {"message_id": "a"},
        "snapshot": {"chat": {"chat": {"history": {"messages": messages}}}},
    }  # fmt: skip


def test_open_webui_thumb_is_a_vote_where_there_is_another_answer(read):
    found = read([feedback(1), feedback(-1), feedback(-1, siblings=False), feedback(None)])
    assert found.format == "open_webui"
    assert [(v.choice, v.first.model, v.second.model) for v in found.votes] == [
        ("left", "new", "old"), ("right", "new", "old"),
    ]  # fmt: skip
    assert found.votes[0].second.text == "There."
    assert found.votes[0].at == 1_764_000_000
    assert not found.sides
    assert (found.ratings[0].value, found.ratings[0].answer.text) == (-1, "Here.")
    assert len(found.skipped) == 1


def test_open_webui_chat_that_points_at_itself_ends(read):
    row = feedback(1)
    row["snapshot"]["chat"]["chat"]["history"]["messages"]["q"]["parentId"] = "q"
    assert len(read([row]).votes[0].prompt) == 1


def test_open_webui_without_the_chat_names_the_other_models(read):
    row = {**feedback(1, sibling_model_ids=["old", "new", None]), "snapshot": None}
    (vote,) = read([row]).votes
    assert (vote.second.model, vote.first.text, vote.prompt) == ("old", None, ())


def test_langsmith_group_of_two_is_a_vote_and_a_program_is_nobody(read):
    runs = [
        {"id": f"r{n}", "inputs": {"question": "Where?"}, "outputs": {"output": f"There {n}."},
         "session_name": f"exp-{n}", "feedback": []}
        for n in (1, 2)
    ]  # fmt: skip
    source = {"type": "app", "user_id": "ada"}
    entry = {"run_id": "r1", "key": "preference", "score": 0, "feedback_source": source,
             "feedback_group_id": "g"}  # fmt: skip
    rows = [*runs, entry, {**entry, "run_id": "r2", "score": 1},
            {**entry, "feedback_group_id": None, "score": 1},
            {**entry, "feedback_source": {"type": "model"}},
            {**entry, "key": "other"}]  # fmt: skip
    found = read(rows)
    assert found.format == "langsmith"
    (vote,) = found.votes
    assert (vote.choice, vote.first.model, vote.second.text, vote.rater) == (
        "right", "exp-1", "There 2.", "ada",
    )  # fmt: skip
    assert [r.value for r in found.ratings] == [1]
    assert len(found.skipped) == 2


def langsmith_pair(group, user, name="Ada"):
    source = {"type": "app", "user_id": user, "user_name": name}
    entry = {"key": "preference", "feedback_source": source, "feedback_group_id": group}
    return [
        {**entry, "run_id": f"{group} {n}", "session_id": f"exp-{n}", "score": n} for n in (0, 1)
    ]


def test_langsmith_votes_without_their_runs_are_about_the_experiments(read):
    (vote,) = read(langsmith_pair("g", "u1")).votes
    assert (vote.choice, vote.first.model, vote.second.model) == ("right", "exp-0", "exp-1")
    assert vote.rater == "Ada"


def test_langsmith_people_of_one_name_stay_apart(read):
    rows = langsmith_pair("g", "u1") + langsmith_pair("h", "u2") + langsmith_pair("i", "u3", "Bo")
    assert [v.rater for v in read(rows).votes] == ["Ada (u1)", "Ada (u2)", "Bo"]


@pytest.mark.parametrize("snake", [False, True])
def test_langfuse_scores_are_ratings_of_people(read, snake):
    names = {"trace": "trace_id", "kind": "data_type", "user": "author_user_id"} if snake else {
        "trace": "traceId", "kind": "dataType", "user": "authorUserId"}  # fmt: skip
    score = {"id": "s", names["trace"]: "t", names["kind"]: "BOOLEAN", names["user"]: "ada",
             "name": "helpful", "value": 1, "source": "ANNOTATION",
             "timestamp": "2024-05-29 13:46:19.963000"}  # fmt: skip
    trace = {"id": "t", "input": [{"role": "user", "content": "Where?"}],
             "output": {"role": "assistant", "content": "Here."}}  # fmt: skip
    found = read([trace, score, {**score, "source": "EVAL"}, {**score, "name": "other"}])
    assert found.format == "langfuse"
    (rating,) = found.ratings
    assert (rating.rater, rating.answer.text, rating.prompt[0].content) == (
        "ada", "Here.", "Where?",
    )  # fmt: skip
    assert len(found.skipped) == 2


def test_every_format_of_votes_is_described():
    for name in plugins.names("votes"):
        module = plugins.load("votes", name)
        assert module.TITLE
        assert module.SUMMARY
        assert module.COLUMNS


HOSTILE = [None, [], {}, "x", -1, 1e400, [None], [[]], {"id": None}, [{"a": [{}]}], True, "\u202e"]


@pytest.mark.parametrize("name", plugins.names("votes"))
def test_odd_values_in_any_place_are_refused_rows(name):
    """No value of any field ends a reader with anything but a refused row."""
    shapes = [
        label_studio(pairwise("left")), feedback(1),
        {"fields": {"prompt": "p", "response1": "a"}, "responses": {"q": [{"value": 1}]}},
        {"id": "r", "inputs": {"question": "q"}, "outputs": {"output": "o"}, "feedback": [
            {"key": "k", "score": 1, "feedback_source": {"type": "app"}}]},
        {"id": "t", "input": "i", "output": "o", "scores": [
            {"name": "n", "value": 1, "source": "API", "dataType": "NUMERIC"}]},
        TABLE[0],
    ]  # fmt: skip
    module = plugins.load("votes", name)
    for shape in shapes:
        for spoiled in spoilt(shape):
            module.sniff([spoiled])
            list(module.votes([(1, spoiled)]))


def spoilt(value):
    """The value with each of its parts replaced by each odd value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: odd} for odd in HOSTILE)
            yield from ({**value, key: changed} for changed in spoilt(inner))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from ([*value[:n], changed, *value[n + 1 :]] for changed in spoilt(inner))


def test_file_that_is_too_large_or_holds_nothing_is_a_sentence(read, monkeypatch):
    with pytest.raises(UserError, match="no columns of votes that are known"):
        read([{"a": 1, "b": 2}])
    monkeypatch.setattr("engine.formats.votes.read.MOST_BYTES", 100)
    with pytest.raises(UserError, match="larger than"):
        read(TABLE)


def test_langfuse_score_of_a_session_or_without_a_value_is_counted(read):
    score = {"name": "helpful", "value": 1, "dataType": "NUMERIC", "source": "ANNOTATION"}
    rows = [{**score, "traceId": f"t{n}"} for n in range(3)]
    bare = {key: value for key, value in rows[0].items() if key != "value"}
    found = read([*rows, {**score, "traceId": None, "sessionId": "s"}, bare])
    assert (found.format, len(found.ratings), found.broken) == ("langfuse", 3, [])
    assert [each.row for each in found.skipped] == [4, 5]


def test_langsmith_group_that_is_no_pair_is_refused_with_all_its_rows(read):
    rows = [*langsmith_pair("g", "u1"), *langsmith_pair("h", "u1"), *langsmith_pair("h", "u1")]
    found = read(rows)
    assert (len(found.votes), [each.row for each in found.broken]) == (1, [3, 4, 5, 6])


@pytest.mark.parametrize("name", plugins.names("votes"))
def test_every_row_is_a_vote_a_rating_skipped_or_refused(name):
    """Whatever a row holds, it is accounted for, alone and among sound ones."""
    score = {"name": "n", "value": 1, "source": "API", "dataType": "NUMERIC", "traceId": "t"}
    entry = {"run_id": "r", "key": "k", "score": 1, "feedback_source": {"type": "app"}}
    shapes = {
        "label_studio": [label_studio(pairwise("left")), {"data": {}, "annotations": []}],
        "open_webui": [feedback(1)],
        "argilla": [
            {"fields": {"prompt": "p", "response1": "a"}, "responses": {"q": [{"value": 1}]}}
        ],
        "langsmith": [
            {"id": "r", "inputs": {"question": "q"}, "outputs": {"output": "o"}, "feedback": [
                {"key": "k", "score": 1, "feedback_source": {"type": "app"}}]},
            entry, {**entry, "feedback_group_id": "g"},
        ],
        "langfuse": [{"id": "t", "input": "i", "output": "o", "scores": [score]}, score],
        "table": [TABLE[0]],
    }  # fmt: skip
    assert set(shapes) == set(plugins.names("votes"))
    gives_texts = getattr(plugins.load("votes", name), "gives_texts", lambda row: False)
    for shape in shapes[name]:
        for odd in [*spoilt(shape), *lacking(shape)]:
            rows = [(1, shape), (2, odd), (3, odd), (4, shape)]
            found = understand(LoadedFile(rows, []), "x", format_name=name)
            named = {each.row for part in found[1:5] for each in part}
            named |= {each.second_row for each in found.votes}
            assert {n for n, row in rows if not gives_texts(row)} <= named, odd


def lacking(value):
    """The value without each of its fields."""
    for key, inner in value.items():
        yield {name: each for name, each in value.items() if name != key}
        if isinstance(inner, dict):
            yield from ({**value, key: less} for less in lacking(inner))
