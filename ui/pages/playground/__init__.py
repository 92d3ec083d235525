"""Playground: one prompt, several models."""
