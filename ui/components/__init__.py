"""Parts that several pages share.

`refresh` draws only what changed; how often a page asks is said where it calls `markup.live`, and
`static/poll_pace.js` makes it rarer while nothing happens.
"""
