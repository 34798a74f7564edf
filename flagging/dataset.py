"""The dataset people load, made from the ledger."""

import io
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Features, Image, List, Value

from flagging.attempts import Attempt, Refused
from flagging.cards import DEFAULT, SHOWN, SPLITS, Counts, dataset_card
from flagging.ledger import Ledger

DIGITS = [str(digit) for digit in range(10)]
FEATURES = Features(
    {
        "attempt_id": Value("string"),
        "image": Image(),
        "label": ClassLabel(names=DIGITS),
        "prediction": ClassLabel(names=DIGITS),
        "probabilities": List(Value("float32"), length=10),
        "model_wrong": Value("bool"),
        "state": Value("string"),
        "judged_label": ClassLabel(names=DIGITS),
        "split": Value("string"),
        "strokes": Value("string"),
        "round": Value("int32"),
        "promotion": Value("int32"),
        "weights_id": Value("string"),
        "annotator": Value("string"),
        "raster_version": Value("int32"),
        "created_at": Value("string"),
    }
)
CONFIGS: dict[str, Callable[[Attempt], bool]] = {
    DEFAULT: lambda attempt: attempt.model_wrong and attempt.state != "rejected",
    "verified": lambda attempt: attempt.state in ("verified", "corrected"),
    "all": lambda _: True,
}


@dataclass(frozen=True)
class RoundFiles:
    """The dataset's files of one round, by path; None: there is no such drawing, and no such file."""

    files: dict[str, bytes | None]
    counts: Counts


def round_files(number: int, attempts: Iterable[Attempt]) -> RoundFiles:
    """The same bytes from the same attempts, in whatever order they came."""
    ordered = sorted(attempts, key=lambda attempt: (attempt.created_at, attempt.attempt_id))
    files: dict[str, bytes | None] = {}
    splits: dict[str, dict[str, int]] = {config: dict.fromkeys(SPLITS, 0) for config in CONFIGS}
    for config, belongs in CONFIGS.items():
        for split in SPLITS:
            chosen = [a for a in ordered if a.split == split and belongs(a)]
            splits[config][split] = len(chosen)
            files[f"{config}/{split}-round-{number:05d}.parquet"] = _parquet(chosen) if chosen else None
    digits: dict[str, dict[str, int]] = {}
    for attempt in ordered:
        if attempt.state:
            of_digit = digits.setdefault(str(attempt.label), {})
            of_digit[attempt.state] = of_digit.get(attempt.state, 0) + 1
    return RoundFiles(files, Counts(splits, digits))


@dataclass(frozen=True)
class Exported:
    """How many drawings went into each split of each config."""

    folder: Path
    rows: dict[str, dict[str, int]]


def export(ledger: Ledger, folder: Path) -> Exported:
    """Write the dataset as it is on the Hub, the open round's drawings too: Parquet, one file per config, split and round,
    with a card; then `datasets.load_dataset(folder)` gives the fooling drawings and `load_dataset(folder, "all")` every attempt.

    A split without a drawing is left out, and so is a config while it has none: `datasets` cannot load them. Hidden and
    retracted drawings are in none. The folder is replaced as a whole. Raises Refused if there is no drawing at all, or the
    folder holds anything that is not an earlier export.
    """
    marker = ".hoodwink-export"
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder} is a file; name a folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / marker).exists():
        raise Refused(f"{folder} holds other files; name an empty folder or one made by an earlier export")
    if not ledger.totals().attempts:
        raise Refused("there are no drawings yet; submit one before exporting")
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        counts = _write(ledger, beside, marker, folder.name)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)  # a disk that is full needs the room
        raise
    if folder.exists():
        shutil.rmtree(folder)
    beside.rename(folder)
    return Exported(folder, counts.splits)


def _write(ledger: Ledger, beside: Path, marker: str, name: str) -> Counts:
    beside.mkdir(parents=True)
    (beside / marker).touch()
    counts = Counts({config: dict.fromkeys(SPLITS, 0) for config in CONFIGS}, {})
    for number in range(1, ledger.open_round().number + 1):
        of_round = round_files(number, ledger.drawn_in_round(number))
        counts = Counts.sum([counts, of_round.counts])
        for path, content in of_round.files.items():
            if content is not None:
                (beside / path).parent.mkdir(exist_ok=True)
                (beside / path).write_bytes(content)
    (beside / "README.md").write_text(dataset_card(counts, ledger.closed_rounds(newest=SHOWN), name), encoding="utf-8")
    return counts


def _parquet(attempts: list[Attempt]) -> bytes:
    rows = [
        vars(a) | {"image": {"bytes": a.image, "path": None}, "created_at": _to_the_hour(a.created_at)}
        for a in attempts
    ]
    columns = {name: [row[name] for row in rows] for name in FEATURES}
    buffer = io.BytesIO()
    # Not Dataset.to_parquet: it spends most of its time on a fingerprint, and draws a progress bar for each file. The schema says what
    # the columns are, as that does.
    pq.write_table(pa.table(columns, schema=FEATURES.arrow_schema), buffer)
    return buffer.getvalue()


def _to_the_hour(moment: str) -> str:
    """When exactly somebody drew is nobody's business."""
    return datetime.fromisoformat(moment).replace(minute=0, second=0, microsecond=0).isoformat(timespec="seconds")
