"""The API of OpenAI's protocol over the models of a project: chat, files, trainings, feedback.

A process of its own, since it loads models: `tuneloop api`. Its routes call the services, as the
pages do; models answer in `engine/models/request_scheduler.py`.
"""
