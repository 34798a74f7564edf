"""What the Hub has already: a Space and all it is set to, other repositories, who may write them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from huggingface_hub import HfApi, SpaceHardware
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalTokenNotFoundError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from typer import Abort

from flagging.hub import HubUnavailable
from flagging.shards import FOLDER
from space.tokens import Repo

FREE_HARDWARE = str(SpaceHardware.CPU_BASIC.value)
ADVICE = {
    401: "log in with `hf auth login`, or set HF_TOKEN",
    402: "the account has to pay for this hardware",
    403: "use a token that may do this",
    412: "somebody changed it meanwhile",
}


@dataclass(frozen=True)
class SpaceThere:
    """A Space as the Hub has it. `info` None: not there yet."""

    info: Any = None
    hardware: str = FREE_HARDWARE
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)  # name to description; values are never told
    files: tuple[RepoFile, ...] = ()


def look_at_space(api: HfApi, space: str, user: str) -> SpaceThere:
    """Raises ValueError if it is not this user's to write, or holds something else."""
    info = look_up(api, ("space", space))
    if info is None:
        return SpaceThere()
    must_be_writable(api, ("space", space), None, user)
    with reaching(f"space {space}"):
        tree = api.list_repo_tree(space, recursive=True, repo_type="space", revision=info.sha)
        files = tuple(file for file in tree if isinstance(file, RepoFile))
        names = {file.path for file in files} - {"README.md", ".gitattributes"}
        if names and "flagging/ledger.py" not in names:
            raise ValueError(f"the Space {space} holds something else ({len(names)} files); choose another name")
        return SpaceThere(
            info,
            str(api.get_space_runtime(space).requested_hardware or FREE_HARDWARE),
            {name: variable.value for name, variable in api.get_space_variables(space).items()},
            {name: secret.description or "" for name, secret in api.get_space_secrets(space).items()},
            files,
        )


def look_up(api: HfApi, repo: Repo) -> Any:
    """Its commit and whether it is private; None if it is not there, or hidden from us."""
    with reaching(f"{repo[0]} {repo[1]}"):
        try:
            return api.repo_info(repo[1], repo_type=repo[0], expand=["sha", "private"])  # type: ignore[arg-type]
        except RepositoryNotFoundError:
            return None


def must_be_writable(api: HfApi, repo: Repo, token: str | None, whose: str) -> None:
    """Raises ValueError if it cannot be written with this token (None: the one logged in with)."""
    try:
        with reaching(f"{repo[0]} {repo[1]}"):
            api.auth_check(repo[1], repo_type=repo[0], token=token, write=True)
    except HubUnavailable as error:
        if isinstance(error.__cause__, HfHubHTTPError) and error.__cause__.response.status_code in (401, 403, 404):
            raise ValueError(f"{whose} cannot write {repo[0]} {repo[1]}; use a token that can") from error
        raise


def has_drawings(api: HfApi, dataset: str) -> bool:
    with reaching(f"dataset {dataset}"):
        try:
            return any(True for _ in api.list_repo_tree(dataset, FOLDER, repo_type="dataset"))
        except (EntryNotFoundError, RepositoryNotFoundError):
            return False


@contextmanager
def reaching(what: str, advice: Mapping[int, str] | None = None) -> Iterator[None]:
    """What the Hub or the network answers, as a sentence. Raises HubUnavailable."""
    try:
        yield
    except RepositoryNotFoundError as error:
        raise HubUnavailable(f"{what}: it is not there, or not for this token") from error
    except LocalTokenNotFoundError as error:
        raise HubUnavailable(f"nobody is logged in to the Hub; {ADVICE[401]}") from error
    except HfHubHTTPError as error:
        status, said = error.response.status_code, (error.server_message or str(error)).strip().splitlines()
        todo = (ADVICE | dict(advice or {})).get(status, "try again later" if status >= 429 else "")
        raise HubUnavailable(
            f"{what}: the Hub answered {status}, {said[0][:200] if said else ''}; {todo}".rstrip("; ")
        ) from error
    except (HubUnavailable, Abort):
        raise
    except (
        httpx2.HTTPError,
        ConnectionError,
        TimeoutError,
        RuntimeError,
    ) as error:  # RuntimeError: a large file's upload
        raise HubUnavailable(
            f"{what}: the Hub could not be reached ({type(error).__name__}); check the network"
        ) from error
