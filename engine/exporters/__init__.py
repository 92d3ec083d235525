"""Exporters: a trained model as files that other programs read, and proof that they do."""
