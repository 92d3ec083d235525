"""Models between two adapters: the weighted sum is exact, and what it cannot keep is refused."""

import json

import pytest

from engine.core.errors import UserError
from engine.core.job_context import ModelFiles
from engine.core.model import Model
from engine.models import interpolate

pytestmark = pytest.mark.train

STRENGTHS = (0.0, 0.25, 0.5, 1.0, 1.5)
# of rank, scale and place: the sum holds for any two of them
START = {"r": 8, "lora_alpha": 7, "use_rslora": True, "target_modules": "all-linear"}
TRAINED = {"r": 4, "lora_alpha": 32, "target_modules": ["q_proj", "v_proj"]}


def adapter(base, folder, seed, **options):
    """A random LoRA adapter of `base` with these options."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        lora = LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **options)
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).save_pretrained(folder)
    return known(base, folder)


def known(base, folder=None):
    name = folder.name if folder else "base"
    kind = "adapter" if folder else "base"
    model = Model(id=name, name=name, kind=kind, source="trained", path="", created_at=0.0)
    return ModelFiles(model, base, folder)


def merged(files, adapter_folder=None):
    """All weights of a model in float32, the adapter added."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(files.base, dtype=torch.float32)
    place = adapter_folder or files.adapter
    return PeftModel.from_pretrained(model, place).merge_and_unload() if place else model


def logits(model):
    import torch

    with torch.no_grad():
        return model(input_ids=torch.arange(40)[None] + 40).logits


def combined(start, trained, folder):
    folders = {each: folder / f"at-{n}" for n, each in enumerate(STRENGTHS)}
    interpolate.combine(start, trained, folders)
    return folders


@pytest.mark.parametrize("fresh", [False, True], ids=["from an adapter", "from a base"])
def test_weights_lie_on_the_line_between_start_and_trained(fresh, tiny_model, tmp_path):
    import torch

    start = known(tiny_model) if fresh else adapter(tiny_model, tmp_path / "start", 1, **START)
    trained = adapter(tiny_model, tmp_path / "trained", 2, **TRAINED)
    folders = combined(start, trained, tmp_path)
    ends = merged(start), merged(trained)
    for strength, folder in folders.items():
        found = merged(trained, folder)
        for now, first, last in zip(
            found.parameters(), *(end.parameters() for end in ends), strict=True
        ):
            expected = (1 - strength) * first + strength * last
            torch.testing.assert_close(now, expected, rtol=0, atol=2e-6)
    for strength, end in zip((0.0, 1.0), ends, strict=True):
        found = logits(merged(trained, folders[strength]))
        torch.testing.assert_close(found, logits(end), rtol=0, atol=1e-4)
    assert (logits(ends[0]) - logits(ends[1])).abs().max() > 0.1


def test_sum_of_adapters_of_a_base_in_bfloat16_is_not_rounded(tiny_model, tmp_path):
    import shutil

    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    base = tmp_path / "half"
    shutil.copytree(tiny_model, base)
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    start = adapter(base, tmp_path / "start", 1, **START)
    trained = adapter(base, tmp_path / "trained", 2, **TRAINED)
    folder = combined(start, trained, tmp_path)[0.25]
    stored = load_file(folder / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float32}


def test_combined_adapter_names_no_path_of_this_machine(tiny_model, tmp_path):
    start = adapter(tiny_model, tmp_path / "start", 1, **START)
    trained = adapter(tiny_model, tmp_path / "trained", 2, **TRAINED)
    folder = combined(start, trained, tmp_path)[0.5]
    text = (folder / "adapter_config.json").read_text()
    assert str(tmp_path) not in text
    config = json.loads(text)
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (12, 12, False)
    assert {path.name for path in folder.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("use_dora", True),
        ("bias", "all"),
        ("lora_bias", True),
        ("modules_to_save", ["lm_head"]),
        ("rank_pattern", {"q_proj": 2}),
        ("trainable_token_indices", [3]),
        ("target_parameters", ["mlp.weight"]),
        ("option_of_a_later_version", {"on": True}),
    ],
)
def test_option_that_a_sum_does_not_keep_is_refused(option, value, tmp_path):
    start, trained = (written(tmp_path, name) for name in ("start", "trained"))
    interpolate.check(start, trained)
    odd = written(tmp_path, "odd", **{option: value})
    for ends in ((odd, trained), (start, odd)):
        with pytest.raises(UserError, match=option):
            interpolate.check(*ends)


def test_models_without_a_common_base_or_an_adapter_are_refused(tmp_path):
    start, trained = (written(tmp_path, name) for name in ("start", "trained"))
    interpolate.check(known(tmp_path), trained)
    with pytest.raises(UserError, match="is no LoRA adapter"):
        interpolate.check(start, known(tmp_path))
    with pytest.raises(UserError, match="different bases"):
        interpolate.check(start._replace(base=tmp_path / "other"), trained)
    with pytest.raises(UserError, match="not LoRA"):
        interpolate.check(start, written(tmp_path, "other", peft_type="IA3"))
    with pytest.raises(UserError, match="two ways"):
        interpolate.check(start, written(tmp_path, "pattern", target_modules=".*q_proj"))
    with pytest.raises(UserError, match="different layers"):
        interpolate.check(start, written(tmp_path, "first", layers_to_transform=[0]))
    (trained.adapter / "adapter_config.json").write_text("[")
    with pytest.raises(UserError, match="no readable adapter_config"):
        interpolate.check(start, trained)


def written(folder, name, **options):
    """An adapter of which only the configuration is there."""
    (folder / name).mkdir()
    config = {"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"], "bias": "none", **options}
    (folder / name / "adapter_config.json").write_text(json.dumps(config))
    return known(folder, folder / name)
