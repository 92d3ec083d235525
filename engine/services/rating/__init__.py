"""Rating: rounds, comparisons, assignments, votes, raters, gold items and the audit log."""
