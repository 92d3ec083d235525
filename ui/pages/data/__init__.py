"""Data: upload, preview, cleaning and versions of datasets."""
