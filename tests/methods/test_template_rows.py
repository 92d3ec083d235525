"""Rows that a chat template does not read as they are given: trained on, counted and reported."""

import json
from pathlib import Path

import pytest

from engine.core.errors import UserError
from engine.core.examples import Chat, Message
from engine.core.job_result import TrainingResult
from engine.methods import sft
from engine.models.answer import Answerer
from engine.models.chat_template import Template
from tests.methods.fake_context import BASE, MemoryContext

pytestmark = pytest.mark.train
CHATML = "{{ '<|im_start|>' + m.role + '\n' + %s + '<|im_end|>\n' }}"
OPEN = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
DROPS = (
    "{% for m in messages %}{% if m.role == 'assistant' and not loop.last %}"
    + CHATML % "m.content.split('</think>')[-1]"
    + "{% else %}" + CHATML % "m.content" + "{% endif %}{% endfor %}" + OPEN
)  # fmt: skip
ALTERNATES = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    + CHATML % "m.content" + "{% endfor %}" + OPEN
)  # fmt: skip


def asked(text: str) -> Message:
    return Message(role="user", content=text)


def answered(text: str) -> Message:
    return Message(role="assistant", content=text)


def two_answers(n: int, reasoning: bool) -> Chat:
    """The rows of two answers that people have, as in the shared cases."""
    first, second = f"hello {n}", f"bye {n}"
    if reasoning:
        first, second = f"<think>greet {n}</think>{first}", f"<think>part {n}</think>{second}"
    turns = (asked(f"hi {n}"), answered(first), asked("and?"), answered(second))
    return Chat(messages=turns, source_row=n + 1)


def model(tiny_model: Path, folder: Path, template: str) -> Path:
    folder.mkdir()
    for file in tiny_model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


@pytest.fixture
def dropping(tiny_model, tmp_path) -> Path:
    return model(tiny_model, tmp_path / "dropping", DROPS)


@pytest.fixture
def alternating(tiny_model, tmp_path) -> Path:
    return model(tiny_model, tmp_path / "alternating", ALTERNATES)


def prepared(base, tmp_path, rows, **settings):
    ctx = MemoryContext(tmp_path / "run", base, rows[:-2], rows[-2:])
    recipe = sft.Recipe(model=BASE, dataset="d", max_steps=1, samples=0, **settings)
    return ctx, recipe, sft.prepare(recipe, ctx)


@pytest.mark.parametrize(("reasoning", "lost"), [(False, 0), (True, 24)])
def test_answers_without_loss_are_counted_in_log_and_result(dropping, tmp_path, reasoning, lost):
    rows = [two_answers(n, reasoning) for n in range(24)]
    ctx = MemoryContext(tmp_path / "run", dropping, rows[:20], rows[20:])
    found = sft.run(sft.Recipe(model=BASE, dataset="d", max_steps=1, samples=0), ctx)
    stored = TrainingResult.model_validate_json(found.result.model_dump_json()).template
    assert (stored.rows, stored.answers, stored.unlearned_answers) == (24, 48, lost)
    assert stored.unlearned.rows == tuple(range(1, 21))[: 20 * (lost > 0)]
    assert any("24 earlier answers of 48 that carry no loss" in text for text in ctx.said()) is (
        lost > 0
    )
    assert found.model.info["reasons"] is reasoning


def test_split_answers_learns_each_answer_once(dropping, tmp_path):
    rows = [two_answers(n, reasoning=True) for n in range(24)]
    _, _, (encoded, _) = prepared(dropping, tmp_path, rows, split_answers=True)
    assert (len(encoded.train), len(encoded.held_out)) == (2 * 22, 2 * 2)
    template = Template.load(dropping)
    learned = [
        template.decode([i for i in row["labels"] if i != -100]) for row in encoded.train[:2]
    ]
    assert learned == ["<think>greet 0</think>hello 0", "<think>part 0</think>bye 0"]
    assert [one.id for one in encoded.template.findings()] == ["answers_split"]


