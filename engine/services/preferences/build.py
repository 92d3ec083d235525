"""Votes -> preference pairs: a dataset version whose origin names the votes it was made from.

The steps are modules beside this one: what is read (eligible_votes), what becomes a pair (rules),
and how it is written down (rows, manifest). Every exclusion is counted. The same votes, flags,
paused raters, tests and rules give the same bytes and the same version.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, cast

from engine.core import ids
from engine.core.actor import Actor, Role
from engine.core.dataset import Dataset
from engine.core.errors import NotFound, UserError
from engine.core.examples import Example, Kind
from engine.core.parsed_file import ParsedFile
from engine.files import write_atomic
from engine.services import access
from engine.services.data import datasets
from engine.services.preferences import manifest, pair_rows, side_bias
from engine.services.preferences.accepted_answers import accepted_rows
from engine.services.preferences.eligible_votes import Gathered, gather
from engine.services.preferences.length_balance import balanced
from engine.services.preferences.manifest import PairManifest
from engine.services.preferences.rules import Rules, Selection, select_pairs, with_weights
from engine.services.preferences.template_marks import without_marks
from engine.services.rating import audit
from engine.store import pair_exports, votes
from engine.store.connect import reading, writing
from engine.store.json_columns import to_json
from engine.store.pair_exports import PairExport as PairExport
from engine.store.pair_exports import Rows as Rows
from engine.workspace import Workspace

NAMES: dict[Rows, tuple[str, Kind]] = {
    "pairs": ("pairs", "preference"),
    "ratings": ("ratings", "unpaired"),
    "accepted": ("accepted answers", "sft"),
}
METHODS: dict[Rows, str] = {"pairs": "DPO", "ratings": "KTO", "accepted": "SFT"}
WORDS: dict[Rows, str] = {
    "pairs": "pairs", "ratings": "rated answers", "accepted": "accepted answers"
}  # fmt: skip
FEWEST = 20
FIXED = {"majority": "a lead of a third of the votes", "ties": "none", "fewest": FEWEST}
DEFAULT = Rules()
REASONS = {
    "control": "that served another purpose",
    "blind": "with a question that is kept for blind tests",
    "flagged": "that somebody flagged",
    "paused": "rated by paused raters only",
    "leak": "that contain a text of a test set",
    "template": "with marks of a chat template in their text, such as <|im_end|>",
    "no_text": "of a file without the prompt or the answers",
    "duplicate": "that are in already",
    "alone": "of which one answer was shown",
    "tie": "tied or both bad",
    "contested": "on which raters disagreed",
    "middle": "in the middle of a ranking",
    "same": "with the same text twice",
    "edit": "edits that change too little or too much",
    "not_accepted": "questions without an answer that somebody improved or accepted",
    "crowded": "over the limit of one question",
    "one_rater": "over the limit of one rater",
    "edit_share": "edits over their limit",
    "length": "whose difference in length no other pair balances",
}


class Preview(NamedTuple):
    """What `make` would keep now: the rows, what was left out, and what both were made from."""

    gathered: Gathered
    judged: Selection
    examples: list[Example]
    counts: dict[str, int]


def make(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    round_ids: list[str] | None = None,
    rules: Rules = DEFAULT,
    of: Rows = "pairs",
) -> PairExport:
    """Turn the votes of the rating rounds (all of them, or those named) into a dataset version.

    UserError where they make too few, or name one side of the screen whatever stood there.
    """
    seen = preview(ws, actor, project_id, round_ids, rules, of)
    if of != "accepted":  # an improved text says nothing of sides
        side_bias.refuse(seen.gathered.counted)  # first: it also explains why few pairs are left
    number = _number(seen, of)
    if number < FEWEST:
        why = left_out(seen.counts)
        raise UserError(
            f"{seen.counts['votes']} votes make {number} {WORDS[of]}; {METHODS[of]} needs at least "
            f"{FEWEST}." + (f" Left out: {why}." if why else ""),
            _more(seen, number, of),
        )
    return _store(ws, actor, project_id, seen, rules, of)


def _more(seen: Preview, number: int, of: Rows) -> str:
    """What would bring enough of them."""
    if of == "pairs" and number + seen.counts["length"] >= FEWEST:
        return "Nearly always the same length won: rate more pairs, or let length be learned."
    if of == "accepted":
        return (
            "Improve answers while you rate, or mark those that you would accept, then try again."
        )
    if number + seen.counts["edit_share"] >= FEWEST:
        return (
            "Most of them are texts that raters improved. Rate more pairs, or let more of them in "
            "with the rule edit_share=1."
        )
    return f"Rate {FEWEST - number} or more further pairs, then make the pairs again."


def preview(
    ws: Workspace,
    actor: Actor,
    project_id: str,
    round_ids: list[str] | None = None,
    rules: Rules = DEFAULT,
    of: Rows = "pairs",
) -> Preview:
    """What the votes would make now, and what would be left out; nothing is kept."""
    with audit.record_refused_look(ws, actor, *(round_ids or ())):
        actor.require(Role.TRAINER)
        gathered = gather(ws, actor, project_id, round_ids)
    judged = select_pairs(gathered.items, gathered.families, rules)
    if rules.balance_length and of == "pairs":  # ratings and texts have no second side
        judged = _of_balanced_length(judged)
    counts = gathered.counts.copy()
    examples: Sequence[Example]
    if of == "pairs":
        counts += judged.counts
        examples = pair_rows.preferences(judged.pairs, rules)
    elif of == "ratings":
        rated = pair_rows.ratings(gathered.items, gathered.families, counts)
        examples = without_marks(rated, counts)
    else:
        accepted = accepted_rows(gathered.items, gathered.families, rules, counts)
        examples = without_marks(accepted, counts)
    known = {reason: counts[reason] for reason in ("votes", *REASONS)}
    return Preview(gathered, judged, list(examples), known)


def _of_balanced_length(judged: Selection) -> Selection:
    """The selection without the pairs that would teach length."""
    kept = balanced(judged.pairs)
    judged.counts["length"] += len(judged.pairs) - len(kept)
    return judged._replace(pairs=with_weights(kept))


def count(ws: Workspace, actor: Actor, project_id: str) -> int:
    """How many pairs the votes of all rating rounds would make now."""
    return len(preview(ws, actor, project_id).judged.pairs)


def left_out(counts: dict[str, int]) -> str:
    """What was left out, by reason: "3 tied or both bad"."""
    return "; ".join(f"{counts[why]} {words}" for why, words in REASONS.items() if counts.get(why))


def list_all(ws: Workspace, actor: Actor, project_id: str, of: Rows = "pairs") -> list[PairExport]:
    """Newest first."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        access.project(conn, actor, project_id)
        exports = pair_exports.list_all(conn, project_id)
    return [one for one in exports if one.rows == of]


