"""What a token of the Hub may do, by what it says about itself (whoami)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Profile = Mapping[str, Any]
RepoType = Literal["space", "dataset", "model"]
Repo = tuple[RepoType, str]
NEEDED = {"repo.content.read", "repo.write"}

HOW_TO_MAKE_ONE = """\
The Space needs a token of its own that can write these two repositories and nothing else:
  1. Open {endpoint}/settings/tokens/new?tokenType=fineGrained
  2. Under "Repositories permissions" choose {dataset} (a dataset) and {model} (a model), and tick
     "Read access to contents" and "Write access to contents/settings" of selected repositories.
     Tick nothing else on the page.
  3. Create the token and paste it here, or give it as HOODWINK_SPACE_TOKEN."""


def role(profile: Profile) -> str:
    """read, write or fineGrained."""
    return str(profile["auth"].get("accessToken", {}).get("role", "write"))


def namespaces(profile: Profile) -> set[str]:
    """The names under which this person may write."""
    return {profile["name"], *(org["name"] for org in profile["orgs"] if org.get("roleInOrg") != "read")}


def may_create(profile: Profile, namespace: str) -> bool:
    """Not certainly refused: what a permission we do not know allows, the Hub will say."""
    if namespace not in namespaces(profile) or role(profile) == "read":
        return False
    return role(profile) == "write" or any(
        entity.get("name") == namespace and any(p.startswith("repo.") and p != "repo.content.read" for p in permissions)
        for entity, permissions in _scopes(profile)
    )


def may_write(profile: Profile, repo: Repo) -> bool:
    """Of a repository that is not there yet; for others the Hub is asked."""
    namespace = repo[1].split("/")[0]
    if namespace not in namespaces(profile) or role(profile) == "read":
        return False
    return role(profile) == "write" or any(
        "repo.write" in permissions and (_is(entity, repo) or entity.get("name") == namespace)
        for entity, permissions in _scopes(profile)
    )


def reaches_beyond(profile: Profile, repos: Sequence[Repo]) -> str | None:
    """What this token can do beside writing these repositories, as words; None if nothing."""
    if role(profile) != "fineGrained":
        return f"everything that {profile['name']} can, in every repository"
    beyond = []
    for entity, permissions in _scopes(profile):
        ours = any(_is(entity, repo) for repo in repos)
        more = sorted(permissions - NEEDED) if ours else sorted(permissions)
        if more:
            beyond.append(f"{', '.join(more)} on {entity.get('type')} {entity.get('name')}")
    fine = profile["auth"]["accessToken"].get("fineGrained", {})
    beyond += [f"{permission} everywhere" for permission in fine.get("global") or []]
    if fine.get("canReadGatedRepos"):
        beyond.append("read gated repositories")
    return "; ".join(beyond) or None


def _scopes(profile: Profile) -> list[tuple[Mapping[str, Any], set[str]]]:
    scoped = profile["auth"]["accessToken"].get("fineGrained", {}).get("scoped") or []
    return [(scope["entity"], set(scope["permissions"])) for scope in scoped]


def _is(entity: Mapping[str, Any], repo: Repo) -> bool:
    return (entity.get("type"), entity.get("name")) == repo
