"""Which files a repository keeps as large files, and which it ignores."""

from fnmatch import fnmatchcase

# What the Hub writes into a new repository: the first list everywhere, the second into datasets only.
_LARGE_EVERYWHERE = """*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack
*.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar
*.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*"""
_LARGE_IN_DATASETS = """*.lz4 *.mds *.pcm *.sam *.raw *.aac *.flac *.mp3 *.ogg *.wav *.bmp *.gif *.png *.tiff
*.jpg *.jpeg *.webp *.mp4 *.webm"""

# Above this a file is kept as a large file whatever its name.
LARGE_FROM_BYTES = 10 * 1024 * 1024


def first_attributes(repo_type: str) -> bytes:
    """The .gitattributes of a new repository."""
    patterns = _LARGE_EVERYWHERE.split() + (_LARGE_IN_DATASETS.split() if repo_type == "dataset" else [])
    return "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in patterns).encode()


def is_large(path: str, size: int, attributes: str) -> bool:
    """Whether this .gitattributes sends the path to the large file storage; the last matching line decides."""
    large = size > LARGE_FROM_BYTES
    for line in attributes.splitlines():
        words = line.split()
        if len(words) < 2 or words[0].startswith("#") or not _matches(path, words[0]):
            continue
        if "filter=lfs" in words:
            large = True
        elif "-filter" in words or "!filter" in words:
            large = size > LARGE_FROM_BYTES
    return large


def is_ignored(path: str, ignore: str) -> bool:
    """Whether this .gitignore leaves the path out; the last matching line decides."""
    ignored = False
    for line in ignore.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        kept = pattern.startswith("!")
        pattern = pattern.removeprefix("!")
        folder = pattern.endswith("/")
        pattern = pattern.rstrip("/")
        parts = path.split("/")
        parents = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if any(_matches(candidate, pattern) for candidate in (parents if folder else [*parents, path])):
            ignored = not kept
    return ignored


def _matches(path: str, pattern: str) -> bool:
    """A pattern without a slash is about the last part of the path, as in git."""
    if "/" not in pattern:
        return fnmatchcase(path.rsplit("/", 1)[-1], pattern)
    return fnmatchcase(path, pattern.lstrip("/").replace("/**/", "/*"))
