"""BERTScore: how near the words of answer and reference lie to one another inside a model.

The model is a folder that a person put into `models` of the data folder, named and never a path:
a web page must not have files opened anywhere else. Nothing is fetched.
"""

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from engine.core.errors import UserError
from engine.core.extras import install_command
from engine.core.json_object import JsonObject, number_in
from engine.core.score import Scores, described
from engine.metrics.input_check import References, check

Metric = Callable[[Sequence[str], References], Scores]
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
KINDS = (
    "bert", "roberta", "xlm-roberta", "distilbert", "electra", "deberta", "deberta-v2", "mpnet",
    "camembert",
)  # fmt: skip
# bert_score's own choices, by how well each layer agreed with people; of others about 3/4 deep
LAYERS = {
    "bert-base-uncased": 9,
    "bert-large-uncased": 18,
    "bert-base-multilingual-cased": 9,
    "roberta-base": 10,
    "roberta-large": 17,
    "distilbert-base-uncased": 5,
    "distilroberta-base": 5,
    "xlm-roberta-base": 9,
    "xlm-roberta-large": 17,
}
PAIRS = 64  # at once: bert_score keeps the vectors of all words of what it is given
EXAMPLE = "Write for example bertscore:roberta-large@17."

MISSING = (
    "BERTScore is not available. Install tuneloop[bertscore] and put a model such as roberta-large "
    "into the folder models of the data folder."
)


class Chosen(NamedTuple):
    """A folder and the layer whose vectors are compared, counted from 1."""

    folder: Path
    layer: int

    @property
    def name(self) -> str:
        """As a metric is asked for it."""
        return f"{self.folder.name}@{self.layer}"


@described(
    "BERTScore",
    "meaning",
    "How near the words of answer and reference are in meaning, as a language model sees "
    "them. Forgives other words; even unlike texts score high, so only differences tell.",
)
def bertscore(argument: str) -> Metric:
    """A metric: BERTScore F1 by the model of `argument`, "NAME" or "NAME@LAYER".

    The best over a row's references, not rescaled, every word alike (no idf), 0 where a text is
    empty and where the F1 is below 0. Longer texts are cut to what the model reads. UserError
    where the extra or the model is missing. Source: Zhang et al. 2020, arXiv:1904.09675.
    """
    chosen = _chosen(argument)
    if find_spec("bert_score") is None:
        raise UserError(
            "The library of BERTScore is not installed here.",
            f"Install the extra: {install_command('bertscore')}.",
        )

    def metric(predictions: Sequence[str], references: References) -> Scores:
        check(predictions, references)
        each = _best(chosen, predictions, references)
        return Scores(overall=fmean(each), each=each, signature=_signature(chosen))

    return metric


def offered() -> list[str]:
    """What can be asked for here, as "bertscore:NAME@LAYER"; nothing where the extra is missing."""
    if find_spec("bert_score") is None or not _home().is_dir():
        return []
    found = []
    for folder in sorted(_home().iterdir()):
        config = _config(folder)
        if NAME.fullmatch(folder.name) and config.get("model_type") in KINDS:
            found.append(f"bertscore:{Chosen(folder, _usual(folder.name, config)).name}")
    return found


vars(bertscore).update(offered=offered, MISSING=MISSING)


def _home() -> Path:
    """Where the data folder keeps models; `engine.workspace` reads the same variable."""
    return Path(os.environ.get("TUNELOOP_HOME", ".tuneloop")) / "models"


def _chosen(argument: str) -> Chosen:
    name, _, layer = argument.strip().partition("@")
    if not name:
        raise UserError("The metric bertscore needs the name of a model.", EXAMPLE)
    folder = _home() / name
    if not NAME.fullmatch(name) or not (folder / "config.json").is_file():
        raise UserError(
            f"There is no model {name!r} for BERTScore.",
            f"Put its folder, with config.json and model.safetensors, into {_home()}.",
        )
    config = _config(folder)
    if config.get("model_type") not in KINDS:
        raise UserError(f"{name} is no model for BERTScore.", f"It takes: {', '.join(KINDS)}.")
    deepest = _depth(config)
    wanted = layer or str(_usual(name, config))
    if not wanted.isdecimal() or not 1 <= int(wanted) <= deepest:
        raise UserError(f"{name} has no layer {wanted!r}.", f"Choose one from 1 to {deepest}.")
    return Chosen(folder, int(wanted))


def _config(folder: Path) -> JsonObject:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _depth(config: JsonObject) -> int:
    return int(number_in(config, "num_hidden_layers", number_in(config, "n_layers", 1))) or 1


def _usual(name: str, config: JsonObject) -> int:
    return LAYERS.get(name) or max(1, round(0.75 * _depth(config)))


def _best(chosen: Chosen, predictions: Sequence[str], references: References) -> tuple[float, ...]:
    """The best F1 of each row, inside 0 to 1."""
    pairs = [
        (row, prediction, text)
        for row, (prediction, accepted) in enumerate(zip(predictions, references, strict=True))
        for text in accepted
        if prediction.strip() and text.strip()
    ]
    best = [0.0] * len(predictions)
    for (row, _, _), score in zip(pairs, _scores(chosen, pairs), strict=True):
        best[row] = max(best[row], min(1.0, score))
    return tuple(best)


def _scores(chosen: Chosen, pairs: Sequence[tuple[int, str, str]]) -> Iterator[float]:
    """bert_score's F1 of each pair, in order."""
    if not pairs:
        return
    from bert_score.utils import bert_cos_score_idf

    model, tokenizer = _load(chosen)
    weights: dict[int, float] = defaultdict(lambda: 1.0)
    weights[tokenizer.sep_token_id] = weights[tokenizer.cls_token_id] = 0.0
    for start in range(0, len(pairs), PAIRS):
        part = pairs[start : start + PAIRS]
        answers, right = [pair[1] for pair in part], [pair[2] for pair in part]
        found = bert_cos_score_idf(
            model, right, answers, tokenizer, weights, batch_size=PAIRS, device=str(model.device)
        )
        yield from found[:, 2].tolist()


@lru_cache(maxsize=1)  # every model of an evaluation is scored with the same
def _load(chosen: Chosen) -> tuple[Any, Any]:
    """The model up to its layer, and the tokenizer.

    Not with bert_score's own loader: it takes a path that holds "t5" for a T5 model.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(chosen.folder, local_files_only=True)
    if tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise UserError(
            f"The tokenizer of {chosen.folder.name} marks no beginning and end of a text.",
            "Choose another model for BERTScore.",
        )
    model: Any = AutoModel.from_pretrained(
        chosen.folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    places = int(model.config.max_position_embeddings)
    if tokenizer.model_max_length > places:  # often not written down; RoBERTa keeps two places
        tokenizer.model_max_length = places - 2
    stack = model.encoder if hasattr(model, "encoder") else model.transformer
    stack.layer = stack.layer[: chosen.layer]
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def _signature(chosen: Chosen) -> str:
    libraries = "|".join(f"{name}:{version(name)}" for name in ("bert-score", "transformers"))
    return f"bertscore|f1|model:{chosen.name}|refs:best|rescale:no|idf:no|{libraries}"
