"""Models: the bases, and what a project trained."""
