"""Checks: findings in a dataset and the fixes that remove them; `plugins.py` lists both."""
