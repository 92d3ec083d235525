"""The engine: everything that is not a page."""
