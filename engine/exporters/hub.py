"""A repository on the Hugging Face Hub: the adapter, or the merged model, with its card."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.core.errors import UserError
from engine.exporters import adapter, merged
from engine.exporters.source import Source
from engine.models.hub import client, upload
from engine.models.hub.upload import Pushed

TITLE = "Hugging Face Hub"
SUMMARY = "A repository, private by default, with the adapter or the merged model and its card."
OPTIONS = ("repository", "private")
RUNTIME = merged.RUNTIME


def check(fields: Mapping[str, Any]) -> None:
    """UserError for a repository whose name the Hub does not take."""
    if not fields["repository"]:
        raise UserError("The repository on the Hub has no name.", "Name it as OWNER/NAME.")
    client.checked_name(fields["repository"])


def export(source: Source, out: Path) -> None:
    """What is pushed afterwards. The name and the token are looked at first: they cost nothing."""
    check({"repository": source.repository})
    upload.checked_token()
    (adapter if source.files.adapter is not None else merged).export(source, out)


def publish(
    source: Source, folder: Path, private: bool, add: bool, done: Callable[[int, int], None]
) -> Pushed:
    """Push `folder`, card and certificate with it, as one commit."""
    return upload.push(
        folder,
        source.repository,
        private=private,
        add_to_existing=add,
        message=f"{source.files.model.name}, exported by Tuneloop",
        say=source.say,
        done=done,
    )
