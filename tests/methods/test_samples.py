"""What the model in training answers, said beside the curves."""

import pytest

from engine.core.examples import Preference, Text
from engine.methods import dpo, samples, sft
from engine.models.chat_template import Template
from tests.methods.fake_context import BASE, MemoryContext, chats, pairs, user

pytestmark = pytest.mark.train


def said(ctx):
    return [(event.step, event.data) for event in ctx.events if event.kind == "sample"]


def run(method, ctx, **values):
    asked = {"model": BASE, "dataset": "d", "max_steps": 2, "num_evals": 2, **values}
    return method.run(method.Recipe(**asked), ctx)


def test_each_measurement_brings_an_answer_to_the_same_held_out_prompts(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(8), chats(20)[8:])
    run(sft, ctx)
    assert [step for step, _ in said(ctx)] == [0, 0, 1, 1, 2, 2]
    assert [data["step"] for _, data in said(ctx)] == [0, 0, 1, 1, 2, 2]
    prompts = [data["prompt"] for _, data in said(ctx)]
    assert prompts == ["Say 8", "Say 14"] * 3
    assert {data["reference"] for _, data in said(ctx)} == {"yes, sir"}
    assert all(set(data) == {"step", "prompt", "text", "reference"} for _, data in said(ctx))


def test_answer_is_the_one_the_saved_model_gives(tiny_model, tmp_path):
    from engine.models.answer import Answerer

    ctx = MemoryContext(tmp_path / "job", tiny_model, chats(24), chats(4))
    run(sft, ctx, max_steps=None, num_train_epochs=4, learning_rate=5e-3, keep_best=False)
    ctx.add("new", ctx.folder / "adapter")
    prompts = [user("Say 0"), user("Say 2")]
    replies = Answerer(tiny_model).answer(
        ctx.model("new"), prompts, max_new_tokens=samples.NEW_TOKENS
    )
    assert [data["text"] for _, data in said(ctx)[-2:]] == [reply.text for reply in replies]


def test_sample_answers_change_nothing_in_the_training(tiny_model, tmp_path):
    losses = []
    for number in (0, 3):
        ctx = MemoryContext(tmp_path / f"job{number}", tiny_model, chats(16), chats(4))
        run(sft, ctx, max_steps=4, samples=number, lora={"r": 4, "lora_dropout": 0.2})
        assert len(said(ctx)) == 3 * number
        losses.append(ctx.metrics("loss"))
    assert losses[0] == losses[1]


def test_pairs_show_the_chosen_answer_as_the_reference(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path / "job", tiny_model, pairs(8), pairs(2))
    run(dpo, ctx)
    assert said(ctx)[0][1]["reference"] == "yes, sir"


def test_sample_of_a_text_asks_its_beginning_and_shows_the_rest(tiny_model, tmp_path):
    text = "the quick brown fox jumps over the lazy dog and runs away into the wood"
    ctx = MemoryContext(tmp_path / "job", tiny_model, [], [Text(text=text)])
    recipe = sft.Recipe(model=BASE, dataset="d")
    (asked,) = samples.questions(ctx, recipe, Template.load(tiny_model))
    assert text.startswith(asked.prompt.strip())
    assert asked.reference
    assert text.startswith((asked.prompt + asked.reference).strip())


def test_sample_prompts_that_are_too_long_are_left_out(tiny_model, tmp_path):
    long = Preference(prompt=user("x" * 5000), chosen="a", rejected="b")
    ctx = MemoryContext(tmp_path / "job", tiny_model, [], [long, *pairs(1)])
    recipe = dpo.Recipe(model=BASE, dataset="d")
    asked = samples.questions(ctx, recipe, Template.load(tiny_model))
    assert [question.prompt for question in asked] == ["Say 0"]


def test_sample_of_a_slow_model_is_cut_off(tiny_model, tmp_path, monkeypatch):
    from transformers import AutoModelForCausalLM

    monkeypatch.setattr(samples, "NEW_TOKENS", 5000)
    ctx = MemoryContext(tmp_path / "job", tiny_model, [], chats(2))
    template = Template.load(tiny_model)
    recipe = sft.Recipe(model=BASE, dataset="d")
    sampler = samples.SampleWriter(ctx, samples.questions(ctx, recipe, template), template)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    asked, real = [], model.generate

    def generate(**options):
        asked.append(options)
        return real(**options)

    monkeypatch.setattr(model, "generate", generate)
    monkeypatch.setattr(samples, "MAX_SECONDS", 0.0)  # over after the first token
    sampler.ask(model, 1, NoHalves())
    assert [options["max_new_tokens"] for options in asked] == [5000]
    assert len(said(ctx)) == 2
    assert all(len(data["text"]) <= 8 for _, data in said(ctx))
    assert not model.training


class NoHalves:
    bf16 = fp16 = False
