"""Jobs: submit, watch, stop, list and compare them; the queue; how long files are kept.

What a job does is in `engine/jobs` and `engine/methods`; how its end is stored in
`services/job_outcomes`; a worker claims it in `store/jobs`.
"""
