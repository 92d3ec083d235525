"""The project's own sample data, and the job that runs the whole loop on it.

library_faq.jsonl      324 questions to the help desk of "Harbour Library" and their answers, in
                       the prompt_completion layout: 36 topics, each with one answer and nine
                       wordings of the question. Neighbouring rows are of different topics.
library_prompts.jsonl  72 further wordings, two a topic: {"prompt", "references": [the answer]}.

The library, its prices and its opening hours are invented. The rows carry no group, because the
task is to recognise a new wording of a known question: a held-out row has its topic in training.

Both files are original work written for this project, under its licence (Apache-2.0).
"""
