"""The Hub: one repository, through the calls of huggingface_hub that do what they say.

`create_commit` with explicit operations and `parent_commit`: nothing is written over what somebody else wrote meanwhile.
"""

import re
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    hf_hub_download,
    set_client_factory,
)
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils._http import default_client_factory
from huggingface_hub.utils._pagination import paginate
from huggingface_hub.utils._validators import validate_repo_id
from huggingface_hub.utils.tqdm import disable_progress_bars

from flagging.pace import Pace

Operation = CommitOperationAdd | CommitOperationDelete
ANSWER_WITHIN_SECONDS = 60.0
RepoType = Literal["dataset", "model"]


class HubUnavailable(RuntimeError):
    """The Hub could not be reached or did not do what was asked. wait_seconds: as it said, or None."""

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class NoRepository(HubUnavailable):
    """It is not there, or this token may not see it."""


class Overtaken(HubUnavailable):
    """Somebody else committed first: read what they did, then try again."""


@dataclass(frozen=True)
class HubFile:
    path: str
    size: int
    sha256: str | None  # of large files


class Repository:
    """A dataset or model repository. Every method raises HubUnavailable; `commit` also Overtaken and TooManyCommits.

    scratch: where downloads lie as long as they are looked at.
    """

    def __init__(self, repo_id: str, repo_type: RepoType, pace: Pace, scratch: Path, api: HfApi | None = None) -> None:
        self.id = checked_repository(repo_id)
        self._type = repo_type
        self.pace = pace
        self._scratch = scratch
        self._api = api or HfApi()
        set_up_client()

    def create(self) -> None:
        """Make the repository unless it is there."""
        with self._translated("could not be made"):
            if not self._api.repo_exists(self.id, repo_type=self._type):
                self._api.create_repo(self.id, repo_type=self._type, exist_ok=True)

    def head(self) -> str:
        """The newest commit of the main branch."""
        with self._translated("could not be read"):
            if self._type == "dataset":  # without `expand` the answer lists every file
                return str(self._api.dataset_info(self.id, expand=["sha"]).sha)
            return str(self._api.model_info(self.id, expand=["sha"]).sha)

    def commits(self, most: int) -> dict[str, float]:
        """When the newest commits were made, in seconds since 1970, by id."""
        with self._translated("could not be read"):
            return {
                c["id"]: datetime.fromisoformat(c["date"].replace("Z", "+00:00")).timestamp()
                for c in self._commits(most)
            }

    def titled(self, titles: Collection[str], most: int) -> dict[str, str]:
        """The commits with these titles, by title, among the newest; of two with one title the newer. Reads no further than needed."""
        found: dict[str, str] = {}
        with self._translated("could not be read"):
            for commit in self._commits(most):
                if commit["title"] in titles:
                    found.setdefault(commit["title"], commit["id"])
                if len(found) == len(titles):
                    break
        return found

    def _commits(self, most: int) -> Iterator[dict[str, Any]]:
        """The newest first. Not HfApi.list_repo_commits, which reads the whole history."""
        url = f"{self._api.endpoint}/api/{self._type}s/{self.id}/commits/main"
        return islice(paginate(url, params={}, headers=build_hf_headers(token=self._api.token)), most)

    def files(self, revision: str, folder: str | None = None) -> dict[str, HubFile]:
        """All files, or those of a folder, by path."""
        with self._translated("could not be read"):
            try:
                tree = self._api.list_repo_tree(
                    self.id, folder, recursive=True, revision=revision, repo_type=self._type
                )
                return _by_path(tree)
            except EntryNotFoundError:
                return {}  # no such folder yet

    def look_up(self, paths: Sequence[str], revision: str) -> dict[str, HubFile]:
        """Those of these files that are there: a question of its own size, not of the repository's."""
        with self._translated("could not be read"):
            found: dict[str, HubFile] = {}
            for first in range(0, len(paths), 200):
                some = list(paths[first : first + 200])
                found |= _by_path(self._api.get_paths_info(self.id, some, revision=revision, repo_type=self._type))
            return found

    @contextmanager
    def downloaded(self, path: str, revision: str | None = None) -> Iterator[Path]:
        """A file of the repository, on disk as long as it is looked at: no cache keeps what may be withdrawn.

        Raises FileNotFoundError if the repository has none of this name.
        """
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            try:
                with self._translated(f"did not give {path}"):
                    file = hf_hub_download(
                        self.id,
                        path,
                        repo_type=self._type,
                        revision=revision,
                        local_dir=folder,
                        token=self._api.token,
                        endpoint=self._api.endpoint,
                    )
            except HubUnavailable as error:
                if isinstance(error.__cause__, EntryNotFoundError) and isinstance(error.__cause__, HfHubHTTPError):
                    raise FileNotFoundError(f"{self.id} has no {path}") from error
                raise
            yield Path(file)

    def commit(self, operations: Sequence[Operation], title: str, parent: str | None) -> str:
        """Make one commit; the head after it. parent: what the head must be still."""
        name = self.pace.count()
        with self._translated("did not take a commit"):
            done = self._api.create_commit(
                self.id, operations, commit_message=title, repo_type=self._type, parent_commit=parent
            )
        self.pace.made(name, str(done.oid))
        return str(done.oid)

    def tags(self) -> set[str]:
        with self._translated("could not be read"):
            return {tag.name for tag in self._api.list_repo_refs(self.id, repo_type=self._type).tags}

    def tag(self, name: str, revision: str) -> None:
        with self._translated("did not take a tag"):
            self._api.create_tag(self.id, tag=name, revision=revision, repo_type=self._type, exist_ok=True)

    def forget_history(self) -> None:
        """Squash the main branch to what it holds now, and delete for good the large files that it holds no more.

        Nobody may commit meanwhile: what they sent and did not commit yet is deleted with the rest.
        """
        self.pace.count()
        with self._translated("did not forget its history"):
            self._api.super_squash_history(self.id, repo_type=self._type)
        with self._translated("did not list its large files"):
            there = list(self._api.list_lfs_files(self.id, repo_type=self._type))
        kept = {file.sha256 for file in self.files(self.head()).values()}
        orphans = [file for file in there if file.file_oid not in kept]
        if orphans:
            with self._translated("did not delete its old files"):
                self._api.permanently_delete_lfs_files(self.id, orphans, repo_type=self._type)

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except HfHubHTTPError as error:
            sentence = f"the {self._type} repository {self.id} {what} ({_said(error)})"
            if error.response.status_code in (409, 412):
                raise Overtaken(sentence) from error
            if isinstance(error, RepositoryNotFoundError):
                raise NoRepository(
                    f"there is no {self._type} repository {self.id}, or this token (HF_TOKEN) may not see it; check both"
                ) from error
            raise HubUnavailable(sentence, _retry_after(error)) from error
        except (
            httpx2.HTTPError,
            OSError,
            RuntimeError,
        ) as error:  # RuntimeError: a large file's upload, with its cause
            raise HubUnavailable(f"the Hub could not be reached ({_cause(error)}); {self.id} {what}") from error