def test_six_refused_rows_of_24_leave_18_to_learn(alternating, tmp_path):
    good = [Chat(messages=(asked("a"), answered("b")), source_row=n) for n in range(1, 19)]
    bad = [
        Chat(messages=(asked("a"), asked("c"), answered("b")), source_row=n) for n in range(19, 25)
    ]
    rows = [*bad, *good]
    ctx, _, (encoded, _) = prepared(alternating, tmp_path, rows)
    assert (len(encoded.train), len(encoded.held_out), encoded.dropped) == (16, 2, 0)
    assert encoded.template.refused.count == 6
    assert encoded.template.refused.rows == tuple(range(19, 25))
    assert any("6 rows cannot be written in the chat template" in text for text in ctx.said())
    with pytest.raises(UserError, match=r"refuses all 6 rows: roles must alternate"):
        prepared(alternating, tmp_path / "none", bad)


def test_prompt_that_a_template_refuses_fails_alone(alternating, tmp_path):
    ctx = MemoryContext(tmp_path / "run", alternating, [])
    prompts = [[asked("a")], [asked("a"), asked("b")]]
    good, bad = Answerer(alternating).answer(ctx.model(BASE), prompts, max_new_tokens=2)
    assert (good.failed, "roles must alternate" in str(bad.failed)) == (None, True)


@pytest.mark.parametrize(("template", "found"), [(DROPS, "answers_without_loss"), (ALTERNATES, "")])
def test_check_command_names_answers_without_loss(
    tuneloop, tiny_model, tmp_path, monkeypatch, template, found
):
    base = model(tiny_model, tmp_path / "base", template)
    monkeypatch.setenv("TUNELOOP_MODEL", str(base))
    rows = [two_answers(n, reasoning=True) for n in range(24)]
    file = tmp_path / "rows.jsonl"
    file.write_text(
        "\n".join(json.dumps({"messages": [m.model_dump() for m in row.messages]}) for row in rows)
    )
    code, out, _ = tuneloop("data", "check", file, "--json")
    known = {one["id"]: one for one in json.loads(out)["findings"]}
    assert (code, "answers_without_loss" in known) == (0, bool(found))
    if found:
        assert known[found]["count"] == 24
        assert known[found]["rows"] == list(range(1, 21))
        assert "split_answers" in known[found]["hint"]


def test_check_command_without_a_base_reads_the_file_alone(tuneloop, tmp_path, home):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "a", "completion": "b"}\n' * 2)
    code, _, _ = tuneloop("data", "check", file)
    assert (code, list(home.iterdir())) == (0, [])


@pytest.mark.parametrize("split_answers", [False, True])
@pytest.mark.parametrize("reasoning", [False, True])
def test_training_counts_answers_of_weight_zero_and_learns_the_others(
    dropping, tmp_path, reasoning, split_answers
):
    rows = [two_answers(n, reasoning) for n in range(12)]
    for n in (0, 1, 2):
        turns = rows[n].messages
        silent = (turns[0], turns[1].model_copy(update={"weight": 0}), *turns[2:])
        rows[n] = rows[n].model_copy(update={"messages": silent})
    ctx, _, (encoded, _) = prepared(dropping, tmp_path, rows, split_answers=split_answers)
    assert "3 answers have the weight 0: context that carries no loss." in ctx.said()
    assert encoded.template.context_answers == 3
    template = Template.load(dropping)
    learned = [
        template.decode([label for label in each["labels"] if label != -100])
        for each in encoded.train
    ]
    assert not [text for text in learned if any(f"hello {n}" in text for n in (0, 1, 2))]
    assert all(any(f"bye {n}" in text for text in learned) for n in range(10))
    earlier = not reasoning or split_answers
    assert all(any(f"hello {n}" in text for text in learned) == earlier for n in range(3, 10))
