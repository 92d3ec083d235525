"""Experiment trackers a training is also written to; each returns transformers' own callback."""
