"""Statistics: intervals, paired tests, the verdict of a blind round, agreement, ranking, power."""
