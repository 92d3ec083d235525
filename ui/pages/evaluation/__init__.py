"""Evaluation: start one, read its scores, its answers and the leaderboard."""
