"""Every option changes something, or is refused with the reason."""

import importlib
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from engine import plugins
from engine.core import recipe as recipes
from engine.core.errors import UserError
from engine.core.recipe import TrainRecipe
from engine.methods import dpo, kto, refused_options, sft, tpo, training
from engine.methods.rewarded import grpo, reward, rloo
from tests.methods.fake_context import BASE, MemoryContext, chats, marks, pairs, prompts

pytestmark = pytest.mark.train
STARTERS = Path(recipes.__file__).parents[1] / "recipes"
METHODS = {m.Recipe.KIND: m for m in (sft, dpo, kto, tpo, reward, rloo, grpo)}
ROWS = {
    "sft": chats, "dpo": pairs, "kto": marks, "tpo": pairs, "reward": pairs, "rloo": prompts,
    "grpo": prompts,
}  # fmt: skip
LORA = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
NEEDED = {"rloo": {"reward": "shorter"}, "grpo": {"reward": "shorter"}}


def in_proof(*cases):
    """Further cases that only `make proof` tries; each is a training."""
    each = (case if isinstance(case, tuple) else (case,) for case in cases)
    return [pytest.param(*case, marks=pytest.mark.proof) for case in each]


def recipe(kind, **values):
    given = {"model": BASE, "dataset": "d", "learning_rate": 5e-3, "samples": 0, "max_steps": 2}
    return METHODS[kind].Recipe(**{**given, **NEEDED.get(kind, {}), **values})


def losses(kind, base, folder, **values):
    """The losses of two steps and what is left of the weights: two equal runs give equal ones."""
    from safetensors.torch import load_file

    ctx = MemoryContext(folder, base, ROWS[kind](12))
    METHODS[kind].run(recipe(kind, **values), ctx)
    weights = load_file(next(ctx.folder.glob("*/*.safetensors")))
    return ctx.metrics("loss"), float(sum(abs(w.float()).sum() for w in weights.values()))


@pytest.fixture(scope="module")
def plain(tiny_model, tmp_path_factory):
    """The losses of a run with the defaults, worked out once a method."""
    known = {}

    def of(kind, **values):
        key = kind, str(values)
        if key not in known:
            known[key] = losses(kind, tiny_model, tmp_path_factory.mktemp(kind), **values)
        return known[key]

    return of


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("sft", {"tuning": "full"}),
        ("sft", {"tuning": "qlora"}),
        ("sft", {"seed": 1}),
        ("sft", {"per_device_train_batch_size": 3}),
        ("sft", {"max_length": 28}),
        ("sft", {"num_train_epochs": 3, "max_steps": None}),
        ("dpo", {"beta": 0.5}),
        ("dpo", {"loss_type": ["ipo"]}),
        ("dpo", {"loss_weights": [1, 1]}),
        ("kto", {"beta": 0.5}),
        ("kto", {"loss_type": "apo_zero_unpaired"}),
        ("kto", {"desirable_weight": 2}),
        ("kto", {"undesirable_weight": 2}),
        ("tpo", {"beta": 0.5}),
        ("tpo", {"loss_type": "tpo-l"}),
        ("tpo", {"tpo_alpha": 0.5}),
        ("reward", {"center_rewards_coefficient": 1}),
        ("rloo", {"reward": "overlap"}),
        ("rloo", {"num_generations": 2}),
        ("rloo", {"max_completion_length": 4}),
        ("rloo", {"temperature": 0.5}),
        ("rloo", {"beta": 1}),
        ("grpo", {"beta": 1}),
    ],
    ids=str,
)
def test_every_setting_of_a_recipe_changes_the_run(kind, values, plain):
    assert plain(kind, **values) != plain(kind)


@pytest.mark.parametrize(
    "change",
    [
        {"r": 8},
        {"lora_alpha": 32},
        {"target_modules": ["q_proj"]},
        {"use_dora": True},
        {"init_lora_weights": "gaussian"},
        {"init_lora_weights": "pissa"},
        *in_proof(
            {"exclude_modules": ["q_proj"]},
            {"lora_dropout": 0.5},
            {"use_rslora": True},
            {"init_lora_weights": "orthogonal"},
            {"init_lora_weights": "mica"},
            {"init_lora_weights": "pissa_niter_4"},
            {"init_lora_weights": "olora"},
            {"rank_pattern": {"q_proj": 2}},
            {"alpha_pattern": {"q_proj": 64}},
            {"modules_to_save": ["lm_head"]},
        ),
    ],
    ids=str,
)
def test_every_option_of_lora_changes_the_run(change, plain):
    assert plain("sft", lora={**LORA, **change}) != plain("sft", lora=LORA)


@pytest.mark.parametrize(
    ("kind", "trl", "more"),
    [
        ("sft", {"loss_type": "dft"}, {}),
        ("sft", {"optim": "sgd"}, {}),
        ("sft", {"gradient_accumulation_steps": 2}, {}),
        ("dpo", {"use_weighting": True}, {"loss_type": ["sigmoid"]}),
        ("grpo", {"scale_rewards": "none"}, {}),
        *in_proof(
            ("sft", {"neftune_noise_alpha": 50}, {}),
            ("sft", {"weight_decay": 0.9}, {}),
            ("sft", {"lr_scheduler_type": "constant"}, {}),
            ("sft", {"warmup_steps": 2}, {}),
            ("dpo", {"f_divergence_type": "forward_kl"}, {}),
        ),
    ],
    ids=str,
)
def test_option_of_trl_changes_the_run(kind, trl, more, plain):
    assert plain(kind, trl=trl, **more) != plain(kind, **more)


