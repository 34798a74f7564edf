"""Committing: what becomes of each file, the commit itself, and how many an hour there may be."""

import base64
import json
from datetime import timedelta
from typing import Any

from ..answers import Answer, Refused, Request, not_a_revision
from ..attributes import is_ignored, is_large
from ..hub import Hub
from ..repositories import Change, Repository
from .repositories import web_address, writable


def preupload(hub: Hub, request: Request) -> Answer:
    """For each file: small or large, ignored or not, and the oid of what is there under its name."""
    found, _ = writable(hub, request)
    revision = request.parts["revision"]
    asked = request.json()
    there = found.at(revision).files
    attributes = hub.attributes(found, revision)
    ignore = asked.get("gitIgnore")
    if ignore is None:
        ignore = found.content(there[".gitignore"]).decode() if ".gitignore" in there else ""
    answers = []
    for file in asked["files"]:
        path = file["path"]
        answer: dict[str, Any] = {
            "path": path,
            "uploadMode": "lfs" if is_large(path, file["size"], attributes) else "regular",
            "shouldIgnore": is_ignored(path, ignore),
        }
        if path in there:
            answer["oid"] = there[path].large or there[path].oid
        answers.append(answer)
    return Answer.json({"files": answers, "commitOid": found.commit_id(revision)})


def commit(hub: Hub, request: Request) -> Answer:
    found, user = writable(hub, request)
    branch = request.parts["revision"]
    if request.asks_for("create_pr"):
        raise Refused(400, "This server keeps no pull requests")
    if branch not in found.branches:
        raise not_a_revision(branch)
    too_many_commits(hub, found)
    change = Change()
    header: dict[str, Any] = {}
    for line in request.body.splitlines():
        if not line.strip():
            continue
        item = json.loads(line)
        value = item["value"]
        if item["key"] == "header":
            header = value
        elif item["key"] == "file":
            encoded = value.get("encoding") == "base64"
            change.small[value["path"]] = base64.b64decode(value["content"]) if encoded else value["content"].encode()
        elif item["key"] == "lfsFile":
            change.large[value["path"]] = value["oid"]
        elif item["key"] == "deletedFile":
            change.deleted_files.append(value["path"])
        elif item["key"] == "deletedFolder":
            change.deleted_folders.append(value["path"])
        else:
            raise Refused(400, f"Invalid key {item['key']} in the commit")
    if not header.get("summary"):
        raise Refused(400, '"summary" is not allowed to be empty')
    parent = header.get("parentCommit")
    if parent and not found.branches[branch].startswith(parent.lower()):
        raise Refused(412, "A commit has happened since. Please refresh and try again.")
    made = found.commit(branch, change, header["summary"], header.get("description") or "", user, hub.clock())
    address = f"{web_address(request, found.type, found.id)}/commit/{made.id}"
    return Answer.json({"success": True, "commitOid": made.id, "commitUrl": address, "hookOutput": ""})


def too_many_commits(hub: Hub, found: Repository) -> None:
    """Raises 429 when the commits of the last hour, without the first, reach the limit set on the hub."""
    if hub.commits_per_hour is None:
        return
    now = hub.clock()
    recent = [made.date for made in found.log[1:] if now - made.date < timedelta(hours=1)]
    if len(recent) >= hub.commits_per_hour:
        wait = recent[-hub.commits_per_hour] + timedelta(hours=1) - now
        raise Refused(
            429,
            "You have exceeded our hourly quotas for action: commit. We invite you to retry later.",
            headers={"Retry-After": str(max(1, int(wait.total_seconds())))},
        )
