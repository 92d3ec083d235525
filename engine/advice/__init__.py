"""Advice: what a training will take in memory and time, and a smaller setting that fits."""