@pytest.mark.parametrize("start", ["pissa", "olora"])
def test_adapter_taken_out_of_the_base_is_saved_for_the_unchanged_base(start, tiny_model, tmp_path):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ctx = MemoryContext(tmp_path, tiny_model, chats(12))
    sft.run(recipe("sft", lora={**LORA, "init_lora_weights": start}), ctx)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    ids = torch.arange(60, 90).unsqueeze(0)
    with torch.no_grad():
        before = base(input_ids=ids).logits
        model = PeftModel.from_pretrained(base, str(ctx.folder / "adapter"))
        with model.disable_adapter():
            assert torch.equal(model(input_ids=ids).logits, before)
        assert not torch.allclose(model(input_ids=ids).logits, before, atol=1e-3)
    assert not (ctx.folder / "start").exists()


@pytest.mark.parametrize("name", sorted(refused_options.IDLE))
def test_option_without_a_place_is_refused_before_a_model_is_loaded(name, tiny_model, tmp_path):
    import trl

    kind = next((k for k in METHODS if name in {f.name for f in fields(config(trl, k))}), None)
    assert kind, f"no configuration of TRL has {name} any more"
    with pytest.raises(UserError, match=f"{name} has no place here"):
        check(tmp_path, kind, trl={name: getattr(config(trl, kind)("x", use_cpu=True), name)})


def config(trl, kind):
    if kind == "tpo":
        trl = importlib.import_module("trl.experimental.tpo")
    name = {"sft": "SFT", "dpo": "DPO", "kto": "KTO", "reward": "Reward"}.get(kind, kind.upper())
    return getattr(trl, f"{name}Config")


def check(folder, kind, **values):
    import trl

    chosen = recipe(kind, **values)
    refused_options.check(chosen, *training.settings(config(trl, kind), chosen, folder))


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        ("dpo", {"trl": {"discopop_tau": 0.1}}, "only with loss_type: discopop"),
        ("tpo", {"trl": {"tpo_l_gamma": 0.1}}, "only with loss_type: tpo-l"),
        ("dpo", {"trl": {"precompute_ref_batch_size": 2}}, "precompute_ref_log_probs: true"),
        ("dpo", {"trl": {"sync_ref_model": True}}, "the reference is the base itself"),
        ("dpo", {"trl": {"use_weighting": True}}, "TRL 1.16 fails at it with the loss sft"),
        ("dpo", {"lora": {"lora_dropout": 0.1}}, "switches dropout off"),
        ("dpo", {"lora": {"init_lora_weights": "pissa"}}, "it moves weights out of the base"),
        ("sft", {"lora": {"init_lora_weights": "eva"}}, "needs a pass over the data"),
        (
            "sft",
            {"lora": {"init_lora_weights": "loftq", "loftq_config": {"loftq_bits": 4}}},
            "fits only",
        ),
        ("sft", {"tuning": "qlora", "lora": {"init_lora_weights": "olora"}}, "4-bit weights"),
        ("sft", {"lora": {"bias": "all"}}, "the base could not be had back"),
        ("sft", {"lora": {"lora_bias": True}}, "can't be merged"),
        ("sft", {"lora": {"task_type": "SEQ_CLS"}}, "the method decides"),
        ("sft", {"lora": {"fan_in_fan_out": True}}, "PEFT sets it itself"),
        ("kto", {"trl": {"train_sampling_strategy": "random"}}, "compared with the others"),
        ("rloo", {"trl": {"train_sampling_strategy": "random"}}, "an order of TRL's own"),
        ("grpo", {"trl": {"vllm_server_port": 1}}, "use_vllm is off"),
        ("grpo", {"trl": {"vespo_k_pos": 1}}, "only with loss_type: vespo"),
    ],
    ids=str,
)
def test_option_is_refused_with_its_reason(kind, values, reason, tmp_path):
    with pytest.raises(UserError, match=reason):
        check(tmp_path, kind, **values)


def test_trl_refusal_of_a_setting_is_a_sentence(tiny_model, tmp_path):
    ctx = MemoryContext(tmp_path, tiny_model, pairs(4))
    aot = recipe("dpo", loss_type=["aot"], trl={"use_weighting": True})
    _, make = dpo.prepare(aot, ctx)
    with pytest.raises(UserError, match="TRL refuses these settings"):
        make([])


@pytest.mark.parametrize("kind", METHODS)
def test_starter_recipe_holds_the_defaults(kind):
    values = yaml.safe_load((STARTERS / f"{kind}.yaml").read_text())
    assert values.pop("kind") == kind
    method = METHODS[kind].Recipe
    required = {name for name, field in method.model_fields.items() if field.is_required()}
    assert recipes.read(method, values) == method(**{name: values[name] for name in required})


@pytest.mark.parametrize("kind", METHODS)
def test_every_curated_name_exists_upstream(kind):
    import trl

    names = training.curated(recipe(kind)).keys()
    assert names <= {field.name for field in fields(config(trl, kind))}


def test_every_method_says_what_it_learns_from():
    for kind in plugins.names("jobs"):
        found = plugins.load("jobs", kind).Recipe
        if issubclass(found, TrainRecipe):
            assert found.LEARNS, kind
