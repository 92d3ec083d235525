"""The pages of an account: plain HTML, in the look of the rating page."""

from collections.abc import Mapping
from html import escape

from engine.core.actor import Actor, Role
from engine.services.people.accounts import Account, where
from engine.services.people.password import SHORTEST
from ui.components import plain_page

ROLES = {
    "owner": "Owner: everything, accounts included",
    "trainer": "Trainer: data, training, evaluation and rounds of their projects",
    "rater": "Rater: rates the open rounds of their projects, sees nothing else",
}
PLAIN = (
    "This connection is not encrypted: on a network that others share, let the owner put a proxy "
    "with TLS before this server."
)


def sign_in(then: str, name: str = "", message: str = "", *, unsafe: bool = False) -> str:
    """Name and password."""
    body = (
        f"{_notice(message)}{_hint(PLAIN) if unsafe else ''}"
        f"{_field('Name', 'name', name, 'username', focus=not name)}"
        f"{_secret('Password', 'password', 'current-password', focus=bool(name))}"
        f"{_hidden('then', then)}{_button('Sign in')}"
        + _hint("Without an account, ask the owner of this server for a link.")
    )
    return _page("Sign in", _form("/account/sign-in", body))


def welcome(token: str, name: str, *, free: bool, message: str = "", unsafe: bool = False) -> str:
    """The first visit of a person, or the first after they lost their password."""
    who = (
        _field("Your name, as colleagues will see it", "name", name, "username")
        if free
        else f"<p>A new password for <strong dir='auto'>{escape(name)}</strong>.</p>"
        + _hidden("name", name)
    )
    body = (
        f"{_notice(message)}{_hint(PLAIN) if unsafe else ''}{who}{_new_password()}"
        f"{_button('Set the password and sign in')}"
    )
    return _page("Welcome" if free else "New password", _form(f"/account/welcome/{token}", body))


def refusal(problem: str, fix: str) -> str:
    """A link or an address that opens nothing."""
    body = f"<p>{escape(problem)} {escape(fix)}</p><p><a href='/'>To the start</a></p>"
    return _page("Nothing here", f"<section>{body}</section>")


def account(
    actor: Actor, people: list[Account] | None, projects: Mapping[str, str], message: str = ""
) -> str:
    """One's own account; to an owner also everybody else's."""
    home, label = ("/", "To Tuneloop") if actor.role >= Role.TRAINER else ("/rate/open", "Rating")
    own = (
        f"<h2 dir='auto'>{escape(actor.name)}</h2><p>{ROLES[actor.role.name.lower()]}.</p>"
        f"<p class='tl-account-row'><a class='tl-account-main' href='{home}'>{label}</a></p>"
        f"{_form('/account/sign-out', _button('Sign out', quiet=True), box=False)}"
    )
    password = (
        _secret("Old password", "old", "current-password")
        + _new_password()
        + _button("Change the password", quiet=True)
    )
    more = _people(people, projects) if people is not None else ""
    folded = f"<details><summary>Change your password</summary>{password}</details>"
    return _page(
        "Your account",
        f"{_notice(message)}<section>{own}</section>{more}{_form('/account/password', folded)}",
    )


def person(one: Account, projects: Mapping[str, str], message: str = "", link: str = "") -> str:
    """What an owner decides about somebody."""
    at = f"/account/people/{one.id}"
    doors = [_form(f"{at}/link", _button("Make a new link", quiet=True), box=False)]
    if one.status == "closed":
        doors = [_form(f"{at}/reopen", _button("Open the account again"), box=False)]
    else:
        doors.append(_form(f"{at}/close", _button("Close the account", quiet=True), box=False))
    given = _link(link, one.name) if link else ""
    choices = _rights(one.role, one.projects, projects) + _button("Save")
    state = escape(_state(one).capitalize())
    return _page(
        one.name,
        f"{_notice(message)}{given}{_form(at, f'<h2>{state}</h2>{choices}')}"
        f"<section><div class='tl-account-row'>{''.join(doors)}</div>"
        + _hint("A link sets a new password; it works once, for a week.")
        + "</section><p><a href='/account'>All accounts</a></p>",
    )


