"""Formats: files to rows, rows to examples, and votes that people already have."""
