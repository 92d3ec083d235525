"""People: accounts, roles and sessions.

`sign_in` starts and ends sessions and says how long they last, `throttle` counts wrong passwords,
`password` hashes, `acting` is the actor of a job that runs for somebody.
"""
