"""Evaluation: scores, reports, leaderboard, slices, benchmarks and the LLM judge."""
