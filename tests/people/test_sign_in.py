"""Accounts and signing in: links that work once, passwords, tries, and what a role may do where."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.core.actor import LOCAL, Role
from engine.core.errors import Conflict, Forbidden, NotFound, SignedOut, UserError
from engine.services import projects
from engine.services.people import accounts, password, sign_in
from engine.store import accounts as store_accounts
from engine.store.connect import reading
from tests import helpers

WORDS = "four words in a row"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    """Scrypt of 16 KiB instead of 32 MiB; what is kept says so itself."""
    monkeypatch.setattr(password, "COST", 16)


def owner(ws):
    """The first owner: what their browser holds."""
    return sign_in.accept(ws, accounts.first_link(ws), "Olga", WORDS)


def let_in(ws, name, role="trainer", joined=()):
    made, token = accounts.add(ws, LOCAL, name, role, list(joined))
    return made, sign_in.accept(ws, token, name, WORDS)


def test_sign_in_link_sets_a_password_once_and_signs_in(ws):
    made, token = accounts.add(ws, LOCAL, "Ada Lovelace", "trainer")
    assert sign_in.begin(ws, token) == ("Ada Lovelace", True)
    browser = sign_in.accept(ws, token, "Ada L.", WORDS)
    found = sign_in.actor(ws, browser)
    assert (found.name, found.role, found.projects) == ("Ada L.", Role.TRAINER, frozenset())
    for again in (lambda: sign_in.begin(ws, token), lambda: sign_in.accept(ws, token, "A", WORDS)):
        with pytest.raises(NotFound, match="works once"):
            again()
    assert accounts.get(ws, LOCAL, made.id).has_password


def test_database_holds_neither_passwords_nor_session_tokens(ws, home):
    browser = owner(ws)
    _, link = accounts.add(ws, LOCAL, "Ada", "rater")
    with reading(ws.db) as conn:
        tables = ("person", "signed_in")
        kept = repr([conn.exec_driver_sql(f"SELECT * FROM {t}").fetchall() for t in tables])
    assert kept.count("scrypt$") == 1
    for secret in (WORDS, browser, link):
        assert secret not in kept


def test_first_link_is_renewed_until_an_owner_has_come(ws):
    first = accounts.first_link(ws)
    second = accounts.first_link(ws)
    with pytest.raises(NotFound):
        sign_in.begin(ws, first)
    sign_in.accept(ws, second, "Olga", WORDS)
    assert accounts.first_link(ws) is None


def test_sign_in_link_expires_after_a_week(ws, monkeypatch):
    _, token = accounts.add(ws, LOCAL, "Ada", "trainer")
    later = time.time() + accounts.LINK_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(Conflict, match="older than a week"):
        sign_in.begin(ws, token)


def test_name_and_password_sign_in_however_the_name_is_typed(ws):
    let_in(ws, "Ada")
    for typed in ("Ada", " ADA ", "ada"):
        assert sign_in.actor(ws, sign_in.sign_in(ws, typed, WORDS)).name == "Ada"


@pytest.mark.parametrize(("name", "tried"), [("Ada", "wrong words here"), ("Nobody", WORDS)])
def test_wrong_name_and_wrong_password_give_the_same_sentence(ws, name, tried):
    let_in(ws, "Ada")
    with pytest.raises(UserError, match="name or the password is wrong"):
        sign_in.sign_in(ws, name, tried)


def test_sign_in_attempts_are_throttled_across_restarts(ws, monkeypatch):
    let_in(ws, "Ada")
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    for _ in range(sign_in.FREE_TRIES["name"]):
        with pytest.raises(UserError, match="name or the password is wrong"):
            sign_in.sign_in(ws, "Ada", "wrong words here", "1.2.3.4")
    with pytest.raises(Forbidden, match="Too many wrong passwords"):
        sign_in.sign_in(ws, "Ada", WORDS, "5.6.7.8")  # the right one, from elsewhere
    now[0] += 1.1
    sign_in.sign_in(ws, "Ada", WORDS, "5.6.7.8")
    with pytest.raises(UserError, match="name or the password is wrong"):
        sign_in.sign_in(ws, "Ada", "wrong words here", "1.2.3.4")  # forgiven by the right one


def test_sign_in_throttle_locks_nobody_out_for_over_a_minute(ws, monkeypatch):
    let_in(ws, "Ada")
    now, refused = [time.time()], 0
    monkeypatch.setattr(time, "time", lambda: now[0])
    for n in range(400):
        now[0] += 1.0
        try:
            sign_in.sign_in(ws, "Ada", "wrong words here", f"1.2.3.{n}")
        except Forbidden:
            refused += 1
        except UserError:
            pass
    assert refused > 350
    now[0] += sign_in.LONGEST_WAIT_S["name"]
    assert sign_in.sign_in(ws, "Ada", WORDS, "5.6.7.8")


def test_sign_in_throttle_counts_attempts_by_address(ws):
    for n in range(sign_in.FREE_TRIES["from"]):
        with pytest.raises(UserError, match="name or the password is wrong"):
            sign_in.sign_in(ws, f"name {n}", "wrong words here", "1.2.3.4")
    with pytest.raises(Forbidden):
        sign_in.sign_in(ws, "another name", "wrong words here", "1.2.3.4")
    with pytest.raises(UserError, match="name or the password is wrong"):
        sign_in.sign_in(ws, "another name", "wrong words here", "5.6.7.8")


def test_sign_in_throttle_counts_concurrent_attempts(ws):
    let_in(ws, "Ada")

    def one(n):
        try:
            sign_in.sign_in(ws, "Ada", "wrong words here", f"1.2.3.{n}")
        except Forbidden:
            return "wait"
        except UserError:
            return "wrong"
        return "in"

    with ThreadPoolExecutor(8) as pool:
        said = Counter(pool.map(one, range(24)))
    assert said["in"] == 0
    assert 0 < said["wrong"] <= sign_in.FREE_TRIES["name"] + 1  # one more where a second went by
    assert said["wrong"] + said["wait"] == 24


def test_session_ends_after_half_a_day_idle_and_a_week_at_most(ws, monkeypatch):
    _, browser = let_in(ws, "Ada")
    start = now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    while now - start < sign_in.LONGEST_S:
        assert sign_in.actor(ws, browser), (now - start) / 3600
        now += 11.9 * 3600
    assert sign_in.actor(ws, browser) is None
    again = sign_in.sign_in(ws, "Ada", WORDS)
    now += sign_in.IDLE_S + sign_in.NOTED_S + 1
    assert sign_in.actor(ws, again) is None


def test_signing_out_ends_this_browser_and_a_new_password_ends_all_others(ws):
    _, first = let_in(ws, "Ada")
    second = sign_in.sign_in(ws, "Ada", WORDS)
    sign_in.sign_out(ws, first)
    assert sign_in.actor(ws, first) is None
    with pytest.raises(UserError, match="old password is not right"):
        sign_in.change_password(ws, second, "wrong words here", "other words in a row")
    third = sign_in.change_password(ws, second, WORDS, "other words in a row")
    assert sign_in.actor(ws, second) is None
    assert sign_in.actor(ws, third).name == "Ada"
    with pytest.raises(UserError):
        sign_in.sign_in(ws, "Ada", WORDS)
    with pytest.raises(SignedOut):
        sign_in.require(ws, second)


def test_new_link_ends_the_old_password_only_when_it_is_used(ws):
    made, browser = let_in(ws, "Ada")
    token = accounts.new_link(ws, LOCAL, made.id)
    assert sign_in.actor(ws, browser)
    assert sign_in.begin(ws, token) == ("Ada", False)
    sign_in.accept(ws, token, "Somebody else", "other words in a row")
    assert accounts.get(ws, LOCAL, made.id).name == "Ada"  # it stands in votes by now
    assert sign_in.actor(ws, browser) is None


def test_closed_account_is_signed_out_and_stays_out(ws):
    owner(ws)
    made, browser = let_in(ws, "Ada")
    accounts.close(ws, LOCAL, made.id)
    assert sign_in.actor(ws, browser) is None
    with pytest.raises(UserError, match="name or the password is wrong"):
        sign_in.sign_in(ws, "Ada", WORDS)
    with pytest.raises(Conflict):
        accounts.new_link(ws, LOCAL, made.id)
    accounts.reopen(ws, LOCAL, made.id)
    assert sign_in.actor(ws, sign_in.sign_in(ws, "Ada", WORDS)).name == "Ada"


def test_last_owner_can_be_neither_closed_nor_demoted(ws):
    olga = accounts.find_by_name(ws, LOCAL, "Olga") if owner(ws) else None
    for refused in (
        lambda: accounts.close(ws, LOCAL, olga.id),
        lambda: accounts.change(ws, LOCAL, olga.id, "trainer", []),
    ):
        with pytest.raises(Conflict, match="only owner"):
            refused()
    let_in(ws, "Ida", "owner")
    assert accounts.change(ws, LOCAL, olga.id, "rater", []).role == "rater"


def test_role_change_holds_from_the_next_call_on(ws):
    one, other = helpers.project(ws, "One"), helpers.project(ws, "Other")
    made, browser = let_in(ws, "Ada", joined=[one.id])
    assert [p.id for p in projects.list_all(ws, sign_in.actor(ws, browser))] == [one.id]
    accounts.change(ws, LOCAL, made.id, "rater", [other.id])
    found = sign_in.actor(ws, browser)
    assert (found.role, found.projects) == (Role.RATER, frozenset({other.id}))
    with pytest.raises(NotFound):
        projects.get(ws, found, one.id)


def test_trainer_belongs_to_the_project_they_make_and_an_owner_to_all(ws):
    boss = owner(ws)
    _, browser = let_in(ws, "Ada")
    made = projects.create(ws, sign_in.actor(ws, browser), "Hers")
    assert [p.id for p in projects.list_all(ws, sign_in.actor(ws, browser))] == [made.id]
    _, stranger = let_in(ws, "Ben")
    assert projects.list_all(ws, sign_in.actor(ws, stranger)) == []
    assert [p.id for p in projects.list_all(ws, sign_in.actor(ws, boss))] == [made.id]


@pytest.mark.parametrize(
    "name",
    ["", "local", "Rater-1", "guest", "simulated-shorter", "deleted 3", "a" * 61, "<b>x", "a (b)"],
)
def test_account_name_that_could_be_confused_is_refused(ws, name):
    with pytest.raises(UserError):
        accounts.add(ws, LOCAL, name, "trainer")
    with reading(ws.db) as conn:
        assert store_accounts.list_all(conn) == []


@pytest.mark.parametrize("name", ["Ada", "Zoë O'Hara-Smith", "李 明", "Jürgen M. 2"])
def test_account_name_of_a_person_is_accepted(ws, name):
    assert accounts.add(ws, LOCAL, name, "rater")[0].name == name


def test_one_name_is_one_account(ws):
    accounts.add(ws, LOCAL, "Ada", "trainer")
    with pytest.raises(UserError, match="has an account already"):
        accounts.add(ws, LOCAL, "ADA", "rater")
    _, token = accounts.add(ws, LOCAL, "Ben", "rater")
    with pytest.raises(UserError, match="Somebody is called ada already"):
        sign_in.accept(ws, token, "ada", WORDS)


@pytest.mark.parametrize("short", ["", "nine char", "x" * 201])
def test_password_too_short_or_too_long_is_refused_and_the_link_still_works(ws, short):
    _, token = accounts.add(ws, LOCAL, "Ada", "trainer")
    with pytest.raises(UserError, match="10 to 200 characters"):
        sign_in.accept(ws, token, "Ada", short)
    assert sign_in.accept(ws, token, "Ada", WORDS)


@pytest.mark.parametrize("role", ["trainer", "rater"])
def test_accounts_are_managed_by_owners_only(ws, role):
    made, browser = let_in(ws, "Ada", role)
    actor = sign_in.actor(ws, browser)
    for refused in (
        lambda: accounts.list_all(ws, actor),
        lambda: accounts.add(ws, actor, "Eve", "owner"),
        lambda: accounts.change(ws, actor, made.id, "owner", []),
        lambda: accounts.new_link(ws, actor, made.id),
        lambda: accounts.close(ws, actor, made.id),
    ):
        with pytest.raises(Forbidden):
            refused()


def test_unknown_role_or_project_adds_nobody(ws):
    for role, joined in (("admin", []), ("trainer", ["project-0"])):
        with pytest.raises(UserError):
            accounts.add(ws, LOCAL, "Ada", role, joined)
    assert not accounts.anybody(ws)


def test_hash_of_a_password_is_scrypt_with_the_cost_it_names(monkeypatch):
    """RFC 7914, third test vector: N = 16384, r = 8, p = 1."""
    import hashlib

    found = hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChloride", n=16384, r=8, p=1, dklen=64)
    assert found.hex().startswith("7023bdcb3afd7348461c06cd81fd38eb")
    monkeypatch.setattr(password, "COST", 2**15)
    kept = password.hash_password(WORDS)
    assert kept.startswith("scrypt$32768$8$1$")
    assert password.fits(WORDS, kept)
    assert not password.fits(WORDS + " ", kept)
    assert password.hash_password(WORDS) != kept
    assert not password.fits("anything at all", password.NOBODY)
