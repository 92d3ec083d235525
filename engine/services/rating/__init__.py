"""Rating: rounds, comparisons, assignments, votes, raters, gold items and the audit log.

`comparisons` puts answers left and right for the first rater, `assignment` chooses who sees which
comparison next, `plans` says how many are needed, `report` counts and calls the verdict.
"""
