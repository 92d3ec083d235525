"""Metrics: scores of answers against references, each described for forms and reports."""
