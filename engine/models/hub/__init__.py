"""Bases of the Hugging Face Hub: search, facts, download; of HTTP alone, without torch."""
