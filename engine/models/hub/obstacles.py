"""What stands against adding a repository of the Hub as a base: obstacles beside its facts."""

import re

from engine.core.hub import Architecture, HubBase, HubGate, Obstacle
from engine.models.hub import client, download
from engine.models.hub.facts import Repository

NEEDED = frozenset({"tokenizer.json", "tokenizer_config.json"})
OF_ARCHITECTURE = {
    Architecture.REMOTE_CODE: Obstacle.REMOTE_CODE,
    Architecture.UNKNOWN: Obstacle.UNKNOWN_ARCHITECTURE,
    Architecture.OTHER_TASK: Obstacle.OTHER_TASK,
}


def as_base(found: Repository, bytes_free: int) -> HubBase:
    """What is known of the repository itself, on a disk with so many free bytes."""
    return HubBase(
        name=found.name,
        revision=found.revision,
        parameters=found.parameters,
        bytes=found.bytes,
        files=found.files,
        licence=found.licence,
        gate=found.gate,
        terms_url=client.page(found.name),
        architecture=found.architecture,
        model_type=_model_type(found),
        chat_template=found.chat_template,
        context=found.context,
        obstacles=_obstacles(found, bytes_free),
        bytes_free=bytes_free,
    )


def _obstacles(found: Repository, bytes_free: int) -> tuple[Obstacle, ...]:
    against = []
    if found.gate not in (HubGate.OPEN, HubGate.GRANTED):
        against.append(Obstacle.GATE)
    if found.config == {}:
        return (Obstacle.NO_CONFIG,)
    if not found.has_weights:
        against.append(Obstacle.NO_SAFETENSORS)
    if found.architecture in OF_ARCHITECTURE:
        against.append(OF_ARCHITECTURE[found.architecture])
    if not {file.name for file in found.files} >= NEEDED:
        against.append(Obstacle.NO_TOKENIZER)
    if (found.config or {}).get("quantization_config"):
        against.append(Obstacle.QUANTISED)
    if bytes_free < download.room_needed(found.bytes):
        against.append(Obstacle.NO_ROOM)
    return tuple(against)


def _model_type(found: Repository) -> str | None:
    kind = (found.config or {}).get("model_type")
    return kind[:60] if isinstance(kind, str) and re.fullmatch(r"[\w.-]+", kind) else None