def checked_repository(repo_id: str) -> str:
    """Raises ValueError unless this is USER/NAME."""
    try:
        validate_repo_id(repo_id)
        if repo_id.count("/") != 1:
            raise HFValidationError("there is no user")
    except HFValidationError as error:
        raise ValueError(f"{repo_id!r} is no repository on the Hub; write it as USER/NAME") from error
    return repo_id


def _by_path(tree: Iterable[object]) -> dict[str, HubFile]:
    return {f.path: HubFile(f.path, f.size, f.lfs.sha256 if f.lfs else None) for f in tree if isinstance(f, RepoFile)}


def add(path: str, content: bytes | Path) -> CommitOperationAdd:
    return CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))


def delete(path: str) -> CommitOperationDelete:
    return CommitOperationDelete(path, is_folder=False)


def _cause(error: BaseException) -> str:
    while error.__cause__:
        error = error.__cause__
    return f"{type(error).__name__}: {_without_addresses(str(error))}"


def _without_addresses(text: str) -> str:
    """People read this on the page, and addresses of uploads are signed."""
    return re.sub(r"https?://\S+", "...", text).strip()[:200]


def _said(error: HfHubHTTPError) -> str:
    said = (error.server_message or str(error)).strip().splitlines()
    return f"{error.response.status_code}: {_without_addresses(said[0]) if said else ''}"


def _retry_after(error: HfHubHTTPError) -> float | None:
    value = error.response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


_limited = threading.Event()


def set_up_client() -> None:
    """Time limits: huggingface_hub sends most requests without, and one lost packet would hang the publisher for good.

    And no xet: it takes a way of its own to the Hub, and keeps pieces of what people withdraw in a cache of its own.
    """

    def limit(request: Any) -> None:
        given = request.extensions.get("timeout") or {}
        request.extensions["timeout"] = {
            name: given.get(name) or ANSWER_WITHIN_SECONDS for name in ("connect", "read", "write", "pool")
        }

    def client() -> httpx2.Client:
        made = default_client_factory()
        hooks = made.event_hooks
        made.event_hooks = {**hooks, "request": [*hooks["request"], limit]}
        return made

    constants.HF_HUB_DISABLE_XET = True
    if not _limited.is_set():
        set_client_factory(client)
        disable_progress_bars()  # nobody looks: this runs beside a game, or prints its own
        _limited.set()