def get(ws: Workspace, actor: Actor, export_id: str) -> PairExport:
    """The export; NotFound otherwise."""
    actor.require(Role.TRAINER)
    with reading(ws.db) as conn:
        export = pair_exports.get(conn, export_id)
    if export is None or not actor.sees(export.project_id):
        raise NotFound(f"There are no pairs {export_id!r}.", "Make the pairs first.")
    return export


def about(ws: Workspace, actor: Actor, export_id: str) -> PairManifest:
    """The manifest: rules, counts, agreement, rounds, warnings and the suggested settings.

    Exports of an earlier version of the program have none: what is known of them comes back.
    """
    export = get(ws, actor, export_id)
    path = ws.files / datasets.get(ws, actor, export.dataset_id).file / f"{export.id}.json"
    if not path.is_file():
        known = {"watermark", "content_sha256", "pairs", "counts", "rules"}
        return cast("PairManifest", export.model_dump(mode="json", include=known))
    found: PairManifest = json.loads(path.read_text())
    return found


def gone(ws: Workspace, actor: Actor, export_id: str) -> int:
    """How many votes the export was made of that do not stand any more: above 0 it is stale."""
    read = set(about(ws, actor, export_id).get("votes", ()))
    with reading(ws.db) as conn:
        current = votes.live(conn, list(get(ws, actor, export_id).rounds))
    return len(read - {vote.vote_id for vote in current})


def _number(seen: Preview, of: Rows) -> int:
    return len(seen.judged.pairs) if of == "pairs" else len(seen.examples)


def _store(
    ws: Workspace, actor: Actor, project_id: str, seen: Preview, rules: Rules, of: Rows
) -> PairExport:
    name, kind = NAMES[of]
    parsed = ParsedFile(layout=kind, kind=kind, examples=seen.examples, broken=[])
    used = [one.id for one in seen.gathered.rounds]
    origin = {"pairs": seen.gathered.watermark, "rounds": used}
    # held-out questions of answers to learn are for tests alone, and would leave the pairs
    held_out = 0.0 if of == "accepted" else rules.held_out_share(len(seen.examples))
    dataset = datasets.store(ws, actor, project_id, parsed, name, origin, held_out)
    new = PairExport(
        id=ids.new("export"),
        project_id=project_id,
        dataset_id=dataset.id,
        rounds=tuple(used),
        rules={**FIXED, **rules.model_dump(mode="json"), "rows": of},
        watermark=seen.gathered.watermark,
        content_sha256=dataset.sha256,
        pairs=_number(seen, of),
        counts=seen.counts,
        created_by=actor.name,
        created_at=time.time(),
    )
    return _once(ws, new, dataset, seen, rules)


def _once(
    ws: Workspace, new: PairExport, dataset: Dataset, seen: Preview, rules: Rules
) -> PairExport:
    """The export that is known for the same votes and rules, or the new one, now stored."""
    judged = seen.judged._replace(counts=Counter(seen.counts))
    if new.rows != "pairs":
        judged = judged._replace(pairs=[])
    page = manifest.manifest(seen.gathered, judged, rules, seen.examples, dataset.sha256)
    with writing(ws.db) as conn:
        for known in pair_exports.list_all(conn, new.project_id):
            same = (known.dataset_id, known.watermark, known.rules)
            if same == (new.dataset_id, new.watermark, new.rules):
                return known
        write_atomic(ws.files / dataset.file / f"{new.id}.json", to_json(page).encode())
        pair_exports.add(conn, new)
    return new
