"""A folder becomes a commit of a repository on the Hugging Face Hub: private first, whole or not.

Files go up one by one and are seen by nobody until the one commit that names them all; what is
there already is not sent again, so a push that was cut off goes on where it was.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from engine.core.errors import NotFound, Unavailable, UserError
from engine.models.hub import client

TRIES = 3
OWN_FILES = frozenset({".gitattributes"})  # what a new repository holds by itself


class Pushed(NamedTuple):
    """Where a commit lies."""

    url: str
    commit: str


def checked_token() -> str:
    """The token of this server; UserError where it has none. It is for its header alone."""
    from huggingface_hub import get_token

    token = get_token()
    if not token:
        raise UserError(
            "This server has no token of the Hugging Face Hub.",
            "Set HF_TOKEN, or run hf auth login, where Tuneloop runs; the token needs the right to "
            "write.",
        )
    return token


def push(
    folder: Path,
    name: str,
    *,
    private: bool,
    add_to_existing: bool,
    message: str,
    say: Callable[[str], None],
    done: Callable[[int, int], None],
) -> Pushed:
    """Everything in `folder` as one commit of the repository `name`.

    `done` hears how many of how many files are there, and may raise to stop. UserError says which
    right is missing, that the repository holds something else, or that it is not private.
    """
    from huggingface_hub import HfApi

    api = HfApi(endpoint=client.address(), token=checked_token())
    asked = _Push(api, client.checked_name(name))
    asked.repository(private, add_to_existing)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    operations = asked.sent(folder, files, say, done)
    commit = asked.commit(operations, message)
    return Pushed(f"{client.address()}/{asked.name}", commit)


class _Push:
    """The calls of one push, each with what its refusal means."""

    def __init__(self, api: Any, name: str) -> None:
        self.api, self.name = api, name

    def repository(self, private: bool, add_to_existing: bool) -> None:
        """Make it, or see that it may be written to; nothing is sent before it is as private."""
        if not self._made(private) and not add_to_existing and self._holds():
            raise UserError(
                f"{self.name} is on the Hub already and holds files.",
                "Name another repository, or say that a commit may be added to it.",
            )
        if private:
            self._see_private()

    def sent(
        self,
        folder: Path,
        files: list[Path],
        say: Callable[[str], None],
        done: Callable[[int, int], None],
    ) -> list[Any]:
        """The operations of a commit, whose large files are at the Hub."""
        from huggingface_hub import CommitOperationAdd

        operations = []
        for number, path in enumerate(files):
            name = path.relative_to(folder).as_posix()
            say(f"{name} goes to {self.name}.")
            operation = CommitOperationAdd(name, str(path))
            self._tried(partial(self.api.preupload_lfs_files, self.name, [operation]))
            operations.append(operation)
            done(number + 1, len(files))
        return operations

    def commit(self, operations: list[Any], message: str) -> str:
        """Its hash."""
        made = self._tried(
            lambda: self.api.create_commit(self.name, operations, commit_message=message)
        )
        return str(made.oid)

    def _made(self, private: bool) -> bool:
        """Whether the repository is new."""

        def make() -> bool:
            self.api.create_repo(self.name, private=private, exist_ok=False)
            return True

        return bool(self._tried(make, exists=False))

    def _holds(self) -> bool:
        found = self._tried(lambda: self.api.model_info(self.name)).siblings or []
        return bool({each.rfilename for each in found} - OWN_FILES)

    def _see_private(self) -> None:
        def is_private() -> bool:
            return bool(self._tried(lambda: self.api.model_info(self.name)).private)

        if is_private():
            return
        try:
            self._tried(lambda: self.api.update_repo_settings(self.name, private=True))
        except Unavailable:
            raise
        except UserError:
            raise self._public() from None
        if not is_private():
            raise self._public()

    def _public(self) -> UserError:
        return UserError(
            f"{self.name} is public and cannot be made private; nothing was sent.",
            "Name another repository, or choose a public one.",
        )

    def _tried(self, call: Callable[[], Any], exists: Any = None) -> Any:
        """What the Hub gives, or `exists` where the name is taken; a cut is tried again."""
        why = ""
        for _ in range(TRIES):
            try:
                return call()
            except ValueError as error:  # what the client checks before it asks
                raise UserError(
                    f"The Hub does not take this: {str(error).splitlines()[0][:200]}.",
                    "Change what it names.",
                ) from None
            except Exception as error:
                status, why = _reason(error)
            if status == 409 and exists is not None:
                return exists
            if status < 500:
                raise self._refused(status)
        if why == "OfflineModeIsEnabled":
            raise client.unreachable(why)
        raise Unavailable(
            f"The connection to the Hugging Face Hub was cut ({why}); the repository is as it was.",
            "Export again: files that arrived are not sent again.",
        )

    def _refused(self, status: int) -> UserError:
        if status == 401:
            return UserError(
                "The Hugging Face Hub does not accept this server's token.",
                "Set another HF_TOKEN, or run hf auth login, where Tuneloop runs.",
            )
        if status == 403:
            return UserError(
                f"This server's token may not write to {self.name}.",
                "Give the token the right to write there, or name a repository of its owner.",
            )
        if status == 404:
            return NotFound(
                f"The Hub has no {self.name} that this server's token may see.", "Check the name."
            )
        if status == client.TOO_MANY:
            return Unavailable("The Hugging Face Hub wants fewer requests.", "Wait some minutes.")
        return UserError(
            f"The Hugging Face Hub refused {self.name} (status {status}).",
            "Look at its page on the Hub.",
        )


def _reason(error: Exception) -> tuple[int, str]:
    """The Hub's status, or 500 for a connection that broke; anything else is raised again."""
    inner = error.__cause__ if isinstance(error, RuntimeError) else error
    response = getattr(inner, "response", None)
    if response is not None:
        return int(response.status_code), f"status {response.status_code}"
    if isinstance(inner, OSError) or type(inner).__module__.startswith(("httpx", "httpcore")):
        return 500, type(inner).__name__
    raise error
