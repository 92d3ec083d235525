"""What the Hub says of a model: searched for, or one repository at one commit."""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from engine.core.errors import UserError
from engine.core.hub import COMMIT, NAME, Architecture, HubFile, HubGate, HubMatch
from engine.core.json_object import JsonObject
from engine.models.hub import architectures, client

MOST_FOUND = 20
MOST_CONFIG = 4 * 2**20
MOST_COUNT = 2**53  # of bytes, weights or tokens; JSON holds any number
EXPANDED = ("safetensors", "cardData", "gated", "downloads", "tags")
INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"
PART = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
# beside the weights: what a tokenizer and a configuration are made of, none of it code
BESIDE = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model",
    "chat_template.jinja",
)  # fmt: skip


class Repository(NamedTuple):
    """A model at a commit, as the Hub describes it; `config` is None where it may not be read."""

    name: str
    revision: str
    parameters: int | None
    licence: str | None
    files: tuple[HubFile, ...]
    gate: HubGate
    config: JsonObject | None
    architecture: Architecture
    chat_template: bool | None

    @property
    def bytes(self) -> int:
        """What all its files take."""
        return sum(file.bytes for file in self.files)

    @property
    def has_weights(self) -> bool:
        """Whether there are weights in the safetensors format, by the names that load."""
        return any(file.name.endswith(".safetensors") for file in self.files)

    @property
    def context(self) -> int | None:
        """The most tokens, by its configuration."""
        return _count(_shape(self.config or {}).get("max_position_embeddings"))


def search(text: str, most: int = MOST_FOUND) -> list[HubMatch]:
    """Models that write text and have safetensors, the most downloaded first."""
    found = client.read_json(
        "/api/models",
        {
            "search": text,
            "filter": "safetensors",
            "pipeline_tag": "text-generation",
            "sort": "downloads",
            "limit": most,
            "expand": EXPANDED,
        },
    )
    rows = found if isinstance(found, list) else []
    return [match for row in rows[:most] if (match := _match(row))]


def repository(name: str, revision: str | None = None) -> Repository:
    """The model `name` at a commit, by default its newest; UserError where there is none.

    What comes back carries the commit, so that a later download is of exactly these files.
    """
    asked = client.checked_name(name)
    if revision is not None and not re.fullmatch(COMMIT, revision):
        raise UserError(f"{revision[:60]!r} is no commit.", "Give all 40 digits of its hash.")
    at = f"/revision/{revision}" if revision else ""
    try:
        info = client.read_json(f"/api/models/{asked}{at}", {"blobs": "true"})
    except client.HubRefusal as error:
        raise client.refusal(error, asked) from None
    return _described(asked, revision, info if isinstance(info, dict) else {})


def _described(asked: str, revision: str | None, info: JsonObject) -> Repository:
    name, commit = info.get("id"), info.get("sha")
    if not isinstance(name, str) or not isinstance(commit, str) or not re.fullmatch(COMMIT, commit):
        raise UserError(f"The Hub does not say what {asked} is.", "Choose another model.")
    if revision is not None and commit != revision:
        raise UserError(f"The Hub has no commit {revision[:12]} of {asked}.", "Search it again.")
    name = client.checked_name(name)
    files = _files(info.get("siblings"))
    gate, config = _config(name, commit, bool(info.get("gated")))
    return Repository(
        name=name,
        revision=commit,
        parameters=_parameters(info),
        licence=_licence(info),
        files=files,
        gate=gate,
        config=config,
        architecture=Architecture.UNREAD if config is None else architectures.of_config(config),
        chat_template=_chat_template(name, commit, info, files, config is not None),
    )


def _config(name: str, commit: str, gated: bool) -> tuple[HubGate, JsonObject | None]:
    """Whether the files may be read, shown by reading the smallest that matters."""
    try:
        config = _json_file(name, commit, "config.json", MOST_CONFIG)
    except client.HubRefusal as error:
        if error.status == 404:
            return (HubGate.GRANTED if gated else HubGate.OPEN), {}
        if not gated and error.code != "GatedRepo":
            raise client.refusal(error, name) from None
        return _gate(error), None
    return (HubGate.GRANTED if gated else HubGate.OPEN), config


