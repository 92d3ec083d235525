"""What a job found, by its kind: the column `result` of its row, and of `--json`.

A result holds only what was found, so every field has a default and what is not set is not
written. A kind of an installed plug-in may store whatever it likes: the numbers of a training are
read as such, all else is kept as it is.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from engine.core.evaluation import Gain, Mean, Perplexity
from engine.core.export import Certificate, ExportedFile
from engine.core.json_object import JsonObject
from engine.core.learning_curve import LearningCurve
from engine.core.rating import tally_words
from engine.core.reward_head import Accuracy, Refusal, TeamPreference
from engine.core.template_use import TemplateUse


class JobResult(BaseModel):
    """What any job may have found; the ids are set as its outcome is stored."""

    model_config = ConfigDict(frozen=True, extra="allow")

    sentence: str = ""
    model_id: str | None = None
    evaluation_id: str | None = None
    evaluation_job_id: str | None = None  # the evaluation that was queued after a training
    left_out: dict[str, int] = {}  # comparisons of a round that nobody is shown, by reason

    @model_serializer(mode="wrap")
    def _only_set_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name: value for name, value in handler(self).items() if name in self._set_fields()}

    def _set_fields(self) -> set[str]:
        return self.model_fields_set | set(self.model_extra or {})


class TrainingResult(JobResult):
    """A training's numbers. Losses are in nats a token, memory in MB, times in seconds.

    Held-out numbers are None where nothing was held out. `held_out_...` belong to the state that
    was kept: the share of pairs told apart, the reward margin, the mean reward of its answers.
    `too_few_held_out`: too few to choose a state by, so the last one was kept.
    `bf16` and `on_gpu` say in which numbers and where it ran; None before that was stored.
    """

    first_train_loss: float | None = None
    last_train_loss: float | None = None
    best_train_loss: float | None = None
    first_held_out_loss: float | None = None
    last_held_out_loss: float | None = None
    best_held_out_loss: float | None = None
    best_step: int | None = None
    overfit: bool = False
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    tokens_per_s: float = 0.0
    stopped_at: int | None = None
    stopped_by: str | None = None
    peak_memory_mb: float | None = None
    peak_gpu_memory_mb: float | None = None
    held_out_accuracy: float | None = None
    held_out_margin: float | None = None
    held_out_reward: float | None = None
    first_held_out_accuracy: float | None = None
    first_held_out_margin: float | None = None
    first_held_out_reward: float | None = None
    first_reward: float | None = None
    last_reward: float | None = None
    rows: int = 0
    held_out_rows: int = 0
    too_few_held_out: bool = False
    dropped: int = 0
    truncated: int = 0
    bf16: bool | None = None
    on_gpu: bool | None = None
    template: TemplateUse = TemplateUse()


class EvaluationResult(JobResult):
    """The means of an evaluation; its answers lie in a file of their own. Keys: model, metric.

    `regressed` are the messages of regression checks that failed (`fell` in results of 0.1.0),
    `learned` counts rows asked that a model was trained on.
    """

    rows: int = 0
    split: str = "held_out"
    metrics: tuple[str, ...] = ()
    means: dict[str, dict[str, Mean]] = {}
    baselines: dict[str, dict[str, Mean]] = {}
    perplexity: dict[str, Perplexity] = {}
    regressed: tuple[str, ...] = ()
    learned: int = 0


class WrittenResult(JobResult):
    """Answers that were written for a round; `chosen` counts its comparisons by selection rule."""

    prompts: int = 0
    answers: int = 0
    chosen: dict[str, int] = {}


class PlayedAnswer(BaseModel):
    """One model's answer in the playground; not `finished` where it was cut at the limit."""

    model_config = ConfigDict(frozen=True)

    text: str
    tokens: int
    seconds: float
    finished: bool


class PlayResult(JobResult):
    """Answers by model id, in the order asked."""

    answers: dict[str, PlayedAnswer] = {}


class WarmupResult(JobResult):
    """How fast the first steps of a training went; one held-out measurement in seconds."""

    method: str = ""
    tokens_per_s: float = 0.0
    seconds_per_step: float = 0.0
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    held_out_seconds: float = 0.0


class CurveResult(JobResult):
    """`losses` of each seed at each size, and the `steps` of a training there, in their order.

    `still_falling`: with all rows every training had its lowest loss at its last measurement.
    """

    sizes: tuple[int, ...] = ()
    losses: tuple[tuple[float, ...], ...] = ()
    seeds: tuple[int, ...] = ()
    held_out_rows: int = 0
    steps: tuple[int, ...] = ()
    still_falling: bool = False
    curve: LearningCurve | None = None
    seconds: float = 0.0


