"""A bucket: named files that are written whole, listed and read. No database ever lies in one.

It is a bucket of the Hugging Face Hub, spoken to over HTTPS, or a folder that one is mounted at. A
file is confirmed when the Hub has answered that it took it, or when the folder's file system has
flushed it: a mount that writes behind may still lose what it said it had.
"""

import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

from huggingface_hub import BucketFile, HfApi
from huggingface_hub.errors import HfHubHTTPError

from engine.core.errors import Unavailable, UserError
from engine.files import sha256_of_file

PLACE = "tuneloop"  # the folder in a bucket
AWAY = "Try again in a moment; if this stays, see that the bucket exists and may be written to."


class BucketStorage(Protocol):
    """Names are relative paths with `/`. Unavailable where the bucket can't be reached."""

    def put(self, name: str, source: Path) -> None:
        """Store the file under a name; when this returns it is confirmed."""
        ...

    def get(self, name: str, target: Path) -> None:
        """Write the content of a name to a new file."""
        ...

    def names(self, prefix: str) -> list[str]:
        """The names that begin so, sorted."""
        ...

    def remove(self, names: list[str]) -> None:
        """Delete them; what is not there is no error."""
        ...


def opened(where: str) -> BucketStorage:
    """The bucket that `where` names: an absolute path, or owner/name on the Hub."""
    if Path(where).is_absolute():
        return FolderBucket(Path(where) / PLACE)
    if where.count("/") == 1 and all(where.split("/")):
        return HubBucket(where)
    raise UserError(
        f"{where[:80]!r} names no bucket.",
        "Set TUNELOOP_BUCKET to owner/name, or to the path that a bucket is mounted at.",
    )


class FolderBucket:
    """A folder, such as the place where a bucket is mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, source: Path) -> None:
        """Copy it aside, flush, rename, and read it again."""
        target = self.folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, aside = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
            with os.fdopen(handle, "wb") as file, source.open("rb") as content:
                while piece := content.read(2**20):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, target)
            if sha256_of_file(target) != sha256_of_file(source):
                raise OSError("it reads otherwise than it was written")
        except OSError as error:
            raise _away(error) from None

    def get(self, name: str, target: Path) -> None:
        """Copy it to a file of this machine."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with (self.folder / name).open("rb") as content, target.open("wb") as file:
                while piece := content.read(2**20):
                    file.write(piece)
        except OSError as error:
            raise _away(error) from None

    def names(self, prefix: str) -> list[str]:
        """What was written whole."""
        try:
            found = [path for path in self.folder.rglob("*") if path.is_file()]
        except OSError as error:
            raise _away(error) from None
        named = (path.relative_to(self.folder) for path in found if path.name[0] != ".")
        return sorted(str(each) for each in named if str(each).startswith(prefix))

    def remove(self, names: list[str]) -> None:
        """Delete them."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


class HubBucket:
    """A bucket of the Hub over HTTPS; the token is that of HF_TOKEN."""

    def __init__(self, bucket: str, api: Any = None) -> None:
        self.bucket = bucket
        self.api = api or HfApi()

    def put(self, name: str, source: Path) -> None:
        """The Hub's answer is the confirmation."""
        self._ask(
            lambda: self.api.batch_bucket_files(self.bucket, add=[(source, f"{PLACE}/{name}")])
        )

    def get(self, name: str, target: Path) -> None:
        """Download it."""
        target.parent.mkdir(parents=True, exist_ok=True)
        wanted: list[tuple[str | BucketFile, str | Path]] = [(f"{PLACE}/{name}", target)]
        self._ask(
            lambda: self.api.download_bucket_files(self.bucket, wanted, raise_on_missing_files=True)
        )

    def names(self, prefix: str) -> list[str]:
        """What the Hub lists."""
        listed = self._ask(
            lambda: list(self.api.list_bucket_tree(self.bucket, PLACE, recursive=True))
        )
        files = (each.path for each in listed if each.type == "file")
        named = (str(path).removeprefix(f"{PLACE}/") for path in files)
        return sorted(each for each in named if each.startswith(prefix))

    def remove(self, names: list[str]) -> None:
        """Delete them in one call."""
        paths = [f"{PLACE}/{name}" for name in names]
        self._ask(lambda: self.api.batch_bucket_files(self.bucket, delete=paths))

    def _ask(self, call: Any) -> Any:
        try:
            return call()
        except (HfHubHTTPError, OSError, ValueError) as error:
            raise _away(error) from error


def _away(error: Exception) -> Unavailable:
    reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
    return Unavailable(f"The bucket can't be used, so this was not saved: {reason}.", AWAY)
