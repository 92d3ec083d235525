"""The object that each command prints with --json: the promise that scripts rely on.

A type of the code stands for its fields, a list of one for a list of such objects, text for a plain
value. tests/cli/test_reference.py compares the table with the commands and with what they print.
"""

from typing import Any

from engine.core.dataset import Dataset
from engine.core.evaluation import Evaluation, Mean
from engine.core.event import AnyEvent
from engine.core.export import Certificate, ExportedFile
from engine.core.finding import Finding
from engine.core.hub import HubBase, HubSearch
from engine.core.job import Job
from engine.core.job_result import (
    BenchmarkResult,
    DemoReport,
    DialStop,
    HeadResult,
    Judgements,
    LoopResult,
    PlayResult,
)
from engine.core.model import Model
from engine.core.project import LoopStatus
from engine.core.rating import Round, Tally, Verdict
from engine.core.training_estimate import Preflight
from engine.metrics.compare_systems import ComparedSystem
from engine.recipe_files.imported import ImportedRecipe
from engine.services import backups, erasure
from engine.services.data.openai_files import OpenAIExport
from engine.services.feedback import FeedbackReport
from engine.services.jobs.compare import RunComparison
from engine.services.jobs.queue_position import Waiting
from engine.services.loop.edit_cost import EditCost
from engine.services.loop.generations import History
from engine.services.models.api_process import ApiProcess
from engine.services.models.template_choice import TemplateChoice
from engine.services.people.accounts import Account
from engine.services.people.api_keys import ApiKey
from engine.services.preferences.contested import Contested
from engine.services.rating.audit import AuditEntry
from engine.services.rating.import_removal import RemovedImport
from engine.services.rating.invites import Invitation
from engine.services.rating.paused_raters import RaterView
from engine.services.rating.report import Report
from engine.services.rating.vote_import import ImportedVotes, VotePreview
from engine.stats.agreement import Agreement, RaterPair
from engine.stats.length_bias import LengthControlled, LongerChosen
from engine.stats.power import SamplePlan
from engine.stats.ranking import Ranking
from engine.stats.rater_quality import Quality
from engine.stats.side_bias import PositionBias, RaterPosition
from engine.store.pair_exports import PairExport
from engine.store.promotions import Promotion

MODELS = {"models": [Model]}
JOBS = {"runs": [Job]}
LINK = {"name": "text", "path": "text: the link, to be opened at the server's address"}
EVENT = {"...": AnyEvent, "kind": "text", "data": "by kind: see [Events](events.md)"}

RUN_FILES = {
    "path": "text: the folder",
    "files": [ExportedFile],
    "notes": "list of text: what differs from the run",
}

SHAPES: dict[str, Any] = {
    "data check": {
        "layout": "text",
        "kind": "text",
        "rows": "number",
        "findings": [Finding],
        "with --openai": "object: examples, problems (line, problem), warnings",
    },
    "data add": Dataset,
    "data fetch": Dataset,
    "data list": {"datasets": [Dataset]},
    "data export": OpenAIExport,
    "data fix": Dataset,  # with --dry-run its counts
    "data undo": Dataset,
    "data preview": {
        "rows": "list of rows, each a list of {text, trained}",
        "default_system_prompt": "text or null",
    },
    "models": MODELS,
    "models list": MODELS,
    "models fetch": MODELS,
    "models search": HubSearch,
    "models add": {"...": Model, "with --dry-run": HubBase},
    "models remove": {"removed": "text: the id", "freed_bytes": "number"},
    "models template": {"...": Model, "without --use": {"templates": [TemplateChoice]}},
    "models export": {
        "path": "text: the folder",
        "files": [ExportedFile],
        "certificate": Certificate,
        "url": "text or null: its page on the Hub, with --to hub",
        "commit": "text or null: its commit there",
    },
    "api status": ApiProcess,
    "api keys list": {"keys": [ApiKey]},
    "api keys add": {"...": ApiKey, "token": "text: the key, shown this once"},
    "api keys close": ApiKey,
    "api feedback": {"...": FeedbackReport, "with --to-data": Dataset},
    "jobs": JOBS,
    "jobs list": JOBS,
    "jobs show": {"run": Job, "events": [EVENT]},
    "jobs name": Job,
    "jobs note": Job,
    "jobs tag": Job,
    "jobs compare": RunComparison,
    "jobs queue": {"waiting": [Waiting]},
    "jobs cancel": Job,
    "jobs delete": {"deleted": "text: the id"},
    "training start": Job,
    "training curve": Job,
    "training sweep": Job,
    "training estimate": Preflight,
    "training eject": RUN_FILES,
    "training recipe export": RUN_FILES,
    "training recipe import": ImportedRecipe,
    "evaluation score": {"METRIC": Mean},
    "evaluation compare": {"systems": {"FILE": ComparedSystem}},
    "evaluation judge": {"verdict": Verdict, "judged": Judgements},
    "evaluation run": Evaluation,
    "evaluation benchmark list": "list of text",
    "evaluation benchmark run": BenchmarkResult,
    "rating plan": SamplePlan,
    "rating verdict": Verdict,
    "rating agreement": {"...": Agreement, "pairs": [RaterPair]},
    "rating ranking": Ranking,
    "rating bias": {
        "position": PositionBias,
        "raters": [RaterPosition],
        "length_controlled": LengthControlled,
        "longer": LongerChosen,
        "sentence": "text",
    },
    "rating quality": Quality,
    "rating add": {"...": ImportedVotes, "with --preview": VotePreview},
    "rating remove-import": RemovedImport,
    "rating invite": {
        "rater": "text",
        "path": "text",
        "ends_at": "number or null",
        "most_browsers": "number or null",
    },
    "rating invitations": {"invitations": [Invitation]},
    "rating erase": erasure.ErasureReport,
    "rating audit": {"entries": [AuditEntry]},
    "rating rounds": {"rounds": [Round]},
    "rating rounds start": Round,
    "rating rounds close": Round,
    "rating rounds verdict": Verdict,
    "rating rounds report": Report,
    "rating rounds raters": {"raters": [RaterView]},
    "rating rounds break-glass": Tally,
    "preferences export": {"...": PairExport, "about": "object: the manifest of the pairs"},
    "preferences rules": {"fixed": "object", "rules": "object", "reasons": "object"},
    "preferences contested": [Contested],
    "preferences again": Round,
    "playground ask": PlayResult,
    "loop demo": DemoReport,
    "loop status": LoopStatus,
    "loop history": History,
    "loop edits": [EditCost],
    "loop preferences": HeadResult,
    "loop dial": [DialStop],  # with --use the Model
    "loop promote": Promotion,
    "loop back": Promotion,
    "loop auto": LoopResult,
    "people list": {"people": [Account]},
    "people add": {"...": Account, "path": LINK["path"]},
    "people link": LINK,
    "people change": Account,
    "people close": Account,
    "people reopen": Account,
    "restore": backups.Restored,
}
