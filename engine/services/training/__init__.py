"""Training: estimates before a start, and what earlier trainings showed."""
