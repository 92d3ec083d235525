"""Programs that run without anything of Tuneloop.

`train.py` goes into an ejected run. The others answer with an exported model, `python FILE FOLDER`:
each reads {"questions": [[message]], "max_new_tokens": int, "base": folder} from its input and
writes one line of JSON an answer: prompt_text, prompt_ids, text, finished, truncated.
"""
