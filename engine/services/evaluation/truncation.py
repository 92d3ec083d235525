"""Answers that were cut at the longest length: what a model would have said next has no score."""

from collections.abc import Mapping

from engine.core.evaluation import Evaluation


def said(found: Evaluation, names: Mapping[str, str]) -> list[str]:
    """A sentence for each model some of whose answers were cut, in the order of the models."""
    longest = found.decoding.get("max_new_tokens", "?")
    sentences = []
    for model in found.models:
        cut = sum(row.outputs[model].cut for row in found.rows if model in row.outputs)
        if cut:
            which = f"{cut} of {len(found.rows)} answers of {names.get(model, model)}"
            verb = "was" if cut == 1 else "were"
            sentences.append(
                f"{which} {verb} cut at {longest} tokens; what would have followed is not scored."
            )
    return sentences
