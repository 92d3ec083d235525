"""How a model's chat template reads the rows of a dataset, as counts with row numbers."""

from pydantic import BaseModel, ConfigDict

from engine.core.finding import Finding, Severity

SHOWN = 20  # row numbers kept of each count
SHOWN_TAGS = 60  # characters of what a template writes before an answer


class CountedRows(BaseModel):
    """How many rows, and the numbers of the first ones."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    rows: tuple[int, ...] = ()


class TemplateUse(BaseModel):
    """How many rows, and which, a template does not read as they are given.

    `unlearned_answers` of `answers` carry no loss, because the template renders them otherwise
    once they are followed by further turns; `unlearned` are the rows that hold them.
    `context_answers` have the weight 0 in the data and are none of `answers`.

    `refused` rows cannot be rendered, `refusal` is the template's reason for the first one.
    `system_moved` rows have their system text in the first user turn, as the template takes no
    system role. `inserted` is what the template writes before answers `without_reasoning`.
    """

    model_config = ConfigDict(frozen=True)

    rows: int = 0  # looked at
    answers: int = 0
    unlearned_answers: int = 0
    context_answers: int = 0
    unlearned: CountedRows = CountedRows()
    refused: CountedRows = CountedRows()
    refusal: str = ""
    system_moved: CountedRows = CountedRows()
    without_reasoning: CountedRows = CountedRows()
    with_reasoning: CountedRows = CountedRows()
    inserted: str = ""
    split: bool = False  # each of these answers was learned in a row of its own

    @property
    def reasons(self) -> bool:
        """Whether most rows hold reasoning before their answer."""
        return self.with_reasoning.count * 2 > self.rows - self.refused.count > 0

    def findings(self) -> list[Finding]:
        """The same as findings, the gravest first; none where the template reads rows as given."""
        return [*self._refused(), *self._unlearned(), *self._moved(), *self._inserted()]

    def _refused(self) -> list[Finding]:
        every = self.refused.count == self.rows
        return _finding(
            "template_refuses_rows",
            "error" if every else "warning",
            self.refused,
            f"cannot be written in the chat template of this model and "
            f"{_are(self.refused)} left out of a training: {self.refusal}",
            "Correct the order of their roles, remove them, or choose another model.",
        )

    def _unlearned(self) -> list[Finding]:
        answers = _counted(self.unlearned_answers, "earlier answer")
        if self.split:
            return _finding(
                "answers_split",
                "info",
                self.unlearned,
                f"with {answers} that the chat template shows otherwise once they are followed by "
                "further turns: each answer is learned in a row of its own",
                "",
            )
        return _finding(
            "answers_without_loss",
            "warning",
            self.unlearned,
            f"with {answers} of {self.answers:,} that carry no loss: the chat template shows them "
            "otherwise once they are followed by further turns, so only the last answer is learned",
            "Set split_answers in the training: each answer is then learned in a row of its own.",
        )

    def _moved(self) -> list[Finding]:
        return _finding(
            "system_in_user_turn",
            "info",
            self.system_moved,
            "with a system text in the first user turn: the chat template has no system role",
            "Training and answers both place it there, before the first question.",
        )

    def _inserted(self) -> list[Finding]:
        tags = " ".join(self.inserted.split())[:SHOWN_TAGS]
        return _finding(
            "reasoning_inserted",
            "info",
            self.without_reasoning,
            f"without reasoning: the chat template writes {tags} before their answers, "
            "which carries no loss",
            "Tuned on such rows, the model answers without reasoning. To keep its reasoning, write "
            "it between <think> and </think> before the answers.",
        )


def _finding(
    name: str, severity: Severity, rows: CountedRows, message: str, hint: str
) -> list[Finding]:
    if not rows.count:
        return []
    whole = f"{_counted(rows.count, 'row')} {message.rstrip('.')}."
    return [
        Finding(
            id=name, severity=severity, count=rows.count, rows=rows.rows, message=whole, hint=hint
        )
    ]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _are(rows: CountedRows) -> str:
    return "is" if rows.count == 1 else "are"
