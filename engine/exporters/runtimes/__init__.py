"""Programs that answer with an exported model and nothing of Tuneloop: `python FILE FOLDER`.

Each reads {"questions": [[message]], "max_new_tokens": int, "base": folder} from its input and
writes one line of JSON an answer: prompt_text, prompt_ids, text, finished, truncated.
"""
