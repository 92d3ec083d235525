"""Answers in batches equal those of transformers' own generate, one prompt at a time."""

import math
import random

import pytest

from engine.core.examples import Message, Preference
from engine.core.job_context import Cancelled, ModelFiles
from engine.core.model import Model
from engine.models import batched_decoding
from engine.models.answer import Answerer
from engine.models.sampling import Sampling

pytestmark = pytest.mark.train
SYSTEM = Message(role="system", content="You are a helpful assistant.")


@pytest.fixture(scope="module")
def answerer(tiny_model):
    """The tiny model with larger random weights: as it is, it says one token for ever."""
    import torch

    found = Answerer(tiny_model)
    torch.manual_seed(1)
    for name, weights in found._model.named_parameters():
        if "norm" not in name:
            weights.data.normal_(0, 0.4 if "layers" in name else 0.1)
    return found


@pytest.fixture(scope="module")
def files(tiny_model):
    model = Model(
        id="base-1", name="tiny", kind="base", source="folder", path=str(tiny_model), created_at=0
    )
    return ModelFiles(model, tiny_model, None)


def prompts(number, *before):
    rng = random.Random(3)
    texts = ["".join(rng.choices("abc äé 语 😀", k=rng.randint(1, 40))) for _ in range(number)]
    return [(*before, Message(role="user", content=text)) for text in texts]


def alone(answerer, ids, longest, end):
    """What transformers says to one prompt, the end token left out."""
    import torch

    out = answerer._model.generate(
        input_ids=torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=longest,
        do_sample=False,
        eos_token_id=end,
        pad_token_id=end,
    )[0, len(ids) :].tolist()
    return out[: out.index(end)] if end in out else out


@pytest.mark.parametrize("before", [(), (SYSTEM,)], ids=["nothing shared", "a shared beginning"])
def test_batch_says_what_generate_says_to_each_prompt_alone(answerer, before):
    ids = [answerer.template.prompt_ids(prompt) for prompt in prompts(20, *before)]
    free = [alone(answerer, one, 24, answerer.template.end_id) for one in ids]
    # a token that many answers reach, so that rows leave the batch at different times
    end = max({t for row in free for t in row}, key=lambda t: sum(t in row[1:] for row in free))
    said = batched_decoding.answers(answerer._model, ids, Sampling(24), {end})
    assert [one.ids for one in said] == [alone(answerer, one, 24, end) for one in ids]
    assert len({len(one.ids) for one in said}) > 3
    assert all(0 < one.first_s <= one.last_s for one in said)
    assert all(one.finished == (len(one.ids) < 24) for one in said)


def test_window_that_slides_sees_the_same_in_a_batch():
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=200, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, sliding_window=8,
    )  # fmt: skip
    model = MistralForCausalLM(config).eval()
    for name, weights in model.named_parameters():
        if "norm" not in name:
            weights.data.normal_(0, 0.3)
    rng = random.Random(0)
    start = [rng.randrange(3, 200) for _ in range(20)]
    ids = [start + rng.choices(range(3, 200), k=rng.randint(1, 20)) for _ in range(8)]
    with torch.inference_mode():
        together = [one.ids for one in batched_decoding.answers(model, ids, Sampling(16), ends={7})]
        assert together == [
            batched_decoding.answers(model, [one], Sampling(16), ends={7})[0].ids for one in ids
        ]
        out = model.generate(
            input_ids=torch.tensor(ids[:1]), max_new_tokens=16, do_sample=False, eos_token_id=7,
            attention_mask=torch.ones(1, len(ids[0]), dtype=torch.long), pad_token_id=0,
        )[0, len(ids[0]) :].tolist()  # fmt: skip
    assert together[0] == (out[: out.index(7)] if 7 in out else out)


def test_shares_of_the_time_add_up_to_the_time(answerer):
    ids = [answerer.template.prompt_ids(prompt) for prompt in prompts(9)]
    said = batched_decoding.answers(answerer._model, ids, Sampling(12), answerer.template.ends)
    assert sum(one.seconds for one in said) == pytest.approx(max(one.last_s for one in said))


def test_answers_come_in_the_order_of_the_prompts(answerer, files):
    asked = prompts(7)
    together = answerer.answer(files, asked, max_new_tokens=8)
    apart = [answerer.answer(files, [one], max_new_tokens=8)[0] for one in asked]
    assert [one.text for one in together] == [one.text for one in apart]


def test_prompt_that_does_not_fit_is_refused_and_the_others_are_answered(answerer, files):
    long = (Message(role="user", content="x" * 2000),)
    replies = answerer.answer(files, [*prompts(2), long], max_new_tokens=4)
    assert "do not fit" in replies[2].failed
    assert [one.tokens > 0 for one in replies] == [True, True, False]


