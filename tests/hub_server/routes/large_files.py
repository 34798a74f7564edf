"""The large file storage: uploads before a commit, listing, and deleting for good."""

from typing import Any

from ..answers import Answer, Refused, Request, page_of
from ..hub import Hub
from ..repositories import LargeFile, Repository, sha256_of
from .files import in_range
from .repositories import iso, readable, writable


def batch(hub: Hub, request: Request) -> Answer:
    """Where to put each object; an object that is here already gets no actions, and the client uploads nothing."""
    found, _ = writable(hub, request)
    asked = request.json()
    store = f"{request.base}/lfs-storage/{found.type}/{found.id}"
    verify = {"href": f"{request.base}{request.path.removesuffix('batch')}verify", "header": {}}
    answers: list[dict[str, Any]] = []
    multipart = False
    for item in asked["objects"]:
        oid, size = item["oid"], item["size"]
        answer: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
        if oid not in found.large:
            upload: dict[str, Any] = {"href": f"{store}/{oid}", "header": {}}
            if hub.multipart_above is not None and size > hub.multipart_above and "multipart" in asked["transfers"]:
                multipart = True
                count = -(-size // hub.part_bytes)
                parts = {str(number): f"{store}/{oid}/{number}" for number in range(1, count + 1)}
                upload = {"href": f"{store}/{oid}/complete", "header": {"chunk_size": str(hub.part_bytes), **parts}}
            answer["actions"] = {"upload": upload, "verify": verify}
        answers.append(answer)
    return Answer.json({"transfer": "multipart" if multipart else "basic", "objects": answers})


def _stored_in(hub: Hub, request: Request) -> Repository:
    """The repository of a storage address. As with signed addresses, no token is asked for."""
    return hub.repository(request.parts["id"], request.parts["type"])


def upload(hub: Hub, request: Request) -> Answer:
    found, oid = _stored_in(hub, request), request.parts["oid"]
    if sha256_of(request.body) != oid:
        raise Refused(400, "The SHA256 of the content does not match its name")
    found.large.setdefault(oid, LargeFile(request.body, hub.clock()))
    return Answer(200, b"", {"ETag": f'"{oid}"'})


def upload_part(hub: Hub, request: Request) -> Answer:
    found, number = _stored_in(hub, request), int(request.parts["number"])
    found.parts[request.parts["oid"], number] = request.body
    return Answer(200, b"", {"ETag": f'"{sha256_of(request.body)}"'})


def complete(hub: Hub, request: Request) -> Answer:
    """Join the parts of an upload, once their etags are those of the parts that came."""
    found, oid = _stored_in(hub, request), request.parts["oid"]
    named = sorted((part["partNumber"], part["etag"]) for part in request.json()["parts"])
    parts = [found.parts.get((oid, number), b"") for number, _ in named]
    whole = b"".join(parts)
    if [f'"{sha256_of(part)}"' for part in parts] != [etag for _, etag in named] or sha256_of(whole) != oid:
        raise Refused(400, "The parts do not match the content announced")
    for number, _ in named:
        del found.parts[oid, number]
    found.large.setdefault(oid, LargeFile(whole, hub.clock()))
    return Answer.json({"success": True})


def verify(hub: Hub, request: Request) -> Answer:
    found, _ = writable(hub, request)
    asked = request.json()
    kept = found.large.get(asked["oid"])
    if kept is None or len(kept.content) != asked["size"]:
        raise Refused(404, f"Object {asked['oid']} is not in the storage")
    return Answer.json({"success": True})


def download(hub: Hub, request: Request) -> Answer:
    kept = _stored_in(hub, request).large.get(request.parts["oid"])
    if kept is None:
        raise Refused(404, "Not found")
    headers = {"ETag": f'"{request.parts["oid"]}"', "Accept-Ranges": "bytes"}
    return in_range(request, kept.content, headers)


def listing(hub: Hub, request: Request) -> Answer:
    """Every large file of the storage, also those in no commit any more or none yet; newest first."""
    found = readable(hub, request)
    writable(hub, request)
    branches = {entry.large: name for name in found.branches for entry in found.at(name).files.values() if entry.large}
    items = sorted(found.large.items(), key=lambda item: item[1].pushed_at, reverse=True)
    page, headers = page_of(request, items, hub.page_size or 1000)
    return Answer.json(
        [
            {
                "fileOid": sha256,
                "filename": kept.path or sha256,
                "oid": sha256,
                "pushedAt": iso(kept.pushed_at),
                "ref": branches.get(sha256, "main" if kept.path else None),
                "size": len(kept.content),
            }
            for sha256, kept in page
        ],
        headers=headers,
    )


def delete(hub: Hub, request: Request) -> Answer:
    found, _ = writable(hub, request)
    asked = request.json()["deletions"]
    found.delete_large(asked["sha"], bool(asked.get("rewriteHistory", True)))
    return Answer.json({"success": True})
