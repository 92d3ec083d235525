"""Tokens are drawn from the same distribution as transformers draws from."""

import pytest

from engine.models import sampling
from engine.models.sampling import NucleusSampler, Sampling, pick_for

pytestmark = pytest.mark.train
TIMES = 40_000


def logits_of(kind, width=600):
    import torch

    numbers = torch.Generator().manual_seed(3)
    scale = {"peaked": 6.0, "usual": 2.5, "flat": 0.1}[kind]
    return scale * torch.randn(1, width, generator=numbers)


def wanted(logits, temperature):
    """The probabilities after transformers' own temperature and top-p."""
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    warmed = TemperatureLogitsWarper(temperature)(None, logits)
    return TopPLogitsWarper(sampling.TOP_P)(None, warmed).softmax(-1)[0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("kind", ["peaked", "usual", "flat"])
def test_tokens_come_as_often_as_in_transformers(kind, temperature):
    import torch
    from scipy.stats import chisquare

    logits = logits_of(kind)
    shares = wanted(logits, temperature).double()
    prompts = [[n] for n in range(TIMES)]
    draw = NucleusSampler(temperature, 7, prompts)
    drawn = torch.cat([draw(logits.expand(5000, -1), range(n, n + 5000))
                       for n in range(0, TIMES, 5000)])  # fmt: skip
    counts = torch.bincount(drawn, minlength=len(shares)).double()
    assert counts[shares == 0].sum() == 0
    common = shares * TIMES >= 10
    seen = torch.cat([counts[common], counts[~common].sum()[None]])
    due = torch.cat([shares[common], shares[~common].sum()[None]]) * TIMES
    kept = due > 0
    assert chisquare(seen[kept], due[kept] * seen.sum() / due.sum()).pvalue > 1e-3


def test_sampled_row_does_not_depend_on_its_batch():
    logits = logits_of("usual").expand(4, -1)
    prompts = [[1, 2], [3], [4, 5, 6], [7]]
    all_rows, two = NucleusSampler(1.0, 1, prompts), NucleusSampler(1.0, 1, prompts[1:3])
    for _ in range(20):
        together = all_rows(logits, range(4))
        assert together[1:3].tolist() == two(logits[:2], range(2)).tolist()


def test_cold_sample_is_the_likeliest_token(tiny_model):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    logits = logits_of("usual")
    for temperature in (1e-4, 1e-320):  # logits divided by the second are infinite
        cold = pick_for(model, [[1]], Sampling(4, temperature))(logits, [0])
        assert cold.tolist() == pick_for(model, [[1]], Sampling(4))(logits, [0]).tolist()
