"""Reports to take along: files that open anywhere and need nothing else."""
