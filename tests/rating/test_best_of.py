"""The arm "best of 4" and the head as a predictor: planned before the votes, and chosen by it."""

import pytest

from engine.core.actor import LOCAL
from engine.core.errors import NotFound, UserError
from engine.core.rating import Candidate, Comparison
from engine.core.reward_head import RewardHead
from engine.jobs import answerers, generate, head_scores
from engine.models import weights_file
from engine.models.answer import Reply
from engine.services.jobs import lifecycle
from engine.services.loop import champion
from engine.services.loop import weak_part as weak
from engine.services.models import registry
from engine.services.rating import comparisons, predictors, rounds
from engine.services.rating.plans import RoundRecipe
from engine.store.connect import writing
from tests import helpers
from tests.loop import loop_in_tables as lines
from tests.methods.fake_context import BASE, MemoryContext, prompts, user
from tests.rating.test_reward_heads import learned
from tests.rating.votes_in_tables import filled, shown


@pytest.fixture
def project(ws):
    return helpers.project(ws)


@pytest.fixture
def sft(ws, project, tmp_path):
    base = helpers.model(ws, tmp_path)
    made = lines.trained(ws, project, "sft", base, "sft")
    filled(ws, project.id, (made, made))
    return made


@pytest.fixture
def source(ws, project, tmp_path):
    return helpers.dataset(ws, project.id, tmp_path, rows=80)


def started(ws, project, model, source, **values):
    given = {"purpose": "blind_eval", "model": model.id, "dataset": source.id, "prompts": 10}
    recipe = RoundRecipe(**{**given, **values})
    return rounds.start(ws, LOCAL, project.id, recipe, anyway=True)


def test_best_of_is_an_arm_of_its_own_against_its_own_model(ws, project, sft, source):
    job = learned(ws, project)
    one = started(ws, project, sft, source, best_of=4)
    assert one.arm_base == sft.id
    assert one.arm_new not in (sft.id, None)
    assert (one.plan.best_of, one.plan.best_of_model) == (4, sft.id)
    assert (one.plan.head, one.plan.head_sha256) == (job.id, job.result.sha256)
    recipe = lifecycle.get(ws, LOCAL, one.job_id).recipe
    assert (recipe["model_new"], recipe["arm"]) == (sft.id, one.arm_new)
    assert (recipe["best_of"], recipe["head"]) == (4, job.id)
    (arm,) = registry.outside(ws, LOCAL, project.id)
    assert (arm.id, arm.name) == (one.arm_new, "sft@best-of-4")
    assert started(ws, project, sft, source, best_of=4, seed=2).arm_new == arm.id
    assert arm.id not in {each.id for each in registry.list_all(ws, LOCAL, project.id)}
    with pytest.raises(NotFound):
        champion.promote(ws, LOCAL, project.id, arm.id)


def test_best_of_may_collect_preferences_against_the_model_itself(ws, project, sft, source):
    learned(ws, project)
    one = started(ws, project, sft, source, best_of=4, purpose="train_pairs")
    assert one.plan.samples == 2


@pytest.mark.parametrize("values", [{"best_of": 4}, {"predictor": "head", "further": 5}])
def test_refused_head_neither_chooses_nor_predicts(ws, project, sft, source, values):
    values["baseline"] = sft.base_id
    with pytest.raises(UserError, match="no reward head"):
        started(ws, project, sft, source, **values)
    learned(ws, project, refused="chance", sha256="")
    with pytest.raises(UserError, match="no reward head"):
        started(ws, project, sft, source, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"purpose": "aa_control"},
        {"purpose": "train_pairs", "mode": "single"},
        {"purpose": "train_pairs", "answers": 3, "samples": 4},
    ],
)
def test_best_of_is_refused_where_something_else_is_compared(ws, project, sft, source, values):
    learned(ws, project)
    with pytest.raises(UserError):
        started(ws, project, sft, source, best_of=4, **values)


def test_predictor_reads_the_scores_from_the_side_of_the_new_model(ws, project, sft, source):
    learned(ws, project)
    one = started(ws, project, sft, source, baseline=sft.base_id, predictor="head", further=5)
    assert one.plan.head
    answers = tuple(
        helpers.candidate(arm, n, f"{n} {arm}").model_copy(update={"score": score})
        for n in range(15)
        for arm, score in ((one.arm_new, 2.0), (one.arm_base, 0.5))
    )
    with writing(ws.db) as conn:
        comparisons.open_with(conn, one.id, answers)
    every = shown(ws, one)
    assert {pair.kind for pair in every} == {"normal", "further"}
    leads = {predictors._pair(one, pair).lead for pair in every}
    assert leads == {1.5}
    (found,) = set(predictors.RULES["head"]([predictors._pair(one, pair) for pair in every]))
    assert found == pytest.approx(0.6351, abs=1e-4)


