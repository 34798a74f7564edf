"""Users and their tokens: who asks, and what they may read and write."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from .answers import Refused, Request, not_a_repository
from .repositories import Repository


@dataclass(frozen=True)
class Token:
    """A token of a user. `scopes` are the entries of a fine-grained token, as whoami answers them:
    {"entity": {"type": "dataset", "name": "alice/digits"}, "permissions": ["repo.content.read", "repo.write"]}.
    """

    value: str
    user: str
    role: str = "write"  # read, write or fineGrained
    scopes: tuple[dict[str, Any], ...] = ()
    orgs: tuple[str, ...] = ()
    name: str = "a token"
    kind: str = "access_token"  # or oauth, from signing in

    def may_read(self, namespace: str, repo_id: str, repo_type: str) -> bool:
        return self._may({"repo.content.read", "repo.write"}, {"read", "write"}, namespace, repo_id, repo_type)

    def may_write(self, namespace: str, repo_id: str, repo_type: str) -> bool:
        return self._may({"repo.write"}, {"write"}, namespace, repo_id, repo_type)

    def may_create(self, namespace: str) -> bool:
        """A fine-grained token limited to single repositories cannot make new ones, not even those it names."""
        return self.may_write(namespace, "", "")

    def _may(self, permissions: set[str], roles: set[str], namespace: str, repo_id: str, repo_type: str) -> bool:
        if namespace not in (self.user, *self.orgs):
            return False
        if self.role != "fineGrained":
            return self.role in roles
        return any(
            permissions & set(scope["permissions"])
            and (
                (scope["entity"].get("name") == repo_id and scope["entity"]["type"] == repo_type)
                or (scope["entity"].get("name") == namespace and scope["entity"]["type"] in ("user", "org"))
            )
            for scope in self.scopes
        )


def user_id(user: str) -> str:
    """The lasting id of a user: what whoami calls `id` and signing in calls `sub`."""
    return hashlib.sha256(f"user {user}".encode()).hexdigest()[:24]


@dataclass
class People:
    tokens: dict[str, Token] = field(default_factory=dict)

    def caller(self, request: Request) -> Token | None:
        """Who sent this request; None without a token. Raises 401 for a token nobody has."""
        sent = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not sent:
            return None
        if sent not in self.tokens:
            raise Refused(401, "Invalid credentials in Authorization header")
        return self.tokens[sent]

    def must_be_known(self, request: Request) -> Token:
        caller = self.caller(request)
        if caller is None:
            raise Refused(401, "Invalid username or password.")
        return caller

    def reader(self, request: Request, repository: Repository | None) -> Token | None:
        """Raises as the Hub does: what a caller may not see looks like what is not there."""
        caller = self.caller(request)
        if repository is None or (
            repository.private
            and not (caller and caller.may_read(repository.id.split("/")[0], repository.id, repository.type))
        ):
            if caller is None:
                # The clients take a bare 401 for this only over https; the code says it over http too.
                raise Refused(401, "Invalid username or password.", "RepoNotFound")
            raise not_a_repository()
        return caller

    def writer(self, request: Request, repository: Repository | None) -> Token:
        caller = self.reader(request, repository)
        if caller is None:
            raise Refused(401, "Invalid username or password.")
        if repository is None:
            raise not_a_repository()
        namespace = repository.id.split("/")[0]
        if not caller.may_write(namespace, repository.id, repository.type):
            if namespace in (caller.user, *caller.orgs) and caller.role == "read":
                raise Refused(403, "Forbidden: you must use a write token to upload to a repository.")
            raise Refused(403, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request")
        return caller

    def profile(self, token: Token) -> dict[str, Any]:
        """The answer of whoami-v2. A fine-grained token does not show the email address."""
        access: dict[str, Any] = {
            "displayName": token.name,
            "role": token.role,
            "createdAt": "2026-01-01T00:00:00.000Z",
        }
        if token.role == "fineGrained":
            scoped = [
                {**scope, "entity": {"_id": user_id(str(scope["entity"].get("name"))), **scope["entity"]}}
                for scope in token.scopes
            ]
            access["fineGrained"] = {"canReadGatedRepos": False, "global": [], "scoped": scoped}
        found: dict[str, Any] = {
            "type": "user",
            "id": user_id(token.user),
            "name": token.user,
            "fullname": token.user.capitalize(),
            "isPro": False,
            "avatarUrl": f"/avatars/{user_id(token.user)}.svg",
            "orgs": [
                {"type": "org", "id": user_id(org), "name": org, "fullname": org.capitalize()} for org in token.orgs
            ],
            "auth": {"type": token.kind, "accessToken": access},
        }
        if token.role != "fineGrained":
            found |= {"email": f"{token.user}@example.org", "emailVerified": True, "canPay": False, "periodEnd": None}
        return found