def test_answer_can_be_stopped_in_the_middle_of_a_batch(answerer, files):
    def done(ready):
        raise Cancelled

    with pytest.raises(Cancelled):
        answerer.answer(files, prompts(3), max_new_tokens=4, done=done)


def test_reply_is_streamed(answerer, files):
    prompt, streamed = prompts(1)[0], []
    reply = answerer.stream(
        files, prompt, max_new_tokens=6, temperature=0.0, seed=0, on_text=streamed.append
    )
    assert streamed[-1].strip() == reply.text
    assert len(streamed) == reply.tokens == 6
    assert reply.text == answerer.answer(files, [prompt], max_new_tokens=6)[0].text


def sampled(answerer, files, asked, seed):
    replies = answerer.answer(files, asked, max_new_tokens=12, temperature=1.0, seed=seed)
    return [one.text for one in replies]


def test_sampled_answers_are_those_of_their_seed(answerer, files):
    asked = prompts(3)
    first = sampled(answerer, files, asked, 1)
    assert first == sampled(answerer, files, asked, 1) != sampled(answerer, files, asked, 2)


@pytest.mark.parametrize("before", [(), (SYSTEM,)], ids=["nothing shared", "a shared beginning"])
def test_sampled_answer_does_not_depend_on_what_else_is_asked(answerer, files, before):
    asked = prompts(9, *before)
    together = sampled(answerer, files, asked, 4)
    assert together == [sampled(answerer, files, [one], 4)[0] for one in asked]
    assert together == sampled(answerer, files, asked[::-1], 4)[::-1]
    assert len(set(together)) == 9


def test_sampled_reply_is_streamed_and_equals_that_of_a_batch(answerer, files):
    asked, streamed = prompts(4), []
    reply = answerer.stream(
        files, asked[2], max_new_tokens=12, temperature=1.0, seed=4, on_text=streamed.append
    )
    assert streamed[-1].strip() == reply.text == sampled(answerer, files, asked, 4)[2]


@pytest.mark.parametrize(
    "usual", [{"repetition_penalty": 1.4}, {"repetition_penalty": 0.8}, {"no_repeat_ngram_size": 2}]
)
def test_generation_settings_of_a_model_apply_in_a_batch(answerer, files, usual):
    asked, known = prompts(6), answerer._model.generation_config
    plain = [one.text for one in answerer.answer(files, asked, max_new_tokens=16)]
    for name, value in usual.items():
        setattr(known, name, value)
    try:
        assert batched_decoding.can(answerer._model) == ("repetition_penalty" in usual)
        end = answerer.template.end_id
        ids = [answerer.template.prompt_ids(one) for one in asked]
        wanted = [answerer.template.decode(alone(answerer, one, 16, end)).strip() for one in ids]
        apart = [answerer.answer(files, [one], max_new_tokens=16)[0].text for one in asked]
        together = [one.text for one in answerer.answer(files, asked, max_new_tokens=16)]
    finally:
        for name in usual:
            setattr(known, name, None)
    assert wanted == apart != plain
    if "repetition_penalty" in usual:
        assert together == wanted


def test_reply_of_transformers_generate_is_streamed(answerer, files):
    answerer._model.generation_config.no_repeat_ngram_size = 3
    asked, streamed = prompts(2), []
    try:
        reply = answerer.stream(
            files, asked[0], max_new_tokens=6, temperature=0.0, seed=0, on_text=streamed.append
        )
        (other, _) = answerer.answer(files, asked, max_new_tokens=6)
    finally:
        answerer._model.generation_config.no_repeat_ngram_size = None
    assert streamed[-1].strip() == reply.text == other.text
    assert len(streamed) == reply.tokens == 6


def test_likelihood_of_an_answer_equals_transformers_own_loss(answerer, files):
    import torch

    rows = []
    for number, prompt in enumerate(prompts(5)):
        pair = Preference(prompt=prompt, chosen="yes " * (number + 1), rejected="")
        encoded = answerer.template.encode_pair(pair, 10**6)
        rows.append((encoded.prompt_ids, encoded.chosen_ids))
    found = answerer.likelihood(files, rows)
    for (prompt_ids, answer_ids), nats in zip(rows, found, strict=True):
        ids = torch.tensor([prompt_ids + answer_ids])
        labels = torch.tensor([[-100] * len(prompt_ids) + answer_ids])
        with torch.no_grad():
            loss = float(answerer._model(input_ids=ids, labels=labels).loss)
        assert math.isclose(nats, loss * len(answer_ids), rel_tol=1e-4)
