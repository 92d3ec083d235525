"""Every model that was asked a dataset's questions, in one table."""

from pydantic import BaseModel, ConfigDict

from engine.core.actor import Actor, Role
from engine.core.evaluation import Mean, Perplexity
from engine.core.evaluation_sentences import baseline_title
from engine.core.job_result import EvaluationResult
from engine.services import access
from engine.store import evaluations as store
from engine.store import jobs, models
from engine.store.connect import reading
from engine.store.evaluations import EvaluationRef
from engine.workspace import Workspace

MOST = 200  # evaluations looked at, the newest


class LeaderboardRow(BaseModel):
    """A model's, or a baseline's, newest scores on the dataset, and how many rows were asked."""

    model_config = ConfigDict(frozen=True)

    model_id: str
    name: str
    trivial: bool = False  # a trivial baseline, which needs no model
    evaluation_id: str
    split: str
    rows: int
    means: dict[str, Mean]
    perplexity: Perplexity | None = None
    created_at: float


def leaderboard(
    ws: Workspace, actor: Actor, dataset_id: str, metric: str = "rougeL"
) -> list[LeaderboardRow]:
    """One line a model and baseline, the best by `metric` first; without that score, last.

    Lines of different evaluations may rest on different rows: compare where `rows` are the same.
    """
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        dataset = access.dataset(conn, actor, dataset_id)
        names = {m.id: m.name for m in models.list_all(conn, dataset.project_id)}
        of_it = [
            (ref, jobs.get(conn, ref.job_id))
            for ref in store.list_all(conn, dataset.project_id)[:MOST]
            if ref.dataset_id == dataset_id
        ]
    found: dict[str, LeaderboardRow] = {}
    for ref, job in of_it:
        for line in _rows_of(ref, job.result_as(EvaluationResult) if job else None, names):
            found.setdefault(line.model_id, line)
    return sorted(found.values(), key=lambda line: -_score(line, metric))


def _rows_of(
    ref: EvaluationRef, result: EvaluationResult | None, names: dict[str, str]
) -> list[LeaderboardRow]:
    """From the summary that the job keeps: the answers themselves lie in a large file."""
    if result is None:
        return []
    return [
        LeaderboardRow(
            model_id=who,
            name=names.get(who, baseline_title(who)),
            trivial=who in result.baselines,
            evaluation_id=ref.id,
            split=result.split,
            rows=result.rows,
            means=means,
            perplexity=result.perplexity.get(who),
            created_at=ref.created_at,
        )
        for who, means in {**result.means, **result.baselines}.items()
    ]


def _score(line: LeaderboardRow, metric: str) -> float:
    mean = line.means.get(metric)
    return mean.score if mean else -1.0
