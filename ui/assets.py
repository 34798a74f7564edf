"""Gradio's scripts and styles, packed once and kept in memory: its own route reads and packs each anew for everybody."""

import gzip
import mimetypes
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import brotli
import gradio as gr
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

FOLDER = Path(gr.__file__).parent / "templates/frontend/assets"
SIZES = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file()}
LARGEST = 300_000  # bytes; what the page needs is smaller, and whoever does not read holds it in memory
WORTH_PACKING = (".js", ".css", ".svg", ".json")
PACK: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda content: brotli.compress(content, quality=5),
    "gzip": gzip.compress,
    "": bytes,
}

_kept: dict[tuple[str, str], bytes] = {}  # by name and encoding; no more than the folder has


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in SIZES:
        return JSONResponse({"error": f"there is no asset {name[:80]!r}; reload the page"}, 404)
    headers = {
        "content-type": mimetypes.guess_type(name)[0] or "application/octet-stream",
        "cache-control": "public, max-age=31536000, immutable",  # a hash of what is in them is part of their names
        "vary": "accept-encoding",
    }
    if SIZES[name] > LARGEST:
        return FileResponse(FOLDER / name, headers=headers)
    encoding = _encoding(request.headers.get("accept-encoding", "")) if name.endswith(WORTH_PACKING) else ""
    if encoding:
        headers["content-encoding"] = encoding
    if (name, encoding) not in _kept:
        _kept[name, encoding] = await anyio.to_thread.run_sync(_content, name, encoding)
    return Response(_kept[name, encoding], headers=headers)


def _encoding(accepted: str) -> str:
    """The best that a client takes; browsers take br over https and from their own machine only."""
    taken = {
        name.strip() for name, _, quality in (part.partition(";") for part in accepted.split(",")) if not _no(quality)
    }
    return next((name for name in ("br", "gzip") if name in taken), "")


def _no(quality: str) -> bool:
    return quality.replace(" ", "").rstrip("0") in ("q=", "q=0.")


def _content(name: str, encoding: str) -> bytes:
    """Raises OSError if it has gone."""
    return PACK[encoding]((FOLDER / name).read_bytes())
