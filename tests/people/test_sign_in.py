"""Accounts and signing in: links that work once, passwords, tries, and what a role may do where."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.core.actor import LOCAL, Role
from engine.core.errors import Conflict, Forbidden, NotFound, SignedOut, UserError
from engine.services import projects
from engine.services.people import accounts, password, sign_in, throttle
from engine.store import accounts as store_accounts
from engine.store.connect import reading, writing
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


WRONG = "wrong words here"


@pytest.fixture
def clock(monkeypatch):
    """The time of day as a list of one; move it by `clock[0] += 1`."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def attempt(ws, name="Ada", tried=WRONG, address="192.0.2.1", browser=""):
    """in, wrong or wait."""
    try:
        sign_in.sign_in(ws, name, tried, address, browser)
    except Forbidden:
        return "wait"
    except UserError:
        return "wrong"
    return "in"


def known_browser(ws, name="Ada", browser=""):
    return sign_in.remember(ws, sign_in.sign_in(ws, name, WORDS, "198.51.100.9"), browser)


def test_sign_in_attempts_are_throttled_by_name_from_an_address(ws, clock):
    let_in(ws, "Ada")
    tries = throttle.NAME_FROM_ADDRESS.tries
    assert [attempt(ws) for _ in range(tries + 2)] == ["wrong"] * tries + ["wait"] * 2
    assert attempt(ws, tried=WORDS) == "wait"
    assert attempt(ws, tried=WORDS, address="192.0.2.2") == "in"
    assert attempt(ws, tried=WORDS) == "wait"  # another address forgives nothing here
    clock[0] += throttle.NAME_FROM_ADDRESS.every_s + 1
    assert [attempt(ws, tried=WORDS), attempt(ws), attempt(ws)] == ["in", "wrong", "wait"]


@pytest.fixture
def tries(ws):
    """What came of tries, without a password: in one transaction, since each commit waits."""
    with writing(ws.db) as conn:

        def take(now, address, name="ada", known=""):
            buckets = (
                throttle.for_known(known, "person-1")
                if known
                else throttle.for_unknown(name, address)
            )
            return "wait" if throttle.take(conn, buckets, now) else "tried"

        yield take


def test_sign_in_throttle_keeps_nobody_out_from_another_address(tries):
    """An attacker asks every 10 s, from one address, for two hours; Ada asks now and then."""
    said = Counter()
    for second in range(0, 7200, 10):
        said[tries(second, "192.0.2.1")] += 1
        if second % 600 == 0:
            assert tries(second, "198.51.100.7") == "tried", second
    assert said["tried"] <= throttle.ADDRESS.tries + 7200 / throttle.ADDRESS.every_s + 1
    assert said["wait"] > 600


def test_sign_in_throttle_never_counts_strangers_against_a_known_browser(tries):
    """From so many addresses that unknown browsers must wait."""
    said = Counter(tries(0.0, f"203.0.113.{n}") for n in range(200))
    assert said == {"tried": throttle.NAME.tries, "wait": 200 - throttle.NAME.tries}
    assert tries(1.0, "198.51.100.7") == "wait"
    assert tries(1.0, "198.51.100.7", known="hers") == "tried"


def test_sign_in_throttle_bounds_guesses_from_many_addresses(tries):
    said = Counter(tries(n, f"2001:db8:{n:x}::1") for n in range(0, 3000, 6))
    assert said["tried"] <= throttle.NAME.tries + 3000 / throttle.NAME.every_s + 1


def test_sign_in_throttle_bounds_guesses_of_a_known_browser(tries):
    most = throttle.KNOWN_BROWSER.tries
    said = [tries(0.0, f"203.0.113.{n}", known="hers") for n in range(most + 3)]
    assert said == ["tried"] * most + ["wait"] * 3
    assert tries(throttle.KNOWN_BROWSER.every_s + 1, "", known="hers") == "tried"


def test_sign_in_throttle_by_address_counts_every_name(tries):
    said = Counter(tries(0.0, "192.0.2.1", f"name {n}") for n in range(40))
    assert said["tried"] == throttle.ADDRESS.tries
    assert tries(0.0, "192.0.2.2", "another name") == "tried"


def test_sign_in_throttle_by_address_is_not_reset_by_an_own_sign_in(ws, clock):
    let_in(ws, "Eve")
    with writing(ws.db) as conn:
        for n in range(throttle.ADDRESS.tries - 2):
            throttle.take(conn, throttle.for_unknown(f"name {n}", "192.0.2.1"), clock[0])
    assert [attempt(ws, "Eve", WORDS) for _ in range(3)] == ["in"] * 3
    assert [attempt(ws, name) for name in ("a b", "c d", "e f")] == ["wrong", "wrong", "wait"]
    assert attempt(ws, "Eve", WORDS) == "wait"


