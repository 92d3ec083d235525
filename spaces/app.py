"""A Space: the same server as everywhere, on the disk that a Space has, kept in its bucket."""

import os
import sys
import tempfile
from pathlib import Path

from engine.core.errors import UserError
from ui import server

VOLUME = Path("/data")


def bucket() -> str:
    """The bucket that is named, or that is mounted at /data; empty for none."""
    mounted = str(VOLUME) if os.access(VOLUME, os.W_OK) else ""
    return os.environ.get("TUNELOOP_BUCKET") or mounted


def main() -> None:
    """Serve until stopped, on the port that Spaces look at."""
    # always on the Space's own disk: a database on a bucket can lose votes
    folder = Path(tempfile.mkdtemp(prefix="tuneloop-"))
    os.environ |= {"TUNELOOP_SPACE": "1", "TUNELOOP_HOME": str(folder), "TUNELOOP_BUCKET": bucket()}
    try:
        server.serve(folder, "0.0.0.0", int(os.environ.get("PORT", "7860")), space=True)
    except UserError as error:
        sys.exit(f"Error: {error}")  # one sentence at the end of the Space's log


if __name__ == "__main__":
    main()
