"""Parts that several pages share.

`refresh` draws only what changed; how often a page asks is `POLL_EVERY_S` of its own `tab.py`.
"""
