"""A feature is a function; how it reads with more and with less of it are its attributes."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from engine.core.examples import Message

Prompts = Sequence[Sequence[Message]]
References = Sequence[Sequence[str]]  # accepted answers, for each prompt
Feature = TypeVar("Feature", bound=Callable[..., list[float]])


def described(more: str, less: str) -> Callable[[Feature], Feature]:
    """Give a feature its names: "longer" where more of it is preferred, else "shorter"."""

    def with_names(feature: Feature) -> Feature:
        feature.MORE, feature.LESS = more, less  # type: ignore[attr-defined]
        return feature

    return with_names
