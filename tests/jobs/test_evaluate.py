"""The evaluation job on a tiny model: what it stores, what it remembers, what it counts."""

import json
import os
import random

import pytest

from engine.core.errors import UserError
from engine.core.evaluation import Evaluation, Output
from engine.core.evaluation_sentences import of_cut_answers
from engine.core.examples import Chat, Message
from engine.jobs import answer_cache, answerers, evaluate
from engine.jobs import trivial_baselines as plain
from tests.methods.fake_context import BASE, MemoryContext, user

pytestmark = pytest.mark.train


def chat(question, answer):
    return Chat(messages=(*user(question), Message(role="assistant", content=answer)))


class Context(MemoryContext):
    """A MemoryContext whose base may have been trained on a dataset."""

    def learn(self, dataset):
        files = self._models[BASE]
        model = files.model.model_copy(update={"dataset_id": dataset})
        self._models[BASE] = files._replace(model=model)


def context(tmp_path, tiny_model, name="job"):
    rng = random.Random(5)
    train = [chat(f"what is {w}?", f"it is {w}") for w in ("red", "blue", "green", "blue")]
    held_out = [
        chat(f"what is {w}? {rng.randint(0, 9)}", f"it is {w}") for w in ("red", "green", "pink")
    ]
    ctx = Context(tmp_path / name, tiny_model, train, held_out)
    ctx.cache = tmp_path / "cache"  # one for all jobs, as in a workspace
    return ctx


def recipe(**values):
    usual = {"models": (BASE,), "dataset": "d", "max_new_tokens": 6, "metrics": ("rougeL",)}
    return evaluate.Recipe(**{**usual, **values})


@pytest.fixture
def first(tmp_path, tiny_model):
    ctx = context(tmp_path, tiny_model)
    return ctx, evaluate.run(recipe(), ctx).evaluation


def test_evaluation_is_the_same_when_read_back(first):
    _, found = first
    assert Evaluation.model_validate_json(found.model_dump_json()) == found


def test_evaluation_stored_before_there_were_baselines_can_still_be_read(first):
    _, found = first
    old = json.loads(found.model_dump_json())
    for name in ("baselines", "over_baselines", "perplexity", "regression_checks", "overlap"):
        del old[name]
    for row in old["rows"]:
        for output in row["outputs"].values():
            for name in ("cut", "first_s", "last_s", "cached", "nats", "reference_tokens"):
                del output[name]
    assert Evaluation.model_validate(old).baselines == {}


def test_answer_cache_answers_a_repeated_question(first, tmp_path, tiny_model):
    _, before = first
    ctx = context(tmp_path, tiny_model, "again")
    after = evaluate.run(recipe(), ctx).evaluation
    kept = [row.outputs[BASE] for row in after.rows]
    assert all(output.cached for output in kept)
    assert [o.text for o in kept] == [row.outputs[BASE].text for row in before.rows]
    assert after.perplexity == before.perplexity
    assert after.speed[BASE].cached == 3
    assert after.speed[BASE].peak_mb == 0 < before.speed[BASE].peak_mb
    assert after.speed[BASE].last_p95_s == before.speed[BASE].last_p95_s > 0


def test_answer_cache_misses_for_other_decoding(first, tmp_path, tiny_model):
    ctx = context(tmp_path, tiny_model, "longer")
    after = evaluate.run(recipe(max_new_tokens=7), ctx).evaluation
    assert not any(row.outputs[BASE].cached for row in after.rows)


def test_answer_cache_that_is_broken_is_asked_again(first, tmp_path, tiny_model):
    ctx, before = first
    for path in (ctx.cache / "answers").iterdir():
        path.write_bytes(path.read_bytes()[:-30] + b"x" * 30)
    after = evaluate.run(recipe(), context(tmp_path, tiny_model, "again")).evaluation
    assert not any(row.outputs[BASE].cached for row in after.rows)
    assert [r.outputs[BASE].text for r in after.rows] == [r.outputs[BASE].text for r in before.rows]


def test_answer_cache_tells_a_changed_model(first, tmp_path, tiny_model):
    ctx, _ = first
    files = ctx.model(BASE)
    same = answer_cache.cache_key(ctx.cache, files, {})
    assert same == answer_cache.cache_key(ctx.cache, files, {})
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"1")
    one = answer_cache.cache_key(ctx.cache, files._replace(adapter=folder), {})
    (folder / "adapter_model.safetensors").write_bytes(b"2")
    two = answer_cache.cache_key(ctx.cache, files._replace(adapter=folder), {})
    assert len({same, one, two}) == 3


def test_answer_cache_is_bounded_and_the_oldest_goes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(answer_cache, "MOST_FILE_BYTES", 3000)
    monkeypatch.setattr(answer_cache, "MOST_BYTES", 6000)
    for model in range(4):
        memory = answer_cache.AnswerCache(tmp_path, f"model {model}")
        for row in range(60):
            memory.put([row], Output(text=f"answer {row} of {model}"))
        memory.save()
    files = list((tmp_path / "answers").iterdir())
    assert sum(path.stat().st_size for path in files) <= 6000
    newest = answer_cache.AnswerCache(tmp_path, "model 3")
    assert newest.get([59], Output).text == "answer 59 of 3"
    assert newest.get([0], Output) is None


