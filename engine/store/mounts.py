"""Refuses a SQLite file on a network file system or bucket, by the mounts of this process.

SQLite keeps its promises by locks and by writes that have reached the disk. A mounted bucket and a
network file system give neither: two processes may write at once, and what was written last may be
gone after a crash.
"""

import re
from pathlib import Path
from typing import NamedTuple

from engine.core.errors import UserError

MOUNTS = Path("/proc/self/mountinfo")
# NFS, SMB, clusters, and what virtual machines and sandboxes share with their host
REMOTE = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "9p", "ceph",
        "glusterfs", "lustre", "gpfs", "beegfs", "orangefs", "pvfs2", "ocfs2", "gfs2", "davfs",
        "virtiofs", "vboxsf", "prl_fs", "drvfs", "fakeowner",
    }
)  # fmt: skip
LOCAL_FUSE = frozenset({"fuseblk"})  # a disk of this machine, such as NTFS


class Mount(NamedTuple):
    """Where something is mounted, and of what kind it is."""

    place: Path
    kind: str

    @property
    def is_remote(self) -> bool:
        """Whether it is a network file system, or a program that stands for one (FUSE)."""
        if self.kind in LOCAL_FUSE:
            return False
        return self.kind in REMOTE or self.kind.partition(".")[0] == "fuse"


def mounts(text: str) -> list[Mount]:
    """The mounts that `text` in the form of /proc/self/mountinfo names, in its order."""
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) > 4 and after:
            found.append(Mount(Path(_unescaped(fields[4])), after.split(" ")[0]))
    return found


def mount_of(path: Path, text: str) -> Mount | None:
    """The mount that a path without links lies on: the deepest, of two at one place the later."""
    above = {path, *path.parents}
    found = [each for each in mounts(text) if each.place in above]
    deepest = max((len(each.place.parts) for each in found), default=0)
    return next((each for each in reversed(found) if len(each.place.parts) == deepest), None)


def refuse_remote(file: Path) -> None:
    """UserError where a database in this file would lie on a mounted bucket or a network."""
    try:
        text = MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # another system than Linux: nothing is known
        return
    mount = mount_of(file.resolve(), text)
    # a machine that starts from the network has no disk that would be better
    if mount is not None and mount.is_remote and mount.place != Path("/"):
        raise UserError(
            f"The database {file.name} would lie on {mount.place}, a mounted bucket or network "
            f"file system ({mount.kind}), where SQLite can lose votes.",
            "Set TUNELOOP_HOME to a folder on this machine's own disk, or TUNELOOP_DATABASE_URL "
            "to a PostgreSQL server.",
        )


def _unescaped(text: str) -> str:
    """Blanks and the like stand in it as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
