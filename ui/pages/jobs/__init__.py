"""Jobs: everything a project computes, the newest first, and one of them live."""