def test_answers_that_failed_are_counted_and_not_scored(tmp_path, tiny_model):
    held_out = [chat("short?", "yes"), chat("long " * 400, "no"), chat("also short?", "yes")]
    ctx = Context(tmp_path / "job", tiny_model, [], held_out)
    found = evaluate.run(recipe(usd_per_hour=1.0), ctx).evaluation
    mean = found.means[BASE]["rougeL"]
    assert (mean.n, mean.failed) == (2, 1)
    broken = found.rows[1].outputs[BASE]
    assert "do not fit" in broken.failed
    assert broken.scores == {}
    assert broken.nats is None
    assert found.perplexity[BASE].n == 2
    speed = found.speed[BASE]
    assert speed.usd_per_1000 == pytest.approx(speed.seconds / 2 * 1000 / 3600)


def test_cut_answers_are_reported(tmp_path, tiny_model):
    held_out = [chat("short?", "yes"), chat("also short?", "no " * 90)]
    ctx = Context(tmp_path / "job", tiny_model, [], held_out)
    found = evaluate.run(recipe(max_new_tokens=6), ctx).evaluation
    assert all(row.outputs[BASE].cut and row.outputs[BASE].tokens == 6 for row in found.rows)
    assert of_cut_answers(found, {BASE: "Tiny"}) == [
        "2 of 2 answers of Tiny were cut at 6 tokens; what would have followed is not scored."
    ]
    whole = found.model_copy(update={"rows": ()})
    assert of_cut_answers(whole, {BASE: "Tiny"}) == []


@pytest.mark.parametrize(("words", "longest"), [(1, 96), (90, 416), (9000, 1024)])
def test_answer_limit_follows_the_references_unless_given(tmp_path, tiny_model, words, longest):
    held_out = [chat("short?", "no"), chat("also short?", "no " * words)]
    ctx = Context(tmp_path / "job", tiny_model, [], held_out)
    found = answerers.CachedAnswerer(ctx).longest(
        ctx.model(BASE), [each.prompt for each in held_out], [each.accepted[0] for each in held_out]
    )
    assert found == longest


def test_trivial_baselines_need_no_model(first):
    _, found = first
    assert list(found.baselines) == [plain.COPY, plain.FREQUENT, plain.NEAREST]
    assert found.baselines[plain.NEAREST]["rougeL"].score > found.means[BASE]["rougeL"].score
    assert found.over_baselines[BASE][plain.NEAREST]["rougeL"].diff < 0


def test_baselines_and_perplexity_can_be_left_out(tmp_path, tiny_model):
    ctx = context(tmp_path, tiny_model)
    found = evaluate.run(recipe(baselines=False, perplexity=False), ctx).evaluation
    assert (found.baselines, found.over_baselines, found.perplexity) == ({}, {}, {})


def test_all_rows_can_be_asked_and_no_baseline_copies_from_them(tmp_path, tiny_model):
    ctx = context(tmp_path, tiny_model)
    found = evaluate.run(recipe(split="all"), ctx).evaluation
    assert len(found.rows) == 7
    assert list(found.baselines) == [plain.COPY]


def test_questions_that_were_learned_are_counted(tmp_path, tiny_model):
    ctx = context(tmp_path, tiny_model)
    assert evaluate.run(recipe(), ctx).evaluation.overlap is None
    ctx.learn("d")
    found = evaluate.run(recipe(split="all"), ctx).evaluation.overlap
    assert found.rows == (0, 1, 2, 3)
    assert (found.count, found.asked, found.compared) == (4, 7, 4)


def test_metric_that_does_not_exist_is_refused_before_a_model_answers(tmp_path, tiny_model):
    ctx = context(tmp_path, tiny_model)
    with pytest.raises(UserError, match="no metric named 'rouge9'"):
        evaluate.run(recipe(metrics=("rougeL", "rouge9")), ctx)
    assert ctx.said() == []
    assert not ctx.cache.exists()


def test_dataset_without_references_is_refused(tmp_path, tiny_model):
    ctx = Context(tmp_path / "job", tiny_model, [chat("a?", "b")], [])
    with pytest.raises(UserError, match="ask all of its rows"):
        evaluate.run(recipe(), ctx)


def test_digest_of_a_replaced_weight_file_changes_though_size_and_time_are_kept(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    weights = folder / "model.safetensors"
    weights.write_bytes(b"a" * (answer_cache.SMALL_BYTES + 1))
    old, kept = answer_cache.Digests(tmp_path / "cache"), weights.stat()
    first = old.of(folder)
    old.save()
    other = tmp_path / "other"
    other.write_bytes(b"b" * (answer_cache.SMALL_BYTES + 1))
    os.utime(other, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    other.replace(weights)
    assert weights.stat().st_mtime_ns == kept.st_mtime_ns
    assert answer_cache.Digests(tmp_path / "cache").of(folder) != first
