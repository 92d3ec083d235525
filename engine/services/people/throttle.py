"""How often a password may be tried: buckets that fill with each try and leak with time.

Nobody can keep somebody else out. A browser in which a person signed in before has a bucket of its
own, which no other browser fills; any other is counted by name and address together, and by
address. All unknown browsers together have one bucket a name as well: so large that one address
never fills it, so small that guessing from many addresses stays hopeless (NIST SP 800-63B allows
100 wrong tries in a row).
"""

import ipaddress
from typing import NamedTuple

from sqlalchemy import Connection

from engine.core.errors import Forbidden
from engine.store import sessions

IPV6_NETWORK = 64  # what one household or machine has to itself


class Limit(NamedTuple):
    """So many tries at once, and one more each time these seconds have passed."""

    tries: int
    every_s: float


class Bucket(NamedTuple):
    """What is counted, and how much of it is let through."""

    key: str
    limit: Limit


KNOWN_BROWSER = Limit(10, 30.0)
NAME_FROM_ADDRESS = Limit(5, 30.0)
ADDRESS = Limit(20, 180.0)  # an office may come from one
NAME = Limit(100, 60.0)
OLD_PASSWORD = Limit(5, 30.0)


def for_known(browser: str, person_id: str) -> list[Bucket]:
    """The bucket of a browser, by the hash of what it holds, and of a person who used it before."""
    return [Bucket(f"browser:{browser}:{person_id}", KNOWN_BROWSER)]


def for_unknown(name_key: str, address: str) -> list[Bucket]:
    """The buckets of any other browser."""
    place = network(address)
    return [
        Bucket(f"pair:{name_key}:{place}", NAME_FROM_ADDRESS),
        Bucket(f"from:{place}", ADDRESS),
        Bucket(f"name:{name_key}", NAME),
    ]


def network(address: str) -> str:
    """The address as it is counted: IPv6 by its /64, an IPv4 address in IPv6 clothes as itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:80]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))


def take(conn: Connection, buckets: list[Bucket], now: float) -> float:
    """Count one try in each, before the password is looked at: many tries at once are many.

    The seconds to wait, with nothing counted, where one of them is full; else 0.
    """
    levels = [(each, _leaked(conn, each, now)) for each in buckets]
    wait = max(_wait(each.limit, level, now) for each, level in levels)
    more = 0 if wait else 1
    for each, level in levels:
        sessions.failed(conn, each.key, level.times + more, level.at)
    return wait


def check(wait: float) -> None:
    """Forbidden where there are seconds to wait; ask once the counts are stored."""
    if wait:
        raise Forbidden("Too many wrong passwords.", f"Try again in {max(1.0, wait):.0f} seconds.")


def give_back(conn: Connection, buckets: list[Bucket]) -> None:
    """Take back what a right password counted, and no more: other tries stay counted."""
    for each in buckets:
        failures = sessions.failures(conn, each.key)
        if failures.times > 1:
            sessions.failed(conn, each.key, failures.times - 1, failures.at)
        else:
            sessions.forgive(conn, each.key)


def _wait(limit: Limit, level: sessions.Failures, now: float) -> float:
    over = level.times - limit.tries + 1
    return max(0.0, level.at + over * limit.every_s - now) if over > 0 else 0.0


def _leaked(conn: Connection, bucket: Bucket, now: float) -> sessions.Failures:
    """What is left of a bucket; `at` is when the next try leaks out, less `every_s`.

    A moment that lies ahead is now: the clock was set back, and nobody waits for it to catch up.
    """
    failures = sessions.failures(conn, bucket.key)
    at = min(failures.at, now)
    gone = int((now - at) // bucket.limit.every_s)
    if gone >= failures.times:
        return sessions.Failures(0, now)
    return sessions.Failures(failures.times - gone, at + gone * bucket.limit.every_s)
