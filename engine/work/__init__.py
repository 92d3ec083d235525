"""Work: the bodies of jobs that do not train: evaluation, answers of a round, studies, exports."""
