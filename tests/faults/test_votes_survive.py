"""Votes while the server is killed, the database is locked, the disk is full, a backup is made."""

from tests.faults.kills import kill_often


def test_no_acknowledged_vote_is_lost_in_25_kills_of_the_server(space, tmp_path):
    told = kill_often(space, tmp_path, kills=25)
    print(told)
    assert (told.lost, told.twice, told.foreign, told.refused) == (0, 0, 0, [])
    assert told.acknowledged > 100
    assert told.again > 0  # else no kill ever met a vote
