"""Files as they are read: trees, paths, downloads."""

import hashlib
import re
from typing import Any
from urllib.parse import quote

from ..answers import Answer, Request, not_an_entry, page_of
from ..hub import Hub
from ..repositories import Commit, Entry, Repository, pointer
from .repositories import iso, readable


def described(found: Repository, commit: Commit, entry: Entry, last: dict[str, Commit] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"type": "file", "oid": entry.oid, "size": entry.size, "path": entry.path}
    if entry.large:
        size = len(pointer(entry.large, entry.size))
        answer["lfs"] = {"oid": entry.large, "size": entry.size, "pointerSize": size}
    return answer | changed_last(entry.path, last, {"securityFileStatus": SAFE})


SAFE = {"status": "safe", "avScan": {"virusFound": False, "virusNames": None}, "pickleImportScan": None}


def described_folder(path: str, inside: list[Entry], last: dict[str, Commit] | None) -> dict[str, Any]:
    names = " ".join(f"{entry.path}:{entry.oid}" for entry in inside)
    oid = hashlib.sha1(names.encode(), usedforsecurity=False).hexdigest()
    return {"type": "directory", "oid": oid, "size": 0, "path": path} | changed_last(path, last, {})


def changed_last(path: str, last: dict[str, Commit] | None, also: dict[str, Any]) -> dict[str, Any]:
    if last is None:
        return {}
    commit = last[path]
    return {"lastCommit": {"id": commit.id, "title": commit.title, "date": iso(commit.date)}, **also}


def last_commits(found: Repository, revision: str) -> dict[str, Commit]:
    """For each file and folder, the newest commit that changed it."""
    last: dict[str, Commit] = {}
    newer: Commit | None = None
    for commit in found.history(revision):
        if newer is not None:
            for path, entry in newer.files.items():
                if commit.files.get(path) != entry:
                    _remember(last, path, newer)
        newer = commit
    if newer is not None:
        for path in newer.files:
            _remember(last, path, newer)
    return last


def _remember(last: dict[str, Commit], path: str, commit: Commit) -> None:
    while path:
        last.setdefault(path, commit)
        path = path.rpartition("/")[0]


def tree(hub: Hub, request: Request) -> Answer:
    found = readable(hub, request)
    revision, folder = request.parts["revision"], (request.parts.get("path") or "").strip("/")
    commit = found.at(revision)
    prefix = folder + "/" if folder else ""
    inside = [commit.files[path] for path in sorted(path for path in commit.files if path.startswith(prefix))]
    if folder and not inside:
        raise not_an_entry(folder)
    expand, recursive = request.asks_for("expand"), request.asks_for("recursive")
    last = last_commits(found, revision) if expand else None
    folders: dict[str, list[Entry]] = {}
    shown: list[tuple[str, Entry | None]] = []
    for entry in inside:
        parents = entry.path.removeprefix(prefix).split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            parent = prefix + "/".join(parents[:depth])
            if parent not in folders and (recursive or depth == 1):
                shown.append((parent, None))
            folders.setdefault(parent, []).append(entry)
        if recursive or not parents:
            shown.append((entry.path, entry))
    page, headers = page_of(request, shown, hub.page_size or (50 if expand else 1000))
    return Answer.json(
        [
            described(found, commit, entry, last) if entry else described_folder(path, folders[path], last)
            for path, entry in page
        ],
        headers=headers,
    )


def paths_info(hub: Hub, request: Request) -> Answer:
    """What is known of the paths asked for; those that are not there are left out."""
    found = readable(hub, request)
    asked = request.form()
    commit = found.at(request.parts["revision"])
    expand = asked.get("expand", [""])[-1].lower() == "true"
    last = last_commits(found, request.parts["revision"]) if expand else None
    answers = []
    for path in dict.fromkeys(asked.get("paths", [])):
        path = path.strip("/")
        if path in commit.files:
            answers.append(described(found, commit, commit.files[path], last))
        elif inside := [entry for name, entry in commit.files.items() if name.startswith(path + "/")]:
            answers.append(described_folder(path, inside, last))
    return Answer.json(answers)


def resolve(hub: Hub, request: Request) -> Answer:
    found = readable(hub, request)
    commit = found.at(request.parts["revision"])
    path = request.parts["path"]
    entry = commit.files.get(path)
    if entry is None:
        raise not_an_entry(path, {"X-Repo-Commit": commit.id})
    content = found.content(entry)
    headers = {
        "ETag": f'"{entry.large or entry.oid}"',
        "X-Repo-Commit": commit.id,
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream" if entry.large else "text/plain; charset=utf-8",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(path.rsplit('/', 1)[-1])}",
    }
    if entry.large:
        headers |= {"X-Linked-Etag": f'"{entry.large}"', "X-Linked-Size": str(entry.size)}
        if hub.redirect_large:
            # Another host name for the same server: the clients take it for a CDN and keep their token to themselves.
            away = request.base.replace("127.0.0.1", "localhost")
            location = f"{away}/lfs-storage/{found.type}/{found.id}/{entry.large}"
            return Answer(302, b"", headers | {"Location": location})
    return in_range(request, content, headers)


def in_range(request: Request, content: bytes, headers: dict[str, str]) -> Answer:
    """All of the content, or the part that the Range header asks for."""
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not asked or asked.groups() == ("", ""):
        return Answer(200, content, headers)
    first, last = asked.groups()
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if start > end:
        return Answer(416, b"", headers | {"Content-Range": f"bytes */{len(content)}"})
    return Answer(206, content[start : end + 1], headers | {"Content-Range": f"bytes {start}-{end}/{len(content)}"})
