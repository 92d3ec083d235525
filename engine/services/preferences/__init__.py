"""Preferences: from votes to preference pairs, their rules, manifest and lineage."""
