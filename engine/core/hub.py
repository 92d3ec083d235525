"""A base model on the Hugging Face Hub, as it is known before anything of it is downloaded."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.core.recipe import Tuning

# of a repository: an organisation and a name; older ones have the name alone
NAME = r"^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"
COMMIT = r"^[0-9a-f]{40}$"
# that a download leaves free on the disk: the database and logs lie there too
SPARE_BYTES = 500_000_000


class HubGate(StrEnum):
    """Whether the files may be read with the token that is used here."""

    OPEN = "open"  # by everybody
    GRANTED = "granted"
    NO_TOKEN = "no_token"
    BAD_TOKEN = "bad_token"
    TOKEN_SCOPE = "token_scope"  # a fine-grained token that leaves out gated models
    TERMS = "terms"  # the token's account has not accepted the terms
    WAITING = "waiting"  # it has, and the makers have not answered


class Architecture(StrEnum):
    """Whether the installed library runs the model with code of its own."""

    KNOWN = "known"
    OTHER_TASK = "other_task"  # known, and does not write text
    REMOTE_CODE = "remote_code"  # it brings its own code, which is never run
    UNKNOWN = "unknown"
    UNREAD = "unread"  # its configuration may not be read yet


class Obstacle(StrEnum):
    """Why a base cannot be added."""

    GATE = "gate"
    NO_CONFIG = "no_config"
    NO_SAFETENSORS = "no_safetensors"
    NO_TOKENIZER = "no_tokenizer"
    REMOTE_CODE = "remote_code"
    UNKNOWN_ARCHITECTURE = "unknown_architecture"
    OTHER_TASK = "other_task"
    QUANTISED = "quantised"
    NO_ROOM = "no_room"


TuningVerdict = Literal["fits", "tight", "with_changes", "impossible", "unavailable"]


class TuningFit(BaseModel):
    """Whether a training of a base fits this machine; memory in bytes.

    `changes` are the settings with which it would, `reason` says why it is unavailable.
    """

    model_config = ConfigDict(frozen=True)

    tuning: Tuning
    verdict: TuningVerdict
    memory_needed: int
    memory_usable: int
    changes: str = ""
    reason: str = ""


class HubFile(BaseModel):
    """A file of a repository that is downloaded; of the two hashes the Hub gives one."""

    model_config = ConfigDict(frozen=True)

    name: str
    bytes: int
    sha256: str | None = None
    git_sha1: str | None = None  # of a blob of git


class HubMatch(BaseModel):
    """A base that a search found; what the Hub does not say is None."""

    model_config = ConfigDict(frozen=True)

    name: str
    parameters: int | None = None
    licence: str | None = None
    gated: bool = False
    downloads: int | None = None  # in 30 days


class HubBase(BaseModel):
    """A base at one commit: what it is, and whether it can be added and trained here.

    `bytes` are what a download takes, of `files`; `context` is in tokens. `terms_url` is where
    the terms of a gated model are accepted.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    revision: str
    parameters: int | None
    bytes: int
    files: tuple[HubFile, ...]
    licence: str | None
    gate: HubGate
    terms_url: str
    architecture: Architecture
    model_type: str | None
    chat_template: bool | None  # None: its files may not be read yet
    context: int | None
    tuning: tuple[TuningFit, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    bytes_free: int | None = None  # on the disk that it would go to
    model_id: str | None = None  # of the base here, where this commit has been added


CatalogFact = Literal["parameters", "licence", "context"]


class CatalogEntry(BaseModel):
    """A base that is a good start; `parameters` is rounded, `context` is in tokens.

    `unchecked` names the facts that nobody compared with the makers' files on the day of the list.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    parameters: float
    licence: str
    context: int
    gated: bool = False
    good_for: str
    unchecked: tuple[CatalogFact, ...] = ()


class Catalog(BaseModel):
    """Bases by size, as they were known on the day `dated`."""

    model_config = ConfigDict(frozen=True)

    dated: str
    bases: tuple[CatalogEntry, ...]


class HubSearch(BaseModel):
    """What a search found; `problem` says why the Hub could not be asked."""

    model_config = ConfigDict(frozen=True)

    models: tuple[HubMatch, ...] = ()
    catalog: Catalog
    problem: str | None = None
