"""Language models: find, convert, tokenise, render, answer.

Which ones a project has is `services/models`; their table is `store/models.py`.
"""
