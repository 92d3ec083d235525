"""The guide at /guide: pages and pictures are served, links lead somewhere, nothing is foreign."""

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.conftest import REPO
from ui.pages.guide import render, routes

GUIDE = REPO / "ui" / "guide"


@pytest.fixture(scope="module")
def browser():
    app = FastAPI()
    app.include_router(routes.router())
    return TestClient(app)


def test_guide_lists_every_file_of_its_folder():
    assert {path.stem for path in GUIDE.glob("*.md")} == set(render.ORDER)


@pytest.mark.parametrize("name", render.ORDER)
def test_guide_page_is_served_and_every_link_in_it_leads_somewhere(browser, name):
    page = browser.get(render.address(name))
    assert page.status_code == 200
    targets = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert f'href="{render.address(name)}" aria-current="page"' in page.text
    for target in {each for each in targets if each.startswith("/guide")}:
        path, _, fragment = target.partition("#")
        there = browser.get(path)
        assert there.status_code == 200, target
        assert not fragment or f'id="{fragment}"' in there.text, target
    for target in {each for each in targets if each.startswith("#")}:
        assert f'id="{target[1:]}"' in page.text, target
    others = {each for each in targets if not each.startswith(("/", "#", "data:", "http"))}
    assert others == set()


@pytest.mark.parametrize("name", render.ORDER)
def test_guide_page_loads_nothing_from_elsewhere(browser, name):
    text = browser.get(render.address(name)).text
    loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', text)
    assert [each for each in loaded if not each.startswith(("/static/", "/guide/", "data:"))] == []
    assert "<script" not in text


def test_guide_serves_nothing_but_its_pages_and_pictures(browser):
    for path in ("/guide/../server.py", "/guide/routes.py", "/guide/pictures/../index.md",
                 "/guide/%2e%2e/server.py", "/guide/no-such-page"):  # fmt: skip
        assert browser.get(path).status_code == 404, path


def test_render_shows_markup_in_a_page_as_text():
    page = render.render(
        "# A <b>title</b>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))"
    )
    assert "<script>" not in page.body
    assert "<b>" not in page.body
    assert 'href="javascript' not in page.body


def test_render_points_relative_links_and_pictures_at_the_server():
    page = render.render("# T\n\n[a](data.md) [b](index.md#pages) [c](#here) ![p](pictures/x.png)")
    assert 'href="/guide/data"' in page.body
    assert 'href="/guide#pages"' in page.body
    assert 'href="#here"' in page.body
    assert 'src="/guide/pictures/x.png"' in page.body


def test_anchor_follows_the_rule_of_repository_pages():
    page = render.render("# T\n\n## Who may, and where?\n\n## `jobs show`\n\n## Same\n\n## Same")
    anchors = [each.anchor for each in page.headings[1:]]
    assert anchors == ["who-may-and-where", "jobs-show", "same", "same-1"]


def test_tutorial_names_labels_that_stand_on_the_pages():
    """Words in bold in the tutorial are labels."""
    tutorial = (GUIDE / "tutorial.md").read_text("utf-8").replace("\n", " ")
    labels = re.findall(r"\*\*([^*]+)\*\*", tutorial)
    pages = " ".join(path.read_text("utf-8") for path in (REPO / "ui").rglob("*.py"))
    pages += (REPO / "engine" / "core" / "rating.py").read_text("utf-8")
    assert len(labels) > 12
    assert [label for label in labels if f'"{label}"' not in pages] == []
