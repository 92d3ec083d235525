"""Votes and files kept in a bucket, for a machine whose own disk is emptied when it restarts."""
