"""Metrics as people meet them: in groups by what the right answers are, with plain words."""

from collections.abc import Sequence
from typing import NamedTuple

from engine import plugins


class Metric(NamedTuple):
    """What a metric is called, and what it measures in a sentence a lay person can use."""

    name: str
    about: str


class Group(NamedTuple):
    """Metrics for one kind of answers, and when they are the right ones."""

    name: str
    about: str
    metrics: tuple[str, ...]


METRICS = {
    "bleu": Metric("BLEU", "How many runs of one to four words the answer shares with the "
                   "reference. Strict: a good answer in other words scores low."),
    "rouge1": Metric("ROUGE-1", "How many single words answer and reference share."),
    "rouge2": Metric("ROUGE-2", "How many pairs of neighbouring words they share."),
    "rougeL": Metric("ROUGE-L", "How much of the reference appears in the answer in the same "
                     "order, gaps allowed."),
    "meteor": Metric("METEOR", "Shared words, where word stems count as the same too, and their "
                     "order matters."),
    "exact_match": Metric("Exact match", "The share of answers that equal a reference, apart from "
                          "case, punctuation and articles. Signs and symbols such as C++ count."),
    "squad_exact_match": Metric("SQuAD exact match", "Exact match as SQuAD publishes it: no "
                                "punctuation counts, so 5 equals -5. For published figures."),
    "squad_f1": Metric("SQuAD F1", "Word F1 as SQuAD publishes it, for comparing with published "
                       "figures."),
    "chrf": Metric("chrF", "How many short runs of letters the answer shares with the reference. "
                   "Forgives other word endings, and works in every language."),
    "rougeLsum": Metric("ROUGE-Lsum", "As ROUGE-L, but line by line: for summaries of several "
                        "lines, whatever their order."),
    "token_f1": Metric("Word F1", "How many words answer and reference share, apart from case, "
                       "punctuation and articles. For short answers to questions."),
    "numeric_match": Metric("Number match", "The share of answers that end in the right number: "
                            "1,000 is 1000, and 3/4 is 0.75."),
    "accuracy": Metric("Accuracy", "The share of answers that are the right label. For datasets "
                       "whose answers are a few fixed words."),
    "macro_f1": Metric("Macro F1", "How well each label is found, rare labels counting as much as "
                       "common ones. For at most 200 labels."),
    "json_valid": Metric("Valid JSON", "The share of answers that are JSON from beginning to end. "
                         "It does not look at the reference."),
    "json_match": Metric("Same JSON", "The share of answers that say the same as the reference, "
                         "read as JSON; spacing and the order of names do not count."),
    "json_schema": Metric("JSON as the schema says", "The share of answers that are JSON and keep "
                          "to the schema you gave."),
    "edit_similarity": Metric("Edit similarity", "How few characters must change to turn the "
                              "answer into the reference."),
    "bertscore": Metric("BERTScore", "How near the words of answer and reference are in meaning, "
                        "as a language model sees them. Forgives other words; even unlike texts "
                        "score high, so only differences tell."),
    "repetition": Metric("No repetition", "How little an answer repeats itself. A guard: a fall "
                         "means loops, a high score does not mean a good answer."),
}  # fmt: skip
GROUPS = (
    Group("Labels", "The answer is one of a few fixed words", ("accuracy", "macro_f1")),
    Group("Numbers and short answers", "There is one right answer, a number or a few words",
          ("numeric_match", "exact_match", "token_f1", "squad_exact_match", "squad_f1")),
    Group("JSON", "Another program reads the answer", ("json_match", "json_valid")),
    Group("Texts", "Many answers would do; these count words in common with yours",
          ("rougeL", "bleu", "chrf", "meteor", "rouge1", "rouge2", "rougeLsum",
           "edit_similarity")),
    Group("Meaning", "Other words for the same count too; slow without a graphics card", ()),
    Group("Guards", "Watch over what a training may break", ("repetition",)),
)  # fmt: skip

NO_MEANING = (
    "BERTScore: none here. It needs the extra bertscore and a model such as roberta-large in the "
    "folder models of the data folder"
)


def groups() -> list[Group]:
    """Every metric that can be ticked, installed ones in a group of their own at the end.

    Always as many, since a page keeps a box for each.
    """
    known = {name for group in GROUPS for name in group.metrics}
    others = tuple(name for name in plugins.names("metrics") if name not in known)
    found = [_meaning(group) if group.name == "Meaning" else group for group in GROUPS]
    return [*found, *([Group("Installed here", "From other packages", others)] if others else [])]


def _meaning(group: Group) -> Group:
    """The group with what can be had here, or why there is nothing."""
    offered = tuple(plugins.load("metric_factories", "bertscore").offered())
    return group._replace(metrics=offered, about=group.about if offered else NO_MEANING)


def called(metric: str) -> str:
    """The usual spelling of a metric's name."""
    name, _, argument = metric.partition(":")
    if name == "bertscore" and argument:
        return f"{METRICS[name].name} ({argument})"  # another model is another measure
    return METRICS[name].name if name in METRICS else name.replace("_", " ")


def sorted_for(names: Sequence[str]) -> list[str]:
    """Each name once, guards after the others: the first is what people are told first."""
    once = list(dict.fromkeys(names))
    return sorted(once, key=lambda name: name in GROUPS[-1].metrics)