def test_known_browser_is_known_for_those_alone_who_signed_in_there(ws, clock):
    for name in ("Ada", "Ben"):
        let_in(ws, name)
    browser = known_browser(ws)
    fill(ws, clock, "ben")
    assert attempt(ws, "Ben", WORDS, browser=browser) == "wait"
    assert attempt(ws, "Ben", WORDS, browser="made up") == "wait"
    clock[0] += 2 * throttle.NAME.every_s
    both = known_browser(ws, "Ben", browser)
    fill(ws, clock, "ben")
    fill(ws, clock, "ada")
    assert [attempt(ws, name, WORDS, browser=both) for name in ("Ben", "Ada")] == ["in", "in"]
    assert attempt(ws, "Ada", WORDS, browser=browser) == "wait"  # it holds another one now


def test_known_browser_is_known_no_more_after_a_new_password(ws, clock):
    made, _ = let_in(ws, "Ada")
    browser = known_browser(ws)
    sign_in.accept(ws, accounts.new_link(ws, LOCAL, made.id), "Ada", WORDS)
    fill(ws, clock, "ada")
    assert attempt(ws, tried=WORDS, browser=browser) == "wait"


def fill(ws, clock, name):
    """Let strangers of many addresses try a name as often as they may."""
    with writing(ws.db) as conn:
        for n in range(throttle.NAME.tries + 1):
            throttle.take(conn, throttle.for_unknown(name, f"203.0.113.{n}"), clock[0])


def test_database_holds_only_the_hash_of_what_a_known_browser_holds(ws):
    let_in(ws, "Ada")
    browser = known_browser(ws)
    with reading(ws.db) as conn:
        assert browser not in repr(conn.exec_driver_sql("SELECT * FROM known_browser").fetchall())


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_sign_in_throttle_counts_ipv6_by_its_network(address, counted):
    assert throttle.network(address) == counted


def test_sign_in_throttle_counts_concurrent_attempts(ws, clock):
    let_in(ws, "Ada")
    with ThreadPoolExecutor(8) as pool:
        said = Counter(pool.map(lambda _: attempt(ws), range(12)))
    assert said == {
        "wrong": throttle.NAME_FROM_ADDRESS.tries,
        "wait": 12 - throttle.NAME_FROM_ADDRESS.tries,
    }


@pytest.mark.parametrize("back_s", [60, 3600, 30 * 24 * 3600])
def test_clock_set_back_locks_nobody_out(ws, clock, back_s):
    let_in(ws, "Ada")
    while attempt(ws) == "wrong":
        pass
    clock[0] -= back_s
    assert attempt(ws, tried=WORDS) == "wait"
    clock[0] += throttle.NAME_FROM_ADDRESS.every_s + 1
    assert attempt(ws, tried=WORDS) == "in"


@pytest.mark.parametrize("back_s", [60, 3600, 400 * 24 * 3600])
def test_clock_set_back_ends_no_session_and_lengthens_none(ws, clock, back_s):
    _, browser = let_in(ws, "Ada")
    clock[0] -= back_s
    assert sign_in.actor(ws, browser).name == "Ada"
    let_in(ws, "Ben")  # whoever signs in sweeps old sessions
    assert sign_in.actor(ws, browser).name == "Ada"
    clock[0] += sign_in.IDLE_S + sign_in.NOTED_S + 1
    assert sign_in.actor(ws, browser) is None


def test_guesses_of_an_old_password_are_throttled(ws, clock):
    _, browser = let_in(ws, "Ada")

    def said(old):
        try:
            return bool(sign_in.change_password(ws, browser, old, "other words in a row"))
        except Forbidden:
            return "wait"
        except UserError:
            return "wrong"

    tries = throttle.OLD_PASSWORD.tries
    assert [said(WRONG) for _ in range(tries + 2)] == ["wrong"] * tries + ["wait"] * 2
    assert said(WORDS) == "wait"
    clock[0] += throttle.OLD_PASSWORD.every_s + 1
    assert said(WORDS) is True


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


def test_link_of_an_owner_who_was_added_by_name_outlives_the_start_of_the_server(ws, monkeypatch):
    _, given = accounts.add(ws, LOCAL, "Olga", "owner")
    assert accounts.first_link(ws) is None
    assert sign_in.begin(ws, given)[0] == "Olga"
    later = time.time() + accounts.LINK_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    renewed = accounts.first_link(ws)
    assert sign_in.begin(ws, renewed)[0] == "Olga"
