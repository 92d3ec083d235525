"""The tables, once. TEXT, BIGINT and DOUBLE PRECISION mean the same on SQLite and PostgreSQL.

Ids are made in Python (core/ids.py), times are epoch seconds, JSON is TEXT with pydantic at both
ends. Revisions live in migrations/versions; a test holds that they and this file agree.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData()


def _id() -> Column[str]:
    return Column("id", Text, primary_key=True)


def _text(name: str, *, null: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=null, server_default=default)


def _ref(name: str, target: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, ForeignKey(target), nullable=null)


def _int(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _time(name: str, *, null: bool = False) -> Column[float]:
    return Column(name, Double, nullable=null)


project = Table(
    "project",
    metadata,
    _id(),
    *map(_text, ("name", "created_by")),
    _time("created_at"),
    _time("seen_at", null=True),  # of a visitor's: when they were last here, within an hour
    _time("removed_at", null=True),  # nobody sees it from then on
)

dataset = Table(
    "dataset",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    _text("name"),
    _int("version"),
    _text("kind"),
    _text("layout"),
    _int("rows"),
    _int("train_rows"),
    _int("held_out_rows"),
    _text("sha256"),
    _text("file"),
    _text("origin"),
    _text("findings"),
    _text("created_by"),
    _time("created_at"),
    UniqueConstraint("project_id", "name", "version"),
)

job = Table(
    "job",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    *map(_text, ("kind", "lane", "name", "recipe", "recipe_sha256", "state", "owner")),
    _text("worker", null=True),
    _int("fence"),
    _int("attempts"),
    _time("lease_until", null=True),
    Column("cancel_requested", Boolean, nullable=False),
    Column("keep_requested", Boolean, nullable=False, server_default=false()),
    _text("note", default=""),
    _text("tags", default="[]"),
    _text("error", null=True),
    _text("result"),
    _time("created_at"),
    _time("started_at", null=True),
    _time("finished_at", null=True),
    Index("job_by_state", "state", "lane", "created_at"),
    Index("job_by_project", "project_id", "created_at"),
)

event = Table(
    "event",
    metadata,
    Column("job_id", Text, ForeignKey("job.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _time("at"),
    _text("kind"),
    _int("step", null=True),
    _text("data"),
)

model = Table(
    "model",
    metadata,
    _id(),
    _ref("project_id", "project.id", null=True),
    *map(_text, ("name", "kind", "source", "path")),
    _ref("base_id", "model.id", null=True),
    _ref("parent_id", "model.id", null=True),
    _ref("job_id", "job.id", null=True),
    _ref("dataset_id", "dataset.id", null=True),
    _text("info"),
    Column("is_trial", Boolean, nullable=False, server_default=false()),
    _time("created_at"),
)

evaluation = Table(
    "evaluation",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    _ref("job_id", "job.id"),
    _ref("dataset_id", "dataset.id"),
    *map(_text, ("models", "file")),
    _time("created_at"),
)

rating_round = Table(
    "rating_round",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    _text("name"),
    _text("purpose"),
    _ref("arm_new", "model.id"),
    _ref("arm_base", "model.id"),
    _text("plan"),
    _text("plan_sha256"),
    _text("status"),
    _ref("job_id", "job.id", null=True),
    _text("created_by"),
    _time("created_at"),
    _time("closed_at", null=True),
)

comparison = Table(
    "comparison",
    metadata,
    _id(),
    _ref("round_id", "rating_round.id"),
    _int("position"),
    *map(_text, ("prompt", "reference_texts")),
    *map(_text, ("text_lo", "text_hi", "model_lo", "model_hi", "kind")),
    _text("left_first"),  # lo or hi: what the first of two raters sees on the left
    _text("details", default="{}"),  # of a gold item its answer, of a chosen pair the rule
    UniqueConstraint("round_id", "position"),
)

assignment = Table(
    "assignment",
    metadata,
    _id(),
    _ref("comparison_id", "comparison.id"),
    _ref("round_id", "rating_round.id"),
    _text("rater"),
    _text("left_is"),
    _text("shown_order", null=True),  # of a ranking, its answers as they stand: "cabd"
    _text("state"),
    _time("leased_at"),
    _time("lease_until"),
    Column("guest", Boolean, nullable=False, server_default=false()),  # counts in nothing
    UniqueConstraint("comparison_id", "rater"),
    Index("assignment_by_round", "round_id", "rater"),
)

vote = Table(
    "vote",
    metadata,
    _id(),
    _ref("assignment_id", "assignment.id"),
    _int("seq"),
    _text("action"),
    _text("choice", null=True),
    _int("active_ms"),
    _text("via"),
    _time("created_at"),
    _text("details", default="{}"),  # strength, reasons, acceptable answers, an edit
    UniqueConstraint("assignment_id", "seq"),
)

pair_export = Table(
    "pair_export",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    _ref("dataset_id", "dataset.id"),
    _text("rounds"),
    _text("rules"),
    _text("watermark"),
    _text("content_sha256"),
    _int("pairs"),
    _text("counts"),
    _text("created_by"),
    _time("created_at"),
)

flag = Table(
    "flag",
    metadata,
    _id(),
    _ref("assignment_id", "assignment.id"),
    *map(_text, ("target", "kind", "note")),
    _time("created_at"),
)

invite = Table(
    "invite",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    *map(_text, ("rater", "token_sha256", "status", "created_by")),
    _time("created_at"),
    _time("ends_at", null=True),
    _int("most_browsers", null=True),
    UniqueConstraint("token_sha256"),
)

invited_browser = Table(  # its id is the hash of what the browser holds
    "invited_browser", metadata, _id(), _ref("invite_id", "invite.id"), _time("created_at"),
)  # fmt: skip

rater_review = Table(
    "rater_review",
    metadata,
    _id(),
    _ref("round_id", "rating_round.id"),
    *map(_text, ("rater", "action", "note", "created_by")),  # of a rater the newest one counts
    _time("created_at"),
)

forgotten = Table(
    "forgotten",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    # whose votes may go; no rater is called like an id here, so a commit wants it empty again
    Column("rater", Text, ForeignKey("forgotten.id", deferrable=True, initially="DEFERRED")),
    _text("rounds"),  # of each round, how many votes went, and the verdict that they were in
    _text("created_by"),
    _time("created_at"),
)

promotion = Table(
    "promotion",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    _ref("model_id", "model.id"),
    *map(_text, ("reason", "created_by")),
    _time("created_at"),
)

audit = Table(
    "audit",
    metadata,
    _id(),
    _ref("project_id", "project.id", null=True),
    _ref("round_id", "rating_round.id", null=True),
    _ref("comparison_id", "comparison.id", null=True),
    *map(_text, ("kind", "who", "role", "said")),
    _int("times"),
    _time("created_at"),
    Index("audit_by_kind", "kind", "created_at"),
)

worker = Table(
    "worker", metadata, _id(), _text("host"), _int("pid"), _time("started_at"), _time("beat_at")
)

person = Table(
    "person",
    metadata,
    _id(),
    *map(_text, ("name", "name_key", "role", "status", "created_by")),
    _text("password", null=True),  # as people/password.py writes it; none before the first sign-in
    _text("link_sha256", null=True),
    _time("link_until", null=True),
    _time("created_at"),
    UniqueConstraint("name_key"),
    UniqueConstraint("link_sha256"),
)

member = Table(
    "member",
    metadata,
    Column("person_id", Text, ForeignKey("person.id"), primary_key=True),
    Column("project_id", Text, ForeignKey("project.id"), primary_key=True),
)

signed_in = Table(  # its id is the hash of what the browser holds
    "signed_in", metadata, _id(), _ref("person_id", "person.id"),
    _time("created_at"), _time("seen_at"),
)  # fmt: skip

sign_in_failure = Table(  # its id says whose, or from where
    "sign_in_failure", metadata, _id(), _int("times"), _time("at"),
)  # fmt: skip

known_browser = Table(  # its id is the hash of what the browser holds
    "known_browser",
    metadata,
    _id(),
    Column("person_id", Text, ForeignKey("person.id"), primary_key=True),
    _time("seen_at"),
)

last_visit = Table(
    "last_visit",
    metadata,
    Column("project_id", Text, ForeignKey("project.id"), primary_key=True),
    Column("visitor", Text, primary_key=True),  # the name of an actor, as they sign in
    _time("before_at"),  # when the visit before this one ended
    _time("seen_at"),
)

api_key = Table(
    "api_key",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    *map(_text, ("name", "token_sha256", "status", "created_by")),
    Column("captures", Boolean, nullable=False),  # whether prompts and answers are kept
    _int("requests_per_minute"),
    _time("created_at"),
    _time("used_at", null=True),
    UniqueConstraint("token_sha256"),
)

api_file = Table(  # a file that a program handed in; its bytes lie in files/api
    "api_file",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    *map(_text, ("name", "purpose", "sha256", "created_by")),
    _int("bytes"),
    _time("created_at"),
    Index("api_file_by_project", "project_id", "created_at"),
)

api_training = Table(  # what a program asked for when it started a training
    "api_training",
    metadata,
    Column("job_id", Text, ForeignKey("job.id"), primary_key=True),
    _ref("project_id", "project.id"),
    _text("request"),
    _time("created_at"),
)

completion = Table(  # an answer that the API gave and kept, for feedback
    "completion",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    _ref("key_id", "api_key.id", null=True),
    _ref("model_id", "model.id"),
    _ref("other_id", "model.id", null=True),  # of an arena: the model that might have answered
    *map(_text, ("prompt", "text")),
    _time("created_at"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),  # of prompt and text
    Index("completion_sizes", "project_id", "created_at", "id", "bytes"),
)

feedback = Table(  # what somebody thought of such an answer; append-only
    "feedback",
    metadata,
    _id(),
    _ref("project_id", "project.id"),
    _ref("completion_id", "completion.id"),
    *map(_text, ("kind", "value", "via")),
    _time("created_at"),
    Index("feedback_by_project", "project_id", "created_at"),
    Index("feedback_by_completion", "completion_id"),
)
