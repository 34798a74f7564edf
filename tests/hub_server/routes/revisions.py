"""What names a revision: branches, tags, the history of commits, and squashing it."""

from typing import Any

from ..answers import Answer, Refused, Request, not_a_revision, page_of
from ..hub import Hub
from ..people import user_id
from ..repositories import Tag
from .repositories import iso, readable, writable


def refs(hub: Hub, request: Request) -> Answer:
    found = readable(hub, request)

    def ref(name: str, kind: str, commit: str) -> dict[str, str]:
        return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}

    answer: dict[str, Any] = {
        "branches": [ref(name, "heads", commit) for name, commit in found.branches.items()],
        "converts": [],
        "tags": [ref(name, "tags", tag.commit) for name, tag in found.tags.items()],
    }
    if request.asks_for("include_prs"):
        answer["pullRequests"] = []
    return Answer.json(answer)


def commits(hub: Hub, request: Request) -> Answer:
    found = readable(hub, request)
    history = list(found.history(request.parts["revision"]))
    page, headers = page_of(request, history, hub.page_size or 50)
    formatted = "formatted" in request.query.get("expand[]", [])
    answers = []
    for commit in page:
        answer: dict[str, Any] = {
            "id": commit.id,
            "title": commit.title,
            "message": commit.description,
            "authors": [{"user": commit.author, "avatar": f"/avatars/{user_id(commit.author)}.svg"}],
            "date": iso(commit.date),
        }
        if formatted:
            answer["formatted"] = {"title": commit.title, "message": commit.description}
        answers.append(answer)
    return Answer.json(answers, headers={"X-Total-Count": str(len(history)), **headers})


def squash(hub: Hub, request: Request) -> Answer:
    found, user = writable(hub, request)
    commit = found.squash(request.parts["revision"], str(request.json().get("message", "")), user, hub.clock())
    return Answer.json({"commitOid": commit.id})


def create_branch(hub: Hub, request: Request) -> Answer:
    found, _ = writable(hub, request)
    branch = request.parts["branch"]
    if branch in found.branches:
        raise Refused(409, f"Reference already exists: refs/heads/{branch}")
    found.branches[branch] = found.commit_id(request.json().get("startingPoint") or "main")
    return Answer.json({})


def delete_branch(hub: Hub, request: Request) -> Answer:
    found, _ = writable(hub, request)
    branch = request.parts["branch"]
    if branch == "main":
        raise Refused(403, "Cannot delete the branch main")
    if branch not in found.branches:
        raise not_a_revision(branch)
    del found.branches[branch]
    found.drop_unreachable()
    return Answer.json({})


def create_tag(hub: Hub, request: Request) -> Answer:
    found, _ = writable(hub, request)
    asked = request.json()
    if asked["tag"] in found.tags:
        raise Refused(409, f"Tag reference exists already: {asked['tag']}")
    found.tags[asked["tag"]] = Tag(found.commit_id(request.parts["revision"]), asked.get("message") or "")
    return Answer.json({})


def delete_tag(hub: Hub, request: Request) -> Answer:
    found, _ = writable(hub, request)
    if request.parts["revision"] not in found.tags:
        raise not_a_revision(request.parts["revision"])
    del found.tags[request.parts["revision"]]
    found.drop_unreachable()
    return Answer.json({})
