"""A Space: the same server as everywhere, on the disk that a Space has."""

import os
import tempfile
from pathlib import Path

from ui import server

VOLUME = Path("/data")


def home() -> Path:
    """A folder that outlives a restart where a volume is mounted, else one that doesn't."""
    if os.access(VOLUME, os.W_OK):
        return VOLUME / "tuneloop"
    return Path(tempfile.mkdtemp(prefix="tuneloop-"))


def main() -> None:
    """Serve until stopped, on the port that Spaces look at."""
    folder = home()
    os.environ |= {"TUNELOOP_SPACE": "1", "TUNELOOP_HOME": str(folder)}
    server.serve(folder, "0.0.0.0", int(os.environ.get("PORT", "7860")), space=True)


if __name__ == "__main__":
    main()
