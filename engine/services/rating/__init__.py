"""Rating: rounds, comparisons, assignments, votes, raters, gold items and the audit log.

`comparisons` puts answers left and right for the first rater, `assignment` chooses who sees which
comparison next, `plans` says how many are needed, `vote_counts` counts, `round_verdict` decides,
and `report` puts both together for a page.
"""
