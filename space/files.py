"""The files of a Space: which of ours, how they differ from here, and what the Space lacks of them."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.hf_api import RepoFile

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# Not needed to run; of docs/ what the README shows or links to is sent all the same.
LEFT_OUT = ("tests/", "benchmarks/", "docs/", ".ci/")
NEVER = {"data", "export", "flagged", "__pycache__"}  # and hidden ones, where git does not say what is ours
SETTINGS_OF = ("app.py", "model/", "flagging/", "retrain/", "evaluation/", "ui/")


@dataclass(frozen=True)
class Delta:
    """What makes the files there into these."""

    upload: dict[str, bytes]
    delete: list[str]
    unchanged: int

    def __str__(self) -> str:
        size = sum(map(len, self.upload.values()))
        said = [f"{len(self.upload)} files to send, {size:,} bytes", f"{self.unchanged} unchanged"]
        return ", ".join(said + ([f"{len(self.delete)} to delete: {', '.join(self.delete)}"] if self.delete else []))


def space_files(root: Path, hardware: str) -> dict[str, bytes]:
    """Path to content, as the working tree has it; requirements.txt as this hardware needs it."""
    files = {name: (root / name).read_bytes() for name in _sent(root, _ours(root))}
    files["requirements.txt"] = space_requirements(files["requirements.txt"].decode(), hardware).encode()
    return files


def not_in_git(root: Path) -> list[str]:
    """Files that would be sent if they were added to git."""
    return _sent(root, _git(root, "ls-files", "-z", "--others", "--exclude-standard").split("\0"))


def revision(root: Path) -> str:
    return _git(root, "describe", "--always", "--dirty").strip()


def space_requirements(ours: str, hardware: str) -> str:
    """Without a GPU, PyTorch's own CPU builds: the usual ones bring several GB of CUDA along.

    A Space installs this file alone, so it cannot include another; Gradio it installs by itself, as `sdk_version` says.
    """
    if not hardware.startswith("cpu"):
        return ours
    return f"--extra-index-url {CPU_INDEX}\n" + re.sub(
        r"^((?:torch|torchvision)==[\d.]+)$", r"\1+cpu", ours, flags=re.M
    )


def settings_of(files: dict[str, bytes]) -> set[str]:
    """Every HOODWINK_ variable that the code in these files knows."""
    code = "".join(
        content.decode() for name, content in files.items() if name.startswith(SETTINGS_OF) and name.endswith(".py")
    )
    return set(re.findall(r"\bHOODWINK_[A-Z_]+\b", code))


def compare(files: dict[str, bytes], there: Iterable[RepoFile]) -> Delta:
    """Contents are compared by their hashes, so that nothing is downloaded; .gitattributes is the Hub's own."""
    found = {file.path: file for file in there}
    upload = {name: content for name, content in files.items() if not _is_there(content, found.get(name))}
    delete = sorted(found.keys() - files.keys() - {".gitattributes"})
    return Delta(upload, delete, len(files) - len(upload))


def _is_there(content: bytes, file: RepoFile | None) -> bool:
    if file is None:
        return False
    if file.lfs:
        return file.lfs.sha256 == hashlib.sha256(content).hexdigest()
    blob = b"blob %d\0" % len(content) + content  # as git names contents
    return file.blob_id == hashlib.sha1(blob, usedforsecurity=False).hexdigest()


def _sent(root: Path, names: Iterable[str]) -> list[str]:
    linked = set(re.findall(r"\]\((?!http)([^)#]+)", (root / "README.md").read_text(encoding="utf-8")))
    return [name for name in names if name and (name in linked or not name.startswith(LEFT_OUT))]


def _ours(root: Path) -> list[str]:
    names = _git(root, "ls-files", "-z").split("\0") if (root / ".git").exists() else []
    found = [name for name in names if (root / name).is_file() and not (root / name).is_symlink()]
    return found or sorted(path.relative_to(root).as_posix() for path in _walk(root))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in NEVER or path.is_symlink():
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def _git(root: Path, *words: str) -> str:
    """What git says; nothing without git, or where this is no checkout."""
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return ""
    done = subprocess.run([git, *words], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
