"""What the server is asked, what it answers, and the errors as the Hub words them."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Request:
    """One request, its body read completely. `parts` are the named parts of the matched path, unquoted."""

    method: str
    path: str  # as sent, without the query
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: bytes
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The address the caller reached us under."""
        return f"http://{self.headers.get('host', '127.0.0.1')}"

    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            raise Refused(400, "Invalid JSON in the body") from None
        if not isinstance(found, dict):
            raise Refused(400, "The body must be a JSON object")
        return found

    def form(self) -> dict[str, list[str]]:
        if "json" in self.headers.get("content-type", ""):
            return {
                key: [str(item) for item in value] if isinstance(value, list) else [str(value)]
                for key, value in self.json().items()
            }
        return parse_qs(self.body.decode(), keep_blank_values=True)

    def asked(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[-1]

    def asks_for(self, name: str) -> bool:
        return self.asked(name).lower() in ("true", "1")


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def json(found: Any, status: int = 200, headers: dict[str, str] | None = None) -> "Answer":
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return Answer(status, json.dumps(found, default=str).encode(), kind | (headers or {}))


class Refused(Exception):
    """An error answer: the status, the sentence in the body and the code the clients read in X-Error-Code."""

    def __init__(
        self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers or {}

    def answer(self) -> Answer:
        headers = dict(self.headers)
        headers["X-Error-Message"] = self.message.replace("\n", " ").encode("ascii", "replace").decode()
        if self.code is not None:
            headers["X-Error-Code"] = self.code
        return Answer.json({"error": self.message}, self.status, headers)


def not_a_repository() -> Refused:
    return Refused(404, "Repository not found", "RepoNotFound")


def not_a_revision(revision: str) -> Refused:
    return Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def not_an_entry(path: str, headers: dict[str, str] | None = None) -> Refused:
    return Refused(404, f"{path} does not exist", "EntryNotFound", headers)


def page_of(request: Request, found: list[Any], per_page: int) -> tuple[list[Any], dict[str, str]]:
    """One page of a list and the Link header that names the next one.

    The cursor is the place in the list: what changes between two pages shifts them, as with any listing.
    """
    start = int(request.asked("cursor", "0") or 0)
    per_page = min(per_page, int(request.asked("limit") or per_page))
    rest = {name: values for name, values in request.query.items() if name != "cursor"}
    if start + per_page >= len(found):
        return found[start:], {}
    query = "&".join(f"{name}={value}" for name, values in rest.items() for value in values)
    link = f'<{request.base}{request.path}?{query}{"&" if query else ""}cursor={start + per_page}>; rel="next"'
    return found[start : start + per_page], {"Link": link}
