"""What stands in front of every route: names, proxies and origins."""

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from engine.http_limits import CONNECTIONS
from ui import server
from ui.web.security import SecurityMiddleware


@pytest.fixture
def browse():
    def opened(host, **options):
        app = FastAPI()
        app.get("/")(lambda: "here")
        app.add_middleware(SecurityMiddleware, **options)
        return TestClient(app, base_url=f"http://{host}").get("/")

    return opened


@pytest.mark.parametrize("host", ["tune.example", "TUNE.example:8000", "127.0.0.1", "localhost"])
def test_named_hosts_and_loopback_are_served(browse, host):
    assert browse(host, anywhere=True, hosts=["Tune.example"]).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "tune.example.evil.example", "10.0.0.1"])
def test_other_hosts_are_refused_once_names_are_given(browse, host):
    answer = browse(host, anywhere=True, hosts=["tune.example"])
    assert (answer.status_code, answer.text) == (
        421,
        "This server answers to the names it was started with only.",
    )
    assert browse(host, anywhere=True).status_code == 200


def test_server_believes_named_proxies_only(monkeypatch, tmp_path):
    """The scheme and the address of a request are those that a trusted proxy tells."""
    made = []
    monkeypatch.setattr(server.uvicorn, "Server", lambda config: made.append(config) or _Idle())
    monkeypatch.setattr(server.worker, "start", lambda ws: _Idle())
    monkeypatch.setattr(server, "create_app", lambda *_, **__: FastAPI())
    server.serve(tmp_path, "127.0.0.1", 0, proxies=["10.1.2.3"])
    assert made[0].limit_concurrency == CONNECTIONS
    app = FastAPI()

    @app.get("/")
    def seen(request: Request):
        return [request.url.scheme, request.client.host]

    trusted = ProxyHeadersMiddleware(app, made[0].forwarded_allow_ips)
    headers = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7"}
    for proxy, wanted in (
        ("10.1.2.3", ["https", "192.0.2.7"]),
        ("127.0.0.1", ["https", "192.0.2.7"]),
        ("10.1.2.4", ["http", "10.1.2.4"]),
    ):
        browser = TestClient(trusted, client=(proxy, 1), headers=headers)
        assert browser.get("/").json() == wanted


class _Idle:
    def run(self):
        """Nothing is served."""

    def terminate(self):
        """Nothing runs."""