class TrialState(StrEnum):
    """How a trial of a search ended; "given up" when it was worse than most at that point."""

    DONE = "done"
    GIVEN_UP = "given up"
    FAILED = "failed"


class Trial(BaseModel):
    """One training of a search: its loss is the lowest held out, None where it failed."""

    model_config = ConfigDict(frozen=True)

    number: int
    settings: JsonObject
    state: TrialState
    loss: float | None = None
    seconds: float = 0.0
    error: str | None = None

    def setting_words(self) -> dict[str, str]:
        """The settings as a person reads them, by name."""
        return {
            name: f"{value:.3g}" if isinstance(value, float) else str(value)
            for name, value in self.settings.items()
        }


class SweepResult(JobResult):
    """Every trial in its order; `best_settings` is the whole recipe of the best."""

    trials: tuple[Trial, ...] = ()
    best: Trial | None = None
    best_settings: JsonObject = {}
    stopped_early: bool = False


class Judgements(BaseModel):
    """What an LLM judge preferred: `choices` in the order of the questions, None where it failed.

    Those count nowhere. `contradicted` of the ties are questions whose winner changed with the
    order of the answers.
    """

    model_config = ConfigDict(frozen=True)

    wins: int
    losses: int
    ties: int
    contradicted: int
    failed: int
    choices: tuple[Literal["new", "base", "tie"] | None, ...]


class JudgeVerdict(BaseModel):
    """The part of a verdict that a page decides by; the whole of it is kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    decision: str


class JudgeName(BaseModel):
    """Which LLM judged, and on which host."""

    model_config = ConfigDict(frozen=True)

    model: str
    host: str


class JudgeResult(JobResult):
    """An LLM judge's comparison of two models; `rows` are row numbers, `models` baseline first."""

    verdict: JudgeVerdict | None = None
    judged: Judgements | None = None
    rows: tuple[int, ...] = ()
    judge: JudgeName | None = None
    evaluation: str = ""
    models: tuple[str, ...] = ()


class BenchmarkScore(BaseModel):
    """A task's score by one of its metrics, as the harness names them.

    `stderr` is the harness's own; `low` and `high` bound the score at 95 % by it, where it is
    known. `version` is the task's. `of` counts all questions of the task, `n` those asked.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    metric: str
    filter: str
    score: float
    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    n: int
    of: int
    num_fewshot: int | None = None
    version: str = ""
    higher_is_better: bool | None = None
    group: bool = False

    @property
    def key(self) -> str:
        """What tells this score from the others of one model."""
        return f"{self.task}|{self.metric}|{self.filter}"


class BenchmarkResult(JobResult):
    """Scores and gains by model, the baseline first; `lm_eval` is the version of the harness."""

    lm_eval: str = ""
    models: tuple[str, ...] = ()
    scores: dict[str, tuple[BenchmarkScore, ...]] = {}
    gains: dict[str, dict[str, Gain]] = {}


class DemoVotes(BaseModel):
    """The votes of a demo's blind round, from the side of the new model."""

    model_config = ConfigDict(frozen=True)

    wins: int
    losses: int
    ties: int
    both_bad: int
    identical: int = 0  # of the ties: questions with the same answer from both, without a vote

    @property
    def words(self) -> str:
        """As every sentence has them."""
        return tally_words(self.wins, self.losses, self.ties, self.both_bad, self.identical)


class StatedRule(BaseModel):
    """The rule of a simulated rater by its name, and as a sentence."""

    model_config = ConfigDict(frozen=True)

    rule: str
    stated: str


class DemoStage(BaseModel):
    """A step of a demo and the seconds it took."""

    model_config = ConfigDict(frozen=True)

    label: str
    seconds: float


class DemoExample(BaseModel):
    """A held-out question that the models before and after the votes answer differently.

    It is the first of `differing` such questions, not the most telling one.
    """

    model_config = ConfigDict(frozen=True)

    question: str
    before: str
    after: str
    differing: int


class DemoReport(BaseModel):
    """What a demo showed: the blind win rate with its 95 % interval, scores before and after.

    `before`, `sft` and `after` are the base model, the one trained on examples and the one trained
    on votes, by metric; `gains` are sentences. `facts` is the regression check of exact match after
    the votes, as a sentence. `rated` votes became `pairs`; `left_out` counts the others by reason.
    """

    model_config = ConfigDict(frozen=True)

    sentence: str
    decision: str
    win_rate: float
    low: float
    high: float
    votes: DemoVotes
    before: dict[str, Mean]
    sft: dict[str, Mean]
    after: dict[str, Mean]
    gains: dict[str, str]
    facts: str = ""
    example: DemoExample | None = None
    held_out_rows: int
    rated: int
    pairs: int
    left_out: dict[str, int]
    rater: StatedRule
    stages: tuple[DemoStage, ...]
    seconds: float
    cores: int | None
    cost_note: str


