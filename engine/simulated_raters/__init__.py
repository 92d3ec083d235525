"""Simulated raters, each with a stated rule; people are in `services/rating`."""