def _people(people: list[Account], projects: Mapping[str, str]) -> str:
    rows = "".join(
        f"<li><a href='/account/people/{escape(one.id)}' dir='auto'>{escape(one.name)}</a>"
        f"<span>{escape(_state(one))}</span><span dir='auto'>{escape(where(one, projects))}</span>"
        "</li>"
        for one in people
    )
    new = (
        "<h2>Let somebody in</h2>"
        + _field("Name", "name", "", "off")
        + _rights("trainer", (), projects)
        + _button("Add, and make their link")
    )
    return (
        f"<section><h2>Accounts</h2><ul class='tl-account-list'>{rows}</ul></section>"
        f"{_form('/account/people', new)}"
    )


def _state(one: Account) -> str:
    if one.status == "closed":
        return f"{one.role}, closed"
    if not one.has_password:
        return f"{one.role}, has not come yet"
    return f"{one.role}, has a new link" if one.has_link else one.role


def _rights(role: str, joined: tuple[str, ...], projects: Mapping[str, str]) -> str:
    roles = "".join(
        f"<label><input type='radio' name='role' value='{name}'"
        f"{' checked' if name == role else ''}>{escape(words)}</label>"
        for name, words in ROLES.items()
    )
    boxes = "".join(
        f"<label dir='auto'><input type='checkbox' name='projects' value='{escape(key)}'"
        f"{' checked' if key in joined else ''}>{escape(name)}</label>"
        for key, name in projects.items()
    )
    chosen = f"<fieldset><legend>Projects</legend>{boxes}</fieldset>" if boxes else ""
    return f"<fieldset><legend>Role</legend>{roles}</fieldset>{chosen}"


def _link(link: str, name: str) -> str:
    """A link that can be read only now."""
    return (
        f"<section class='tl-account-good'><label>The link of {escape(name)}: give it to them and "
        f"to nobody else<input readonly value='{escape(link)}' id='link'></label>"
        + _hint("It works once, for a week, and can't be shown again.")
        + "</section>"
    )


def _new_password() -> str:
    return (
        _secret(f"New password, {SHORTEST} characters or more", "password", "new-password")
        + _secret("The same again", "again", "new-password")
    )  # fmt: skip


def _field(label: str, name: str, value: str, fill: str, *, focus: bool = False) -> str:
    more = " autofocus" if focus else ""
    return (
        f"<label>{escape(label)}<input name='{name}' value='{escape(value)}' maxlength='60' "
        f"autocomplete='{fill}' required dir='auto'{more}></label>"
    )


def _secret(label: str, name: str, fill: str, *, focus: bool = False) -> str:
    more = " autofocus" if focus else ""
    return (
        f"<label>{escape(label)}<input type='password' name='{name}' maxlength='200' "
        f"autocomplete='{fill}' required{more}></label>"
    )


def _hidden(name: str, value: str) -> str:
    return f"<input type='hidden' name='{name}' value='{escape(value)}'>"


def _button(label: str, *, quiet: bool = False) -> str:
    kind = " class='tl-account-quiet'" if quiet else ""
    return f"<button{kind}>{escape(label)}</button>"


def _form(action: str, body: str, *, box: bool = True) -> str:
    kind = " class='tl-account-box'" if box else ""
    return f"<form method='post' action='{escape(action)}'{kind}>{body}</form>"


def _hint(text: str) -> str:
    return f"<p class='tl-account-hint'>{escape(text)}</p>"


def _notice(text: str) -> str:
    return f"<p class='tl-account-said' role='alert'>{escape(text)}</p>" if text else ""


def _page(title: str, body: str) -> str:
    mark = '<a class="tl-rate-mark" href="/">Tuneloop</a>'
    style = '<link rel="stylesheet" href="/static/account.css">'
    return plain_page.page(
        title, body, mark=mark, head=style, guide="/guide/account",
        kind="tl-rate-page tl-account",
    )  # fmt: skip
