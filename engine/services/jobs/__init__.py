"""Jobs: submit, watch, stop, list and compare them; the queue; how long files are kept."""
