"""Metrics: scores of answers against references, each described for forms and reports.

`catalogue` lists them, `options` reads what stands behind the colon (`bleu:tokenize=intl`), and
each module names its own options. `llm_judge` asks an endpoint which of two answers is better.
"""
