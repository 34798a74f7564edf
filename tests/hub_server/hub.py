"""The state behind the server, and what a test sees and sets of it."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import RLock
from typing import Any

from .answers import not_a_repository
from .attributes import is_large
from .faults import Fault, Faults
from .people import People, Token
from .repositories import Change, Commit, LargeFile, Repository, sha256_of
from .spaces import Space


@dataclass(frozen=True)
class Seen:
    """One request as it came in. `status` is None where the connection was closed without an answer."""

    time: datetime
    method: str
    path: str
    status: int | None
    stage: str
    received: int  # bytes of the body


class Hub:
    """Repositories, people and Spaces, with one lock for everything that changes them."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.lock = RLock()
        self.clock: Callable[[], datetime] = clock or (lambda: datetime.now(UTC))
        self.url = ""
        self.people = People()
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.spaces: dict[str, Space] = {}
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.keep_queries = False  # whether `requests` keep what follows the question mark
        self.errors: list[str] = []  # tracebacks of mistakes in this server, not of refusals
        self.offline = False
        self.commits_per_hour: int | None = None  # the Hub's is 128
        self.requests_per_5_minutes: int | None = None  # the Hub's is 1,000
        self.page_size: int | None = None  # smaller pages, so that a few files need several
        self.multipart_above: int | None = None  # bytes from which an upload is taken in parts
        self.part_bytes = 5 * 1024 * 1024
        self.redirect_large = False  # send downloads of large files to another host name, as the Hub's CDN
        self.signing_in: str | None = "alice"  # who the sign-in page is answered by; None refuses
        self.codes: dict[str, tuple[str, str, str, str]] = {}  # user, nonce, redirect_uri, scope of each sign-in
        self.token = "hf_the_token_of_alice"
        self.add_token(self.token, user="alice")

    # People

    def add_token(
        self,
        value: str | None = None,
        *,
        user: str,
        role: str = "write",
        scopes: Sequence[dict[str, Any]] = (),
        orgs: Sequence[str] = (),
        name: str = "a token",
        kind: str = "access_token",
    ) -> str:
        """Register a token and answer it. role: read, write or fineGrained, which needs `scopes` (see Token)."""
        if role not in ("read", "write", "fineGrained"):
            raise ValueError(f"role is {role!r}; use read, write or fineGrained")
        value = value or f"hf_{secrets.token_hex(17)}"
        with self.lock:
            self.people.tokens[value] = Token(value, user, role, tuple(scopes), tuple(orgs), name, kind)
        return value

    def add_token_for(self, repo_id: str, repo_type: str = "dataset", *, user: str = "alice") -> str:
        """A fine-grained token that can write to one repository and nothing else."""
        entity = {"type": repo_type, "name": repo_id}
        return self.add_token(
            user=user,
            role="fineGrained",
            scopes=[{"entity": entity, "permissions": ["repo.content.read", "repo.write"]}],
        )

    def revoke(self, token: str) -> None:
        with self.lock:
            del self.people.tokens[token]

    # Repositories

    def repository(self, repo_id: str, repo_type: str = "dataset") -> Repository:
        with self.lock:
            found = self.repositories.get((repo_type, repo_id))
        if found is None:
            raise not_a_repository()
        return found

    def space(self, repo_id: str) -> Space:
        return self.spaces[repo_id]

    def create(
        self, repo_id: str, repo_type: str = "dataset", *, private: bool = False, files: dict[str, bytes] | None = None
    ) -> Repository:
        """Make a repository with its first commit, and a second one if files are given."""
        author = repo_id.split("/")[0]
        with self.lock:
            if (repo_type, repo_id) in self.repositories:
                raise ValueError(f"{repo_type} {repo_id} is there already; use commit")
            space = Space() if repo_type == "space" else None
            readme = space.first_readme(repo_id.split("/")[1]) if space else b""
            made = Repository(repo_type, repo_id, private, author, self.clock(), readme)
            self.repositories[repo_type, repo_id] = made
            if space:
                self.spaces[repo_id] = space
        if files:
            self.commit(repo_id, files, repo_type=repo_type)
        return made

    def commit(
        self,
        repo_id: str,
        files: dict[str, bytes] | None = None,
        *,
        repo_type: str = "dataset",
        delete: Sequence[str] = (),
        message: str = "A commit of somebody else",
        branch: str = "main",
        author: str | None = None,
    ) -> Commit:
        """Commit directly, past the protocol: to prepare state, or as somebody else."""
        with self.lock:
            found = self.repository(repo_id, repo_type)
            change = Change(deleted_files=list(delete))
            attributes = self.attributes(found, branch)
            for path, content in (files or {}).items():
                if is_large(path, len(content), attributes) and content:
                    sha256 = sha256_of(content)
                    found.large.setdefault(sha256, LargeFile(content, self.clock()))
                    change.large[path] = sha256
                else:
                    change.small[path] = content
            return found.commit(branch, change, message, "", author or repo_id.split("/")[0], self.clock())

    def attributes(self, repository: Repository, revision: str) -> str:
        entry = repository.at(revision).files.get(".gitattributes")
        return repository.content(entry).decode() if entry else ""

    def files(self, repo_id: str, repo_type: str = "dataset", revision: str = "main") -> dict[str, bytes]:
        """Path to content, at a branch, a tag or a commit id."""
        with self.lock:
            found = self.repository(repo_id, repo_type)
            return {path: found.content(entry) for path, entry in found.at(revision).files.items()}

    def commits(self, repo_id: str, repo_type: str = "dataset", branch: str = "main") -> list[Commit]:
        """The history of a branch as it is now, the first commit first (it holds .gitattributes alone)."""
        with self.lock:
            return list(self.repository(repo_id, repo_type).history(branch))[::-1]

    def commits_ever(self, repo_id: str, repo_type: str = "dataset") -> list[Commit]:
        """Every commit ever taken, the first one first; squashing and rewriting do not shorten it."""
        with self.lock:
            return list(self.repository(repo_id, repo_type).log)

    def overwritten(self, repo_id: str, repo_type: str = "dataset") -> list[str]:
        """Every path that a commit has written although it was there, once per time."""
        return [path for commit in self.commits_ever(repo_id, repo_type) for path in commit.overwritten]

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """Every piece of content, text and name the server still holds, with words for where it is.

        Trees, history, large files in or out of any commit, unfinished uploads, messages, file names,
        Space variables and secrets. Not what only the test sees: `requests` and `commits_ever`.
        """
        with self.lock:
            found = [item for repository in self.repositories.values() for item in repository.everything()]
            for repo_id, space in self.spaces.items():
                for kind, settings in (("variable", space.variables), ("secret", space.secrets)):
                    for key, setting in settings.items():
                        text = f"{key}\n{setting.value}\n{setting.description or ''}"
                        found.append((f"space {repo_id}, {kind} {key}", text.encode()))
        yield from found

    def where(self, needle: bytes) -> list[str]:
        """Where in everything the server still holds these bytes occur."""
        return [place for place, content in self.everything() if needle in content]

    # Faults and what came in

    def fail(
        self,
        match: str,
        kind: str,
        times: int | None = 1,
        after: int = 0,
        *,
        retry_after: int | None = None,
        message: str | None = None,
        after_bytes: int | None = None,
        seconds: float = 0.0,
        late: bool = False,
        call: Callable[[], object] | None = None,
    ) -> Fault:
        """Order a fault for requests of a stage, or whose "METHOD /path" holds or matches `match`; see faults.py.

        times=None is for ever. The Fault answered counts `seen` and `fired`.
        """
        return self.faults.order(
            Fault(match, kind, times, after, retry_after, message, after_bytes, seconds, late, call)
        )

    def count(self, stage: str) -> int:
        """How many requests of a stage came in, answered or not."""
        return sum(seen.stage == stage for seen in self.requests)
