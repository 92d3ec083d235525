"""Everything in a bucket that a server needs to start again on an empty disk.

    database/NUMBER-HASH.db   a copy of the database; it holds the votes of segments below NUMBER
    votes/NUMBER-HASH.json    votes that came after it, one closed segment for each upload
    files/...                 datasets, models and answers

The database itself stays on the local disk. A vote is said to be saved when the segment that holds
it is confirmed; raters who vote at the same time share one. Where a vote belongs to a comparison
that no copy in the bucket knows, a new copy goes first. Every few minutes, and after somebody's
votes were deleted, a new copy replaces the old one and the segments it holds.
"""

import logging
import re
import tempfile
import threading
from pathlib import Path

from engine.core.actor import LOCAL
from engine.core.errors import Conflict, UserError
from engine.files import sha256_of_file, write_atomic
from engine.services import backups
from engine.services.off_site import segments
from engine.services.off_site.bucket import BucketStorage
from engine.store import kept_votes
from engine.store.connect import open_database, reading, writing
from engine.store.database_copies import check_copy, copy_to
from engine.workspace import DATABASE, Settings, Workspace

SWEEP_EVERY_S = 180.0
COPY = re.compile(r"database/(\d{12})-([0-9a-f]{32})\.db")
FILES = "files/"
LEFT_OUT = re.compile(r"(^|/)(\.|checkpoint)")  # half-written files, states of a training
log = logging.getLogger("tuneloop.off_site")


class Replica:
    """Keeps the votes of one workspace on SQLite in a bucket; one lives in the web process."""

    def __init__(self, ws: Workspace, bucket: BucketStorage) -> None:
        self._ws = ws
        self._server = ws.db.dialect.name != "sqlite"  # it keeps its rows itself
        self._bucket = bucket
        self._one = threading.Lock()  # a segment or a copy at a time; who waits finds it done
        self._kept: set[str] = set()
        self._comparisons: set[str] = set()
        self._files = _in_both(ws.files, bucket)
        self._copied = ""
        self._next = _next_number(bucket)
        self._stopped = threading.Event()

    def confirm(self) -> None:
        """Return when every committed vote is in the bucket; Unavailable where it can't be."""
        if self._server:
            return
        with self._one:
            with reading(self._ws.db) as conn:
                new = kept_votes.ids(conn) - self._kept
                rows = kept_votes.read(conn, new)
            if not new:
                return
            if {row["comparison_id"] for row in rows["assignment"]} <= self._comparisons:
                segment = segments.closed(self._next, rows)
                self._put(segment.name, segment.content)
                self._next += 1
                self._kept |= new
            else:
                self._copy()

    def renew(self) -> None:
        """Replace all that the bucket holds of the database: what was deleted here goes there."""
        with self._one:
            self._copied = ""
            self._copy()

    def sweep(self) -> None:
        """Bring files and changes that are no votes into the bucket."""
        with self._one:
            self._put_files()
            self._copy()

    def start(self) -> None:
        """Sweep now, and then every few minutes until `stop`."""
        self.sweep()
        threading.Thread(target=self._repeat, daemon=True, name="replica").start()

    def stop(self) -> None:
        """Sweep for the last time."""
        self._stopped.set()
        self._try()

    def _repeat(self) -> None:
        while not self._stopped.wait(SWEEP_EVERY_S):
            self._try()

    def _try(self) -> None:
        try:
            self.sweep()
        except UserError as error:
            log.warning("%s", error)

    def _copy(self) -> None:
        """A new copy of the database, where it changed; what it replaces goes afterwards."""
        if self._server:
            return
        with tempfile.TemporaryDirectory(prefix="tuneloop-copy-") as scratch:
            copy = Path(scratch) / DATABASE
            copy_to(self._ws.db, copy)
            digest = sha256_of_file(copy)[:32]
            if digest == self._copied:
                return
            kept, comparisons = _known(copy)
            older = [*self._bucket.names("database/"), *self._bucket.names(segments.FOLDER)]
            name = f"database/{self._next:012}-{digest}.db"
            self._bucket.put(name, copy)
        self._copied, self._kept, self._comparisons = digest, kept, comparisons
        self._bucket.remove([each for each in older if each != name])

    def _put_files(self) -> None:
        for path in sorted(self._ws.files.rglob("*")):
            name = path.relative_to(self._ws.files).as_posix()
            if LEFT_OUT.search(name) or path.is_symlink() or not path.is_file():
                continue
            mark = _mark(path)
            if self._files.get(name) != mark:
                self._bucket.put(FILES + name, path)
                self._files[name] = mark

    def _put(self, name: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="tuneloop-segment-") as scratch:
            path = Path(scratch) / "segment"
            write_atomic(path, content)
            self._bucket.put(name, path)


