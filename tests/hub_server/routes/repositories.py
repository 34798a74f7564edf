"""Repositories as wholes: making, deleting, settings, information, who may see them."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import yaml  # type: ignore[import-untyped]

from ..answers import Answer, Refused, Request, page_of
from ..hub import Hub
from ..people import user_id
from ..repositories import TYPES, Commit, Repository, pointer
from ..spaces import Setting, Space


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def repo_type(request: Request) -> str:
    return (request.parts.get("kind") or "models").removesuffix("s")


def known(hub: Hub, request: Request) -> Repository | None:
    return hub.repositories.get((repo_type(request), request.parts["id"]))


def readable(hub: Hub, request: Request) -> Repository:
    found = known(hub, request)
    hub.people.reader(request, found)
    assert found is not None
    return found


def writable(hub: Hub, request: Request) -> tuple[Repository, str]:
    """The repository and the name of the user who may write to it."""
    found = known(hub, request)
    user = hub.people.writer(request, found).user
    assert found is not None
    return found, user


def web_address(request: Request, kind: str, repo_id: str) -> str:
    return f"{request.base}/{'' if kind == 'model' else kind + 's/'}{repo_id}"


def whoami(hub: Hub, request: Request) -> Answer:
    return Answer.json(hub.people.profile(hub.people.must_be_known(request)))


def create(hub: Hub, request: Request) -> Answer:
    caller = hub.people.must_be_known(request)
    asked = request.json()
    kind, namespace = asked.get("type") or "model", asked.get("organization") or caller.user
    repo_id = f"{namespace}/{asked['name']}"
    if kind not in TYPES:
        raise Refused(400, f"Invalid repo type {kind}")
    if not caller.may_create(namespace):
        raise Refused(403, f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"')
    address = web_address(request, kind, repo_id)
    if (kind, repo_id) in hub.repositories:
        error = f"You already created this {kind} repo: {repo_id}"
        return Answer.json({"error": error, "url": address}, 409, {"X-Error-Message": error})
    private = asked.get("visibility") == "private" or asked.get("private") is True
    readme = b""
    if kind == "space":
        space = hub.spaces[repo_id] = Space(sdk=asked.get("sdk", "gradio"))
        space.requested_hardware = asked.get("hardware") or space.requested_hardware
        space.sleep_after_seconds = asked.get("sleepTimeSeconds", space.sleep_after_seconds)
        for name, settings in (("secrets", space.secrets), ("variables", space.variables)):
            for item in asked.get(name) or []:
                settings[item["key"]] = Setting(item["value"], item.get("description"), hub.clock())
        readme = space.first_readme(asked["name"])
    hub.repositories[kind, repo_id] = Repository(kind, repo_id, private, caller.user, hub.clock(), readme)
    return Answer.json({"url": address, "name": repo_id, "id": user_id(repo_id)})


def delete(hub: Hub, request: Request) -> Answer:
    caller = hub.people.must_be_known(request)
    asked = request.json()
    kind = asked.get("type") or "model"
    repo_id = f"{asked.get('organization') or caller.user}/{asked['name']}"
    hub.people.writer(request, hub.repositories.get((kind, repo_id)))
    del hub.repositories[kind, repo_id]
    if kind == "space":
        del hub.spaces[repo_id]
    return Answer(200, b"OK", {"Content-Type": "text/plain; charset=utf-8"})


def settings(hub: Hub, request: Request) -> Answer:
    found, _ = writable(hub, request)
    asked = request.json()
    if "visibility" in asked or "private" in asked:
        found.private = asked.get("visibility") == "private" or asked.get("private") is True
    found.gated = asked.get("gated", found.gated)
    return Answer.json({"private": found.private, "gated": found.gated})


def auth_check(hub: Hub, request: Request) -> Answer:
    readable(hub, request)
    return Answer.json({})


def auth_check_write(hub: Hub, request: Request) -> Answer:
    writable(hub, request)
    return Answer.json({})


def card(text: str) -> Any:
    """The YAML block at the head of a README; None without one. Raises yaml.YAMLError."""
    if not text.startswith("---") or "\n---" not in text:
        return None
    return yaml.safe_load(text.split("---", 2)[1])


def validate_yaml(hub: Hub, request: Request) -> Answer:
    try:
        found = card(str(request.json().get("content", "")))
    except yaml.YAMLError as error:
        return Answer.json({"errors": [{"message": str(error)}], "warnings": []}, 400)
    warning = {"message": "empty or missing yaml metadata in repo card"}
    return Answer.json({"errors": [], "warnings": [] if found else [warning]})


def siblings(commit: Commit, with_sizes: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path, entry in sorted(commit.files.items()):
        sibling: dict[str, Any] = {"rfilename": path}
        if with_sizes:
            sibling |= {"size": entry.size, "blobId": entry.oid}
            if entry.large:
                sibling["lfs"] = {
                    "sha256": entry.large,
                    "size": entry.size,
                    "pointerSize": len(pointer(entry.large, entry.size)),
                }
        found.append(sibling)
    return found


def card_of(found: Repository, commit: Commit) -> Any:
    readme = commit.files.get("README.md")
    try:
        return card(found.content(readme).decode()) if readme else None
    except yaml.YAMLError:
        return None


def description(
    hub: Hub, request: Request, found: Repository, commit: Commit, expand: Collection[str] = ()
) -> dict[str, Any]:
    """What repo_info answers, with every field that we know. expand: with these alone, and without working out the others."""
    answer: dict[str, Any] = {
        "_id": user_id(found.id),
        "id": found.id,
        "author": found.id.split("/")[0],
        "sha": commit.id,
        "lastModified": iso(found.at("main").date if "main" in found.branches else commit.date),
        "createdAt": iso(found.created_at),
        "private": found.private,
        "gated": found.gated,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
    }
    costly = {"tags", "siblings", "usedStorage", "cardData"}
    wanted = costly & set(expand) if expand else costly
    if {"tags", "cardData"} & wanted:
        card_data = card_of(found, commit)
        answer["tags"] = card_data.get("tags", []) if isinstance(card_data, dict) else []
        if card_data is not None:
            answer["cardData"] = card_data
    if "siblings" in wanted:
        answer["siblings"] = siblings(commit, request.asks_for("blobs"))
    if "usedStorage" in wanted:
        answer["usedStorage"] = sum(len(large.content) for large in found.large.values())
    if found.type == "model":
        answer |= {"modelId": found.id, "spaces": []}
    if found.type == "space":
        space = hub.spaces[found.id]
        name = found.id.replace("/", "-").lower()
        answer |= {"sdk": space.sdk, "subdomain": name, "host": f"https://{name}.hf.space", "runtime": runtime(space)}
    return answer


def runtime(space: Space) -> dict[str, Any]:
    return {
        "stage": space.stage,
        "hardware": {"current": space.hardware, "requested": space.requested_hardware},
        "storage": None,
        "gcTimeout": space.sleep_after_seconds,
        "replicas": {"current": 1, "requested": 1},
        "devMode": False,
    }


def info(hub: Hub, request: Request) -> Answer:
    found = readable(hub, request)
    expand = request.query.get("expand", []) + request.query.get("expand[]", [])
    answer = description(hub, request, found, found.at(request.parts.get("revision") or "main"), expand)
    if expand:
        answer = {key: value for key, value in answer.items() if key in ("_id", "id", *expand)}
    return Answer.json(answer)


def listing(hub: Hub, request: Request) -> Answer:
    """The repositories of one type that the caller may see, those of `author` and with `search` in their name."""
    caller = hub.people.caller(request)
    answers = []
    for (kind, repo_id), found in sorted(hub.repositories.items()):
        namespace = repo_id.split("/")[0]
        if kind != repo_type(request) or request.asked("author", namespace) != namespace:
            continue
        if found.private and not (caller and caller.may_read(namespace, repo_id, kind)):
            continue
        if request.asked("search").lower() in repo_id.lower():
            answers.append(description(hub, request, found, found.at("main")))
    page, headers = page_of(request, answers, hub.page_size or 1000)
    return Answer.json(page, headers=headers)
