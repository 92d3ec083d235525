"""Data: dataset versions, previews, cleaning, splits, leakage and statistics."""
