"""Core: the values that everything shares, and their rules; nothing here reads or writes."""
