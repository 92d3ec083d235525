"""Any registered metric as a module of the evaluate library, without the network."""

from typing import Any

from engine.metrics.score import find


def as_evaluate(name: str) -> Any:
    """An evaluate.Metric whose `compute` returns {name: overall score, 0 to 1}.

    References may be one text or a list of texts a row. UserError for an unknown name. The class
    is used as it is: loading it through evaluate.load would copy it into a cache under the home.
    """
    import evaluate
    from datasets import Features, Sequence, Value

    metric = find(name)
    text = Value("string")

    class Module(evaluate.Metric):
        def _info(self) -> Any:
            return evaluate.MetricInfo(
                description=metric.__doc__ or name,
                citation="",
                inputs_description="predictions: texts; references: a text or texts a row",
                features=[
                    Features({"predictions": text, "references": Sequence(text)}),
                    Features({"predictions": text, "references": text}),
                ],
            )

        def _compute(self, predictions: list[str], references: list[Any]) -> dict[str, float]:
            rows = [[row] if isinstance(row, str) else row for row in references]
            return {name: metric(predictions, rows).overall}

    Module.__name__ = name.partition(":")[0]
    return Module(keep_in_memory=True)
