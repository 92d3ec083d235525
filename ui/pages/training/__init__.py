"""Training: the form of a method, the estimate, the start."""
