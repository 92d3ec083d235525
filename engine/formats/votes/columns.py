"""Which column of a table of votes plays which role, by its name and by what stands in it."""

from collections.abc import Sequence

from engine.core.imported_votes import LETTERS, SIDES, VoteMapping, VoteRole
from engine.core.parsed_file import FileRow
from engine.formats.turns import written

LOOKED_AT = 200  # rows
LONGEST_NAME = 100  # characters of what may name a model
NAMES: dict[VoteRole, tuple[str, ...]] = {
    "prompt": (
        "prompt", "question", "instruction", "query", "item", "task", "user_prompt", "input",
        "prompt_text", "conversation", "prompt_id", "question_id", "item_id", "task_id",
    ),
    "rater": (
        "rater", "annotator", "worker", "judge", "evaluator", "reviewer", "labeler", "labeller",
        "coder", "assessor", "user", "rater_id", "annotator_id", "worker_id", "user_id",
        "rated_by", "completed_by", "participant",
    ),
    "left_model": ("model_left", "left_model", "system_left", "left_system"),
    "right_model": ("model_right", "right_model", "system_right", "right_system"),
    "left_answer": ("answer_left", "left_answer", "response_left", "left_response", "left_text"),
    "right_answer": (
        "answer_right", "right_answer", "response_right", "right_response", "right_text",
    ),
    "model_a": ("model_a", "model_1", "model1", "modela", "system_a", "system_1", "system1"),
    "model_b": ("model_b", "model_2", "model2", "modelb", "system_b", "system_2", "system2"),
    "answer_a": (
        "answer_a", "answer_1", "answer1", "response_a", "response_1", "response1", "output_a",
        "output_1", "output1", "completion_a", "completion_1", "text_a", "text1", "candidate_a",
        "conversation_a", "candidate_1", "generation_a", "generation_1",
    ),
    "answer_b": (
        "answer_b", "answer_2", "answer2", "response_b", "response_2", "response2", "output_b",
        "output_2", "output2", "completion_b", "completion_2", "text_b", "text2", "candidate_b",
        "conversation_b", "candidate_2", "generation_b", "generation_2",
    ),
    "choice": (
        "choice", "winner", "preference", "preferred", "vote", "verdict", "selected", "better",
        "judgement", "judgment", "comparison", "result", "outcome", "label", "decision",
    ),
    "strength": ("strength", "preference_strength", "degree"),
    "left_length": ("left_len", "left_length", "length_left"),
    "right_length": ("right_len", "right_length", "length_right"),
    "expected": ("expected", "gold"),
    "time": ("time", "timestamp", "created_at", "tstamp", "date", "voted_at"),
}  # fmt: skip
OF_ONE: dict[VoteRole, tuple[str, ...]] = {
    "answer": ("answer", "response", "output", "completion", "text", "generation"),
    "model": ("model", "model_name", "system", "model_id"),
    "rating": (
        "rating", "score", "stars", "thumb", "thumbs", "feedback", "label", "vote", "liked",
    ),
}  # fmt: skip
OF_BOTH: tuple[VoteRole, ...] = ("prompt", "rater", "time")  # of votes and of ratings
KNOWN = frozenset(name for names in (*NAMES.values(), *OF_ONE.values()) for name in names) | {
    "left", "right",
}  # fmt: skip


def guess(columns: Sequence[str], rows: Sequence[FileRow]) -> VoteMapping | None:
    """The mapping that the names of the columns suggest; None where they suggest no vote."""
    found = named(columns, NAMES)
    found |= _plain_sides(columns, rows[:LOOKED_AT], found)
    if _makes_votes(found):
        return VoteMapping(columns=found)
    single = {role: found[role] for role in OF_BOTH if role in found} | named(columns, OF_ONE)
    if _makes_ratings(single):
        return VoteMapping(columns=single)
    return None


def completed(mapping: VoteMapping, columns: Sequence[str], rows: Sequence[FileRow]) -> VoteMapping:
    """The mapping with what names suggest for the other columns, where it alone makes no vote.

    A mapping that says the choice and both sides, or a rating and its answer, stays as it is.
    """
    if _makes_votes(mapping.columns) or _makes_ratings(mapping.columns):
        return mapping
    free = [column for column in columns if column not in mapping.columns.values()]
    pairs = named(free, NAMES)
    pairs |= _plain_sides(free, rows[:LOOKED_AT], pairs)
    singles = {role: pairs[role] for role in OF_BOTH if role in pairs} | named(free, OF_ONE)
    found = pairs | mapping.columns
    if not _makes_votes(found) and _makes_ratings(singles | mapping.columns):
        found = singles | mapping.columns
    return mapping.model_copy(update={"columns": found})


def _makes_votes(columns: dict[VoteRole, str]) -> bool:
    return "choice" in columns and bool(sides_of(columns))


def _makes_ratings(columns: dict[VoteRole, str]) -> bool:
    return "rating" in columns and bool({"answer", "model"} & columns.keys())


def sides_of(columns: dict[VoteRole, str]) -> tuple[tuple[VoteRole, VoteRole], ...]:
    """The pairs of roles that a mapping has both of: those of the sides where it has any."""
    for pairs in (SIDES, LETTERS):
        whole = tuple(pair for pair in pairs if pair[0] in columns and pair[1] in columns)
        if whole:
            return whole
    return ()


def spelled(column: str) -> str:
    """A name without case, in which blanks, points and dashes are underscores."""
    return "_".join(column.casefold().replace("-", " ").replace(".", " ").replace("_", " ").split())


def named(columns: Sequence[str], names: dict[VoteRole, tuple[str, ...]]) -> dict[VoteRole, str]:
    """The column of each role, where one of its usual names is among the columns."""
    by_name = {spelled(column): column for column in reversed(columns)}
    found: dict[VoteRole, str] = {}
    for role, known in names.items():
        column = next((by_name[name] for name in known if name in by_name), None)
        if column is not None:
            found[role] = column
    return found


def _plain_sides(
    columns: Sequence[str], rows: Sequence[FileRow], found: dict[VoteRole, str]
) -> dict[VoteRole, str]:
    """The roles of columns that are called left and right and nothing more."""
    plain = {spelled(column): column for column in columns}
    if not {"left", "right"} <= plain.keys():
        return {}
    left, right = plain["left"], plain["right"]
    answers = bool({"left_model", "right_model"} & found.keys())
    if not answers and not {"left_answer", "right_answer"} & found.keys():
        answers = not _name_models([row.get(side) for row in rows for side in (left, right)],
                                   "prompt" in found)  # fmt: skip
    if answers:
        return {"left_answer": left, "right_answer": right}
    return {"left_model": left, "right_model": right}


def _name_models(values: Sequence[object], asked: bool) -> bool:
    """Whether the values are names: short ones, and in a file with prompts the same ones again."""
    texts = [text for value in values if isinstance(text := written(value), str) and text.strip()]
    if len(texts) < len(values) or any(len(t) > LONGEST_NAME or "\n" in t for t in texts):
        return False
    return not asked or len(set(texts)) <= max(2, len(texts) // 3)
