"""Rows -> how a chat template reads them, counted one by one."""

from collections.abc import Iterable

from engine.core.examples import Example, context_answers
from engine.core.template_use import SHOWN, CountedRows, TemplateUse
from engine.models.chat_template import Template
from engine.models.template_render import TemplateRefused


class TemplateTally:
    """Counts rows; `use` is what was counted so far."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._rows = self._answers = self._unlearned = self._context = 0
        self._reason = self._inserted = ""
        self._named: dict[str, list[int]] = {}
        self._counts: dict[str, int] = {}

    def add(self, example: Example, place: int = 0) -> bool:
        """Count a row, the `place`-th of its data; False where the template refuses it."""
        number = example.source_row or place
        self._rows += 1
        try:
            row = self._template.row_use(example)
        except TemplateRefused as error:
            self._reason = self._reason or error.reason
            self._count("refused", number)
            return False
        self._answers += row.answers
        self._context += context_answers(example)
        self._unlearned += row.unlearned
        self._inserted = self._inserted or row.inserted
        for name, counts in (
            ("unlearned", row.unlearned),
            ("system_moved", row.system_moved),
            ("without_reasoning", row.inserted),
            ("with_reasoning", row.reasoning),
        ):
            if counts:
                self._count(name, number)
        return True

    def use(self, split: bool = False) -> TemplateUse:
        """The counts; with `split` each unlearned answer has got a row of its own."""
        counted = {
            name: CountedRows(count=count, rows=tuple(self._named[name]))
            for name, count in self._counts.items()
        }
        return TemplateUse(
            rows=self._rows,
            answers=self._answers,
            unlearned_answers=self._unlearned,
            context_answers=self._context,
            refusal=self._reason,
            inserted=self._inserted,
            split=split,
            **counted,
        )

    def _count(self, name: str, number: int) -> None:
        self._counts[name] = self._counts.get(name, 0) + 1
        named = self._named.setdefault(name, [])
        if len(named) < SHOWN and number not in named:
            named.append(number)


def use_of(template: Template, examples: Iterable[Example]) -> TemplateUse:
    """How the template reads these rows."""
    tally = TemplateTally(template)
    for place, example in enumerate(examples, 1):
        tally.add(example, place)
    return tally.use()
