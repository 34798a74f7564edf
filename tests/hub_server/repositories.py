"""Repositories as the server keeps them: commits, trees, small files, large files, branches and tags."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from .answers import Refused, not_a_revision, not_an_entry
from .attributes import first_attributes

TYPES = ("model", "dataset", "space")


@dataclass(frozen=True)
class Entry:
    """A file in a tree: a small one by its git oid, a large one also by the sha256 of its content."""

    path: str
    oid: str
    size: int
    large: str | None = None  # sha256


@dataclass(frozen=True)
class Commit:
    """A commit with the whole tree after it, and what it changed."""

    id: str
    parent: str | None
    title: str
    description: str
    date: datetime
    author: str
    files: dict[str, Entry]
    added: tuple[str, ...] = ()
    overwritten: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    size: int = 0  # bytes of the files added and overwritten

    @property
    def changed(self) -> tuple[str, ...]:
        return self.added + self.overwritten + self.deleted


@dataclass
class LargeFile:
    content: bytes
    pushed_at: datetime
    path: str | None = None  # of the last commit that named it; None for an upload no commit followed


@dataclass(frozen=True)
class Tag:
    commit: str
    message: str


@dataclass
class Change:
    """What one commit is to do: files to write (content, or the sha256 of a large file) and paths to delete."""

    small: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, str] = field(default_factory=dict)
    deleted_files: list[str] = field(default_factory=list)
    deleted_folders: list[str] = field(default_factory=list)


def git_oid(content: bytes) -> str:
    """The name git gives a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """What git keeps in the place of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


class Repository:
    def __init__(self, repo_type: str, repo_id: str, private: bool, author: str, now: datetime, readme: bytes = b""):
        self.type, self.id, self.private, self.created_at = repo_type, repo_id, private, now
        self.gated: bool | str = False
        self.commits: dict[str, Commit] = {}
        self.branches: dict[str, str] = {}
        self.tags: dict[str, Tag] = {}
        self.small: dict[str, bytes] = {}  # by git oid
        self.large: dict[str, LargeFile] = {}  # by sha256
        self.parts: dict[tuple[str, int], bytes] = {}  # multipart uploads under way, by sha256 and part number
        self.log: list[Commit] = []  # every commit ever taken, for tests; a squash leaves it alone
        self._made = 0
        first = Change(small={".gitattributes": first_attributes(repo_type)})
        if readme:
            first.small["README.md"] = readme
        self.commit("main", first, "initial commit", "", author, now)

    # Reading

    def commit_id(self, revision: str) -> str:
        """The commit a branch, a tag or a (possibly shortened) commit id stands for."""
        if revision in self.branches:
            return self.branches[revision]
        if revision in self.tags:
            return self.tags[revision].commit
        if revision in self.commits:
            return revision
        if len(revision) >= 7 and len(found := [known for known in self.commits if known.startswith(revision)]) == 1:
            return found[0]
        raise not_a_revision(revision)

    def at(self, revision: str) -> Commit:
        return self.commits[self.commit_id(revision)]

    def history(self, revision: str) -> Iterator[Commit]:
        """From the revision back to the first commit."""
        at: str | None = self.commit_id(revision)
        while at is not None:
            commit = self.commits[at]
            yield commit
            at = commit.parent

    def content(self, entry: Entry) -> bytes:
        if entry.large is None:
            return self.small[entry.oid]
        if entry.large not in self.large:
            raise not_an_entry(entry.path)
        return self.large[entry.large].content

    # Changing

    def commit(self, branch: str, change: Change, title: str, description: str, author: str, now: datetime) -> Commit:
        """Put a commit on a branch. Raises Refused, and changes nothing, if a path or a large file is missing."""
        before = self.commits[self.branches[branch]] if branch in self.branches else None
        files = dict(before.files) if before else {}
        for folder in change.deleted_folders:
            inside = [path for path in files if folder in ("", "/") or path.startswith(folder.rstrip("/") + "/")]
            if not inside:
                raise Refused(404, f"A file with this name doesn't exist: {folder}", "EntryNotFound")
            for path in inside:
                del files[path]
        for path in change.deleted_files:
            if path not in files:
                raise Refused(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
            del files[path]
        missing = [path for path, sha256 in change.large.items() if sha256 not in self.large]
        if missing:
            raise Refused(
                400,
                "Your push was rejected because an LFS pointer pointed to a file that does not exist. For instance, "
                "this can happen if you used git push --no-verify to push your changes. Offending file: - "
                + " - ".join(missing),
            )
        fresh = {path: Entry(path, git_oid(content), len(content)) for path, content in change.small.items()}
        for path, sha256 in change.large.items():
            size = len(self.large[sha256].content)
            fresh[path] = Entry(path, git_oid(pointer(sha256, size)), size, sha256)
            self.large[sha256].path = path
        for path, content in change.small.items():
            self.small[fresh[path].oid] = content
        files.update(fresh)
        known = before.files if before else {}
        commit = Commit(
            id=self._next_id(title),
            parent=before.id if before else None,
            title=title,
            description=description,
            date=now,
            author=author,
            files=files,
            added=tuple(path for path in sorted(fresh) if path not in known),
            overwritten=tuple(path for path in sorted(fresh) if path in known),
            deleted=tuple(sorted(known.keys() - files.keys())),
            size=sum(entry.size for entry in fresh.values()),
        )
        self.commits[commit.id] = commit
        self.branches[branch] = commit.id
        self.log.append(commit)
        return commit

    def squash(self, branch: str, message: str, author: str, now: datetime) -> Commit:
        """Leave one commit with the same files on the branch; what no branch or tag reaches is dropped."""
        if branch not in self.branches:
            raise not_a_revision(branch)
        files = self.commits[self.branches[branch]].files
        commit = Commit(self._next_id(message), None, message, "", now, author, files)
        self.commits[commit.id] = commit
        self.branches[branch] = commit.id
        self.log.append(commit)
        self.drop_unreachable()
        return commit

    def drop_unreachable(self) -> None:
        """Forget commits that no branch or tag reaches, and the small files only they held."""
        reached: dict[str, Commit] = {}
        for start in [*self.branches.values(), *(tag.commit for tag in self.tags.values())]:
            at: str | None = start
            while at is not None and at not in reached:
                reached[at] = self.commits[at]
                at = self.commits[at].parent
        self.commits = {key: commit for key, commit in self.commits.items() if key in reached}
        held = {e.oid for commit in self.commits.values() for e in commit.files.values() if e.large is None}
        self.small = {oid: content for oid, content in self.small.items() if oid in held}

    def delete_large(self, shas: list[str], rewrite_history: bool) -> None:
        """Forget large files for good; with `rewrite_history` also the entries that name them, in every commit."""
        gone = set(shas)
        self.large = {sha256: kept for sha256, kept in self.large.items() if sha256 not in gone}
        self.parts = {key: part for key, part in self.parts.items() if key[0] not in gone}
        if not rewrite_history:
            return
        renamed: dict[str, str] = {}
        for old in list(self.commits.values()):  # parents come before children
            parent = renamed.get(old.parent, old.parent) if old.parent else None
            files = {path: entry for path, entry in old.files.items() if entry.large not in gone}
            if parent == old.parent and len(files) == len(old.files):
                continue
            new = replace(old, id=self._next_id(old.title), parent=parent, files=files)
            renamed[old.id] = new.id
            self.commits[new.id] = new
        self.branches = {name: renamed.get(at, at) for name, at in self.branches.items()}
        self.tags = {name: replace(tag, commit=renamed.get(tag.commit, tag.commit)) for name, tag in self.tags.items()}
        self.drop_unreachable()

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """Every piece of content, text and name this repository still holds, with words for where it is."""
        where = f"{self.type} {self.id}"
        for oid, content in self.small.items():
            yield f"{where}, small file {oid}", content
        for sha256, large in self.large.items():
            yield f"{where}, large file {sha256} ({large.path or 'uploaded, in no commit'})", large.content
        for (sha256, number), part in self.parts.items():
            yield f"{where}, part {number} of an upload of {sha256}", part
        for commit in self.commits.values():
            yield f"{where}, message of commit {commit.id}", f"{commit.title}\n{commit.description}".encode()
            yield f"{where}, file names of commit {commit.id}", "\n".join(commit.files).encode()
        for name, tag in self.tags.items():
            yield f"{where}, tag {name}", f"{name}\n{tag.message}".encode()

    def _next_id(self, title: str) -> str:
        self._made += 1
        words = f"{self.type} {self.id} {self.created_at.isoformat()} {self._made} {title}"
        return hashlib.sha1(words.encode(), usedforsecurity=False).hexdigest()