def _gate(error: client.HubRefusal) -> HubGate:
    """Why a gated file may not be read: by the status, and for a known account by the message."""
    message = error.message.lower()
    if not error.with_token:
        return HubGate.NO_TOKEN
    if error.status == 401 or "invalid credentials" in message:
        return HubGate.BAD_TOKEN
    if "fine-grained" in message:
        return HubGate.TOKEN_SCOPE
    return HubGate.WAITING if "awaiting" in message else HubGate.TERMS


def _json_file(name: str, commit: str, file: str, most: int) -> JsonObject:
    """A JSON object of the repository; empty where the file is none."""
    try:
        found = json.loads(client.read(client.file_path(name, commit, file), most=most))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _chat_template(
    name: str, commit: str, info: JsonObject, files: Sequence[HubFile], readable: bool
) -> bool | None:
    named = {file.name for file in files}
    config = info.get("config")
    tokenizer = config.get("tokenizer_config") if isinstance(config, dict) else None
    if "chat_template.jinja" in named or (
        isinstance(tokenizer, dict) and tokenizer.get("chat_template")
    ):
        return True
    if not readable:
        return None
    if "tokenizer_config.json" not in named:
        return False
    try:
        found = _json_file(name, commit, "tokenizer_config.json", client.MOST_BYTES)
    except client.HubRefusal:
        return None
    return bool(found.get("chat_template"))


def _files(siblings: object) -> tuple[HubFile, ...]:
    """The files of the root that are downloaded: weights that load, and what is beside them."""
    rows = siblings if isinstance(siblings, list) else []
    each = (file for row in rows if isinstance(row, dict) and (file := _file(row)))
    listed = list({file.name: file for file in each}.values())
    names = {file.name for file in listed}
    parts = {name for name in names if PART.fullmatch(name)}
    weights = parts | {INDEX} if INDEX in names and parts else {WHOLE}
    return tuple(file for file in listed if file.name in weights or file.name in BESIDE)


def _file(row: JsonObject) -> HubFile | None:
    name, lfs, blob = (row.get(key) for key in ("rfilename", "lfs", "blobId"))
    size = _count(row.get("size"))
    if not isinstance(name, str) or size is None:
        return None
    sha256 = lfs.get("sha256") if isinstance(lfs, dict) else None
    known = sha256 if isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256) else None
    git = blob if known is None and isinstance(blob, str) else None
    return HubFile(name=name, bytes=size, sha256=known, git_sha1=git)


def _match(row: object) -> HubMatch | None:
    if not isinstance(row, dict):
        return None
    name = row.get("id")
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        return None
    return HubMatch(
        name=name,
        parameters=_parameters(row),
        licence=_licence(row),
        gated=bool(row.get("gated")),
        downloads=_count(row.get("downloads")),
    )


def _parameters(info: JsonObject) -> int | None:
    counted = info.get("safetensors")
    return _count(counted.get("total")) or None if isinstance(counted, dict) else None


def _licence(info: JsonObject) -> str | None:
    card = info.get("cardData")
    values = card if isinstance(card, dict) else {}
    named = values.get("license")
    first = named[0] if isinstance(named, list) and named else named
    if first == "other":
        first = values.get("license_name") or first
    if isinstance(first, str):
        return _plain(first)
    tags = info.get("tags")
    texts = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return next((_plain(tag.removeprefix("license:")) for tag in texts if "license:" in tag), None)


def _count(value: object) -> int | None:
    """A number of bytes, weights or tokens; None for what can be none."""
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_COUNT
    return value if sound else None  # type: ignore[return-value]


def _plain(text: str) -> str:
    """The beginning of a text, without what steers a terminal."""
    return "".join(sign for sign in text[:80] if sign.isprintable())


def _shape(config: JsonObject) -> JsonObject:
    inside = config.get("text_config")
    return {**config, **inside} if isinstance(inside, dict) else config
