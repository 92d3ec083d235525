"""Bodies of jobs that do not train: evaluation, answers of a round, studies, exports.

The queue that runs them is `services/jobs`; its table is `store/jobs.py`.
"""
