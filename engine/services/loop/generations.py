"""What is known of a loop: its generations, and the tests that each went through."""

from pydantic import BaseModel, ConfigDict

from engine.core.evaluation import RegressionCheck
from engine.core.model import Model
from engine.services.loop.stop_rules import Rule
from engine.services.rating.report import Report


class Tested(BaseModel):
    """A closed blind round; `fresh` of its prompts were in no blind round before it.

    `p` is that of the verdict where it stands alone, and allows for every closed round of any
    generation against the baseline where it is one of them. `earlier` are the p of closed rounds of
    the same two models before this one.
    """

    model_config = ConfigDict(frozen=True)

    round_id: str
    report: Report
    fresh: int
    p: float
    earlier: tuple[float, ...] = ()


class Generation(BaseModel):
    """A model and what is known of it; what has not happened yet is None or empty."""

    model_config = ConfigDict(frozen=True)

    number: int
    model: Model
    export_id: str | None = None
    export_sha256: str | None = None
    pairs: int | None = None
    evaluation_id: str | None = None
    regression_checks: tuple[RegressionCheck, ...] = ()
    against_baseline: Tested | None = None
    against_previous: Tested | None = None
    waiting: str | None = None  # the blind round that is being rated
    sentence: str = ""


class Control(BaseModel):
    """A model against itself: what the test finds where there is nothing to find."""

    model_config = ConfigDict(frozen=True)

    round_id: str
    rate: float
    low: float
    high: float
    even: bool


class History(BaseModel):
    """`baseline` is frozen: the model that the first training on preferences started from."""

    model_config = ConfigDict(frozen=True)

    baseline: Model | None
    generations: tuple[Generation, ...]
    control: Control | None
    champion_id: str | None
    rules: tuple[Rule, ...]
    sentence: str