class DemoResult(JobResult):
    """The report of a demo; a demo that ended early has none."""

    report: DemoReport | None = None


class LoopResult(JobResult):
    """Why an auto loop ended, the champion it left, and every step it took in words."""

    ended: str = ""
    waiting: bool = False
    champion: str | None = None
    generations: int = 0
    steps: tuple[str, ...] = ()


class DialStop(BaseModel):
    """A model at a strength: 0 is the start of a training, 1 its end.

    `margin`: how much better it finds chosen answers than rejected ones, compared with the start
    (mean over preference pairs, times beta); `length` is the mean answer in tokens. `perplexity` is
    that of the reference answers. `kept`: neither a regression check nor the metric shows a loss;
    `reasons` are the sentences of those that do. None where nothing could be measured.
    """

    model_config = ConfigDict(frozen=True)

    strength: float
    margin: float | None = None
    metric: float
    length: float
    perplexity: float | None = None
    kept: bool
    recommended: bool = False
    reasons: tuple[str, ...] = ()


class DialResult(JobResult):
    """What each strength gains and costs; `metric` is the name of the score of all stops.

    The margins are of `pairs` preference pairs, `pairs_held_out` where no training learned them;
    the rest is of `questions`, which no blind round asks. `recommended` is the largest strength up
    to which all are kept; 0 is the start itself.
    """

    stops: tuple[DialStop, ...] = ()
    metric: str = ""
    questions: int = 0
    pairs: int = 0
    pairs_held_out: bool = False
    recommended: float = 0.0
    model: str = ""
    start: str = ""
    seconds: float = 0.0


class HeadResult(JobResult):
    """What the votes show that raters prefer: agreement with votes left out, by question.

    `refused` says why the head may not be used, and is empty where it may: then `sha256` is that of
    its file. `gain` is what the head agrees more often than the longer answer does.
    """

    refused: Refusal = "few"
    accuracy: Accuracy | None = None
    longer: Accuracy | None = None
    gain: Accuracy | None = None
    pairs: int = 0
    questions: int = 0
    preferences: tuple[TeamPreference, ...] = ()
    base: str = ""
    rounds: tuple[str, ...] = ()
    votes_sha256: str = ""
    sha256: str = ""
    seconds: float = 0.0


class ExportResult(JobResult):
    """`path` is the folder of the artefact, relative to the workspace's files.

    `url` and `commit` say where it was pushed.
    """

    to: str = ""
    path: str = ""
    files: tuple[ExportedFile, ...] = ()
    certificate: Certificate | None = None
    url: str | None = None
    commit: str | None = None


class DownloadResult(JobResult):
    """A base of the Hub that was added; `fingerprint` is that of its weights."""

    name: str = ""
    revision: str = ""
    bytes: int = 0
    fingerprint: str = ""


RESULTS: dict[str, type[JobResult]] = {
    **dict.fromkeys(("sft", "dpo", "kto", "tpo", "reward", "rloo", "grpo"), TrainingResult),
    "evaluate": EvaluationResult,
    "generate": WrittenResult,
    "play": PlayResult,
    "warmup": WarmupResult,
    "curve": CurveResult,
    "sweep": SweepResult,
    "judge": JudgeResult,
    "benchmark": BenchmarkResult,
    "demo": DemoResult,
    "auto": LoopResult,
    "dial": DialResult,
    "strength": JobResult,
    "reward_head": HeadResult,
    "export": ExportResult,
    "download": DownloadResult,
}


def read_result(kind: str, stored: JobResult | Mapping[str, Any]) -> JobResult:
    """The result of a job of this kind; what does not fit the kind is kept as it was stored."""
    known = RESULTS.get(kind, TrainingResult)
    if isinstance(stored, known):
        return stored
    values = stored.model_dump() if isinstance(stored, JobResult) else stored
    try:
        return known.model_validate(values)
    except ValidationError:
        return JobResult.model_construct(**values)


def training_result(result: JobResult) -> TrainingResult:
    """The numbers of a training, also where a plug-in gave them as a dictionary."""
    if isinstance(result, TrainingResult):
        return result
    return TrainingResult.model_validate(result.model_dump())