def restore(settings: Settings, bucket: BucketStorage) -> int | None:
    """Fill an empty home from the bucket: how many votes the segments brought to its copy.

    A home with its database gets what segments hold beyond it. None where the bucket holds no
    copy yet, and where the database is on a server. Conflict for a bucket of another database.
    """
    copies = [each for each in bucket.names("database/") if COPY.fullmatch(each)]
    for name in bucket.names(FILES):
        target = _inside(settings.home / "files", name.removeprefix(FILES))
        if not target.exists():
            bucket.get(name, target)
    if not copies or not settings.database_url.startswith("sqlite"):
        return None
    with tempfile.TemporaryDirectory(prefix="tuneloop-restore-") as scratch:
        first, copy = _whole_copy(bucket, copies, Path(scratch))
        if (settings.home / DATABASE).exists():
            _check_same(settings.home, copy)
        else:
            backups.restore(settings, LOCAL, copy)
        return _replayed(settings, bucket, first, Path(scratch))


def _whole_copy(bucket: BucketStorage, copies: list[str], scratch: Path) -> tuple[int, Path]:
    """The number of the first segment after the newest copy that is whole, and that copy."""
    for name in reversed(copies):
        number, digest = COPY.fullmatch(name).groups()  # type: ignore[union-attr]  # chosen so
        file = scratch / f"{digest}.db"
        bucket.get(name, file)
        if sha256_of_file(file)[:32] == digest:
            return int(number), file
        log.warning("The copy %s in the bucket is damaged.", name)
    raise UserError(
        "Every copy of the database in the bucket is damaged.",
        "Put one back as it was, or empty the bucket to begin anew.",
    )


def _check_same(home: Path, copy: Path) -> None:
    if check_copy(home / DATABASE) != check_copy(copy):
        raise Conflict(
            "The bucket keeps another database than the one in this data folder.",
            "Name the right bucket in TUNELOOP_BUCKET, or set TUNELOOP_HOME to an empty folder.",
        )


def _replayed(settings: Settings, bucket: BucketStorage, first: int, scratch: Path) -> int:
    found = 0
    db = open_database(settings.database_url)
    try:
        for name in bucket.names(segments.FOLDER):
            number = segments.number_of(name)
            if number is None or number < first:
                continue
            bucket.get(name, scratch / str(number))
            rows = segments.read(name, (scratch / str(number)).read_bytes())
            with writing(db) as conn:
                found += kept_votes.replay(conn, rows)
    finally:
        db.dispose()
    return found


def _known(copy: Path) -> tuple[set[str], set[str]]:
    """The votes and the comparisons in a copy of the database."""
    db = open_database(f"sqlite:///{copy}")
    try:
        with reading(db) as conn:
            return kept_votes.ids(conn), kept_votes.comparison_ids(conn)
    finally:
        db.dispose()


def _in_both(folder: Path, bucket: BucketStorage) -> dict[str, tuple[int, int]]:
    """Size and time of the files that a restore brought: they need not go back."""
    names = (each.removeprefix(FILES) for each in bucket.names(FILES))
    found = {name: _inside(folder, name) for name in names}
    return {name: _mark(path) for name, path in found.items() if path.is_file()}


def _mark(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def _next_number(bucket: BucketStorage) -> int:
    found = [segments.number_of(each) for each in bucket.names(segments.FOLDER)]
    found += [int(each[1]) - 1 for each in map(COPY.fullmatch, bucket.names("database/")) if each]
    return max((each for each in found if each is not None), default=0) + 1


def _inside(folder: Path, name: str) -> Path:
    """The path of a name in a folder; UserError for one that leads out of it."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise UserError(f"The bucket holds a file with the name {name!r}.", "Remove it.")
    return path