def test_predictor_of_answers_without_a_score_says_even():
    pair = Comparison(id="p", round_id="r", position=0, prompt=user("?"), answer_a="a",
                      answer_b="b", model_a="new", model_b="old")  # fmt: skip
    found = predictors._Pair(pair.answer_a, pair.answer_b, ())
    assert predictors.RULES["head"]([found]) == [0]


class Headed(MemoryContext):
    head: RewardHead

    def reward_head(self, job_id):
        assert job_id == "job-head"
        return self.head


@pytest.fixture
def ctx(tiny_model, tmp_path):
    made = Headed(tmp_path / "job", tiny_model, prompts(3))
    made.head = RewardHead(
        base=BASE, base_fingerprint=weights_file.sampled(tiny_model), weights=(1.0,),
        rounds=("r",), votes=("v",), votes_sha256="s",
    )  # fmt: skip
    return made


def test_best_of_shows_the_finished_answer_that_the_head_prefers(ctx, monkeypatch):
    asked = []

    class Writer:
        def answer(self, files, prompts, *, max_new_tokens, temperature, seed, done):
            asked.append((temperature, seed))
            done(len(prompts))
            cut = seed == 1001 + 2
            return [Reply(f"text of {seed}", 3, not cut, 0.1) for _ in prompts]

    monkeypatch.setattr(answerers, "load", lambda *_: Writer())
    monkeypatch.setattr(
        head_scores, "scores", lambda ctx, head, asked, texts: [float(t[-4:]) if len(t) > 9 else 0.0
                                                                for t in texts],
    )  # fmt: skip
    recipe = generate.Recipe(
        round="r", model_new=BASE, model_base=BASE, dataset="d", rows=(0, 1, 2), temperature=0,
        best_of=4, arm="arm", head="job-head",
    )  # fmt: skip
    found = generate.run(recipe, ctx).candidates
    assert [(each.model_id, each.seed) for each in found[:3]] == [("arm", 1004)] * 3
    assert [each.model_id for each in found[3:]] == [BASE] * 3
    assert asked == [(0.9, 1001), (0.9, 1002), (0.9, 1003), (0.9, 1004), (0, 2)]
    assert all(each.score is not None for each in found)


def test_best_of_takes_an_answer_that_was_cut_only_where_there_is_no_other():
    cut, short = (
        Candidate(prompt_no=0, prompt=user("?"), model_id="m", seed=n, text="t", finished=bool(n),
                  score=float(-n))
        for n in range(2)
    )  # fmt: skip
    assert max([cut, short], key=generate._preferred) is short
    assert max([cut], key=generate._preferred) is cut


@pytest.mark.train
def test_scores_need_the_very_weights_that_the_head_read(ctx):
    other = ctx.head.model_copy(update={"base_fingerprint": "other"})
    with pytest.raises(UserError, match="no longer those"):
        head_scores.scores(ctx, other, [user("?")], ["a"])
    with pytest.raises(UserError, match="does not fit"):
        head_scores.scores(ctx, ctx.head, [user("?")], ["a"])


@pytest.mark.parametrize(
    ("best", "taught", "words"),
    [
        ((40, 5), (10, 10), "the training is the weak part"),
        ((10, 10), (40, 5), "learned more than choosing"),
        ((40, 5), (38, 5), "Both are better"),
        ((10, 10), (11, 10), "Neither is shown"),
    ],
)
def test_weak_part_is_named_where_both_were_tested(
    ws, project, sft, source, monkeypatch, best, taught, words
):
    assert weak.weak_part(ws, LOCAL, project.id) == ""
    dpo = lines.trained(ws, project, "dpo", sft)
    lines.blind(ws, project, dpo, sft, *taught)
    chosen = lines.blind(ws, project, sft, registry.get(ws, LOCAL, sft.base_id), *best)
    assert weak.weak_part(ws, LOCAL, project.id) == ""
    listed = rounds.list_all

    def with_best_of(*given):
        plan = chosen.plan.model_copy(update={"best_of": 4})
        update = {"plan": plan, "arm_base": sft.id}
        return [r.model_copy(update=update) if r.id == chosen.id else r for r in listed(*given)]

    monkeypatch.setattr(weak.rounds, "list_all", with_best_of)
    assert words in weak.weak_part(ws, LOCAL, project.id)
