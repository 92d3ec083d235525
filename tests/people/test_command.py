"""tuneloop people: the accounts of a server, from its own machine."""

import json

import pytest

from engine.services.people import password, sign_in
from engine.workspace import open_workspace


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setattr(password, "COST", 16)


def test_people_list_without_accounts_says_that_sign_in_is_off(tuneloop):
    assert tuneloop("people", "list") == (
        0,
        "There are no accounts; the web app requires no sign-in.\n",
        "",
    )


def test_account_is_added_changed_closed_and_opened_again(tuneloop):
    assert tuneloop("people", "add", "Olga", "--role", "owner")[0] == 0
    code, out, _ = tuneloop("people", "add", "Ada", "--role", "trainer", "--json")
    assert code == 0
    path = json.loads(out)["path"]
    ws = open_workspace()
    sign_in.accept(ws, path.rpartition("/")[2], "Ada", "four words in a row")
    ws.close()
    assert tuneloop("people", "change", "ada", "--role", "rater")[1] == "Ada is rater now.\n"
    assert "closed" in tuneloop("people", "close", "Ada")[1]
    said = tuneloop("people", "list")[1].splitlines()
    assert [line.split()[:2] for line in said] == [["Ada", "rater"], ["Olga", "owner"]]
    assert said[0].endswith("closed")
    assert said[1].endswith("has no password yet")
    assert tuneloop("people", "reopen", "Ada")[1] == "Ada can sign in again.\n"


def test_lost_password_is_a_new_link(tuneloop):
    first = json.loads(tuneloop("people", "add", "Ada", "--role", "owner", "--json")[1])["path"]
    second = json.loads(tuneloop("people", "link", "Ada", "--json")[1])["path"]
    assert first != second
    ws = open_workspace()
    assert sign_in.begin(ws, second.rpartition("/")[2]) == ("Ada", True)
    ws.close()


def test_project_is_named_as_everywhere(tuneloop):
    code, _, err = tuneloop("people", "add", "Ada", "--role", "rater", "--project", "No such")
    assert (code, "No such" in err) == (4, True)
    assert "There are no accounts" in tuneloop("people", "list")[1]


def test_unknown_account_is_one_sentence(tuneloop):
    code, _, err = tuneloop("people", "close", "Eve")
    assert code == 4
    assert "Nobody is called 'Eve'." in err
