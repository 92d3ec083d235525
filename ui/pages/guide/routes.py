"""/guide, /guide/PAGE and its pictures: a fixed list, so that no path can lead elsewhere.

The guide holds no secret, and who cannot sign in needs it most: it is open to everybody.
"""

from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from ui.components import plain_page
from ui.pages.guide import render
from ui.web.prefix import rooted

FOLDER = Path(__file__).parents[2] / "guide"
HEADERS = {"cache-control": "no-cache"}


def router() -> APIRouter:
    """The routes of the guide; its pages are read and rendered when the first of them is opened."""
    made = APIRouter()

    def serve_page(name: str) -> None:
        made.add_api_route(
            render.address(name),
            lambda: HTMLResponse(rooted(_pages()[name]), headers=HEADERS),
            methods=["GET"],
        )

    def serve_picture(path: Path) -> None:
        made.add_api_route(
            f"/guide/pictures/{path.name}",
            lambda: FileResponse(path, headers=HEADERS),
            methods=["GET"],
        )

    for name in render.ORDER:
        serve_page(name)
    for path in sorted((FOLDER / "pictures").iterdir()):
        serve_picture(path)
    return made


@cache
def _pages() -> dict[str, str]:
    """Name to HTML without a prefix: all at once, since each lists the titles of the others."""
    sources = {name: (FOLDER / f"{name}.md").read_text("utf-8") for name in render.ORDER}
    pages = {name: render.render(source) for name, source in sources.items()}
    titles = {name: page.title for name, page in pages.items()}
    return {name: _page(page, render.navigation(titles, name)) for name, page in pages.items()}


def _page(page: render.Rendered, navigation: str) -> str:
    contents = f"<details><summary>All pages</summary>{navigation}</details>"
    body = (
        f"<aside>{navigation}</aside><article>{contents}{render.on_this_page(page)}"
        f"{page.body}</article>"
    )
    mark = '<a class="tl-rate-mark" href="/">Tuneloop</a>'
    style = '<link rel="stylesheet" href="/static/guide.css">'
    return plain_page.kept(
        page.title, body, mark=mark, head=style, guide="", kind="tl-rate-page tl-guide"
    )
