"""The samples of the guide for nginx and Caddy, run as they stand there, and a browser behind them.

Only names, ports and certificates are changed. Skipped where the proxy is not installed.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from engine.core.actor import LOCAL
from engine.services import projects
from engine.services.people import accounts, password, sign_in
from engine.workspace import Settings, open_workspace
from tests import helpers
from tests.serving import free_port
from tests.ui import results
from ui.server import create_app
from ui.web.prefix import Prefix

pytestmark = pytest.mark.browser

GUIDE = Path(__file__).parents[2] / "ui" / "guide" / "operators.md"
WORDS = "four words in a row"
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off; include /etc/nginx/mime.types;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {site}
}}
"""


def samples(language, name):
    """The code blocks of the guide for this proxy: at the root of a host, under a path."""
    blocks = re.findall(rf"^{name}[^\n]*:\n\n```{language}\n(.*?)^```", GUIDE.read_text("utf-8"),
                        re.MULTILINE | re.DOTALL)  # fmt: skip
    assert len(blocks) == 2
    return blocks


def nginx_site(sample, port, behind):
    site = re.sub(r"listen 443 ssl;", f"listen 127.0.0.1:{port};", sample)
    site = re.sub(r"\s*(ssl_\w+|server_name)\s[^\n]*", "", site)
    site = site.replace("127.0.0.1:7860", f"127.0.0.1:{behind}")
    if "server {" in site:
        return site
    others = "location = /favicon.ico { return 204; }"  # the rest of the host is somebody else's
    return f"server {{ listen 127.0.0.1:{port};\n{others}\n{site} }}"


def caddy_site(sample, port, behind):
    site = re.sub(r"^[\w.]*example\.org \{", f"http://127.0.0.1:{port} {{", sample)
    return "{\n    admin off\n}\n" + site.replace("127.0.0.1:7860", f"127.0.0.1:{behind}")


@pytest.fixture
def proxied(tmp_path):
    """Runs a proxy before a port: `address = proxied("nginx", behind, under=True)`."""
    running = []

    def start(name, behind, under):
        program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if program is None:
            pytest.skip(f"no {name} here: install Debian's package {name}")
        port = free_port()
        folder = tmp_path / name
        folder.mkdir()
        sample = samples("nginx" if name == "nginx" else "", name.capitalize()
                         if name == "caddy" else name)[under]  # fmt: skip
        if name == "nginx":
            config = folder / "nginx.conf"
            text = NGINX.format(folder=folder, site=nginx_site(sample, port, behind))
            config.write_text(text)
            command = [program, "-p", str(folder), "-e", str(folder / "first.log"), "-c", config]
        else:
            config = folder / "Caddyfile"
            config.write_text(caddy_site(sample, port, behind))
            command = [program, "run", "--config", config, "--adapter", "caddyfile"]
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        with (folder / "log").open("wb") as log:
            running.append(
                subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **home},
                    start_new_session=True,  # nginx has a process of its own for its work
                )
            )
        _wait(port, running[-1], folder / "log")
        return f"http://127.0.0.1:{port}"

    yield start
    for each in running:
        os.killpg(each.pid, signal.SIGKILL)  # asked politely, Caddy waits for every open stream
        each.wait()


def _wait(port, process, log):
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(log.read_text())


@pytest.fixture
def ws(home, tmp_path, monkeypatch):
    monkeypatch.setattr(password, "COST", 16)
    url = f"sqlite:///{tmp_path / 'proxy.db'}"
    workspace = open_workspace(Settings(home=home, database_url=url, sign_in=True))
    yield workspace
    workspace.close()


def come(page, root):
    """Sign in, and be led back to the page."""
    page.goto(f"{root}/")
    page.wait_for_url("**/account/sign-in*")
    page.get_by_label("Name").fill("Olga")
    page.get_by_label("Password").fill(WORDS)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{root}/")


@pytest.mark.parametrize("under", [False, True], ids=["root", "path"])
@pytest.mark.parametrize("name", ["nginx", "caddy"])
def test_guide_sample_serves_page_vote_download_and_guide(
    ws, tmp_path, serve, watched, proxied, name, under
):
    project = projects.create(ws, LOCAL, "Help desk").id
    base, data = helpers.model(ws, tmp_path), helpers.dataset(ws, project, tmp_path)
    tuned = results.adapter(ws, project, base, data)
    answers = {3: ("wrong", 0.1, "right 3", 1.0)}
    results.evaluated(ws, project, data, base, tuned, answers)
    one = helpers.open_round(ws, project, tmp_path, pairs=6)
    sign_in.accept(ws, accounts.first_link(ws), "Olga", WORDS)
    behind = serve(Prefix(create_app(ws), proxies=["127.0.0.1"]))
    host = proxied(name, behind.rpartition(":")[2], under)
    root = f"{host}/tools/tuneloop" if under else host

    seen = watched(host)
    page = seen.page
    come(page, root)
    [session] = [each for each in page.context.cookies() if each["name"] == "tl_session"]
    assert session["path"] == ("/tools/tuneloop" if under else "/")

    # events of the page come as server-sent events through the proxy
    page.get_by_role("tab", name="Evaluation", exact=True).click()
    page.locator("#evaluate-sentences").get_by_text("Better: +0.20.").wait_for()
    page.locator("#evaluate-intervals .main-svg").first.wait_for()
    page.locator("#evaluate-views").get_by_role("tab", name="Files").click()
    with page.expect_download() as download:
        page.locator("#evaluate-csv").click()
    assert "right 3" in download.value.path().read_text("utf-8-sig")

    assert seen.errors == []
    seen.open(root, one.id)
    with page.expect_response(lambda got: got.url == f"{root}/api/rate/vote") as voted:
        page.keyboard.press("1")
    assert voted.value.status == 200

    page.get_by_role("link", name="Guide").click()
    page.wait_for_url(f"{root}/guide/raters")
    page.locator("aside").get_by_role("link", name="Data", exact=True).click()
    page.wait_for_url(f"{root}/guide/data")
    styles = page.evaluate("[...document.styleSheets].map(each => each.cssRules.length)")
    assert len(styles) >= 3
    assert min(styles) > 0
    assert seen.foreign == []
