"""Gradio's scripts, styles and fonts, packed once and kept in memory: its own route reads and packs each anew for everybody."""

import mimetypes
from functools import lru_cache
from pathlib import Path

import brotli
import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

FOLDER = Path(gr.__file__).parent / "templates/frontend/assets"
NAMES = frozenset(path.name for path in FOLDER.iterdir() if path.is_file())
WORTH_PACKING = (".js", ".css", ".svg", ".json")
QUALITY = 5  # of brotli: 15 ms for the largest of the page, once


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in NAMES:
        return JSONResponse({"error": f"there is no asset {name[:80]!r}; reload the page"}, 404)
    packed = name.endswith(WORTH_PACKING) and "br" in request.headers.get("accept-encoding", "")
    headers = {
        "content-type": mimetypes.guess_type(name)[0] or "application/octet-stream",
        "cache-control": "public, max-age=31536000, immutable",  # a hash of what is in them is part of their names
        "vary": "accept-encoding",
    }
    if packed:
        headers["content-encoding"] = "br"
    return Response(_content(name, packed), headers=headers)


@lru_cache(maxsize=256)  # the page has some fifty
def _content(name: str, packed: bool) -> bytes:
    """Raises OSError if it has gone."""
    content = (FOLDER / name).read_bytes()
    return brotli.compress(content, quality=QUALITY) if packed else content
