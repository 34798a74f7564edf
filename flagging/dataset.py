"""The dataset people load, made from the ledger."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasets import ClassLabel, Dataset, Features, Image, List, Value

from flagging.attempts import Attempt, Refused
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
CONFIGS: dict[str, Callable[[Attempt], bool]] = {  # the first is the default
    "fooling": lambda attempt: attempt.model_wrong and attempt.state != "rejected",
    "verified": lambda attempt: attempt.state in ("verified", "corrected"),
    "all": lambda _: True,
}
DEFAULT = next(iter(CONFIGS))
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Exported:
    """How many drawings went into each split of each config."""

    folder: Path
    rows: dict[str, dict[str, int]]


def export(ledger: Ledger, folder: Path) -> Exported:
    """Write the dataset as Parquet, one file per config, split and round, with a card; then
    `datasets.load_dataset(folder)` gives the fooling drawings and `load_dataset(folder, "all")` every attempt.

    Config `verified` has those that other annotators confirmed. A split without a drawing is left out, and so is a
    config while it has none: `datasets` cannot load them. Hidden and retracted drawings are in none. The folder is
    replaced as a whole. Raises Refused if there is no drawing at all, or the folder holds anything that is not an earlier export.
    """
    marker = ".hoodwink-export"
    folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder} is a file; name a folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / marker).exists():
        raise Refused(f"{folder} holds other files; name an empty folder or one made by an earlier export")
    attempts = list(ledger.attempts())
    if not attempts:
        raise Refused("there are no drawings yet; submit one before exporting")
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    (beside / marker).touch()
    rounds = range(1, ledger.open_round().number + 1)
    rows: dict[str, dict[str, int]] = {}
    for config, belongs in CONFIGS.items():
        for split in SPLITS:
            chosen = [a for a in attempts if a.split == split and belongs(a)]
            rows.setdefault(config, {})[split] = len(chosen)
            for number in rounds:
                of_round = [a for a in chosen if a.round == number]
                if of_round:
                    _write(of_round, beside / config / f"{split}-round-{number:05d}.parquet")
    (beside / "README.md").write_text(_card(rows, ledger), encoding="utf-8")
    if folder.exists():
        shutil.rmtree(folder)
    beside.rename(folder)
    return Exported(folder, rows)


def _write(attempts: list[Attempt], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = [vars(attempt) | {"image": {"bytes": attempt.image, "path": None}} for attempt in attempts]
    columns = {name: [row[name] for row in rows] for name in FEATURES}
    Dataset.from_dict(columns, features=FEATURES).to_parquet(path)


def _card(rows: dict[str, dict[str, int]], ledger: Ledger) -> str:
    configs = "".join(
        f"- config_name: {config}\n"
        + ("  default: true\n" if config == DEFAULT else "")
        + "  data_files:\n"
        + "".join(
            f"  - split: {split}\n    path: {config}/{split}-*.parquet\n" for split in SPLITS if rows[config][split]
        )
        for config in CONFIGS
        if any(rows[config].values())
    )
    counts = "".join(f"| {config} | {rows[config]['train']} | {rows[config]['test']} |\n" for config in CONFIGS)
    return f"""---
license: cc0-1.0
task_categories: [image-classification]
tags: [mnist, dynamic-adversarial-data-collection, human-in-the-loop]
configs:
{configs}---
# Digits drawn to fool a model

Drawn by people with Hoodwink, who saw what the model took their drawing for and tried to be misread. A drawing is
fooling when the model's prediction differs from the digit its annotator meant.

| config | train | test |
|---|---|---|
{counts}
Rounds closed so far: {ledger.open_round().number - 1}. Test drawings are never trained on; annotator, label and round
decide the split together. Columns: `image` 28 x 28 grey, ink is white; `strokes` JSON `[[[x, y] or [x, y, ms], ...], ...]`
on a 280 x 280 canvas, from which the image was made (`raster_version`); `prediction` and `probabilities` are those of the
weights `weights_id`, serving as promotion `promotion` when it was submitted; `annotator` is a keyed hash; `label` is
what the annotator meant, `state` what other annotators' blind readings made of it (pending, verified, corrected, rejected,
ambiguous; none where the model was right) and `judged_label` the digit they agreed on. `fooling` leaves out rejected
drawings: there the others read what the model read. `verified` holds verified and corrected ones.
"""
