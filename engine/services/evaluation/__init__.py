"""Evaluation: scores, reports, leaderboard, slices, benchmarks and the LLM judge.

`gate` decides whether a blind round may start, `recommendation` what to do after an evaluation;
`contamination` counts questions that a model was trained on before an evaluation starts (the job
finds the rows: `jobs/contamination`; splits are compared in `services/data/leakage`).
"""
