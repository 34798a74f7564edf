"""A stress-test report as `python -m evaluation report` writes it, with few sets."""

import json
from pathlib import Path
from typing import Any

from evaluation.metrics import share


def made_report(weights_id: str) -> dict[str, Any]:
    return {
        "summary": ["It reads what it should.", "PGD 0.3 leaves nothing."],
        "format": 1,
        "weights_id": weights_id,
        "round": 3,
        "conditions": {"created_at": "2026-11-21T10:00:00+00:00"},
        "sets": [
            _set("clean", "clean", 9943, 10000),
            _set("fooling, round 1", "fooling", 0, 11, fooled_these=11),
            _set("PGD 0.3", "attack", 0, 1000),
            _set("fog", "shift", 7002, 10000),
        ],
    }


def _set(name: str, kind: str, hits: int, n: int, fooled_these: int = 0) -> dict[str, Any]:
    what = f"{name}, as it is described"
    return {
        "name": name,
        "kind": kind,
        "what": what,
        "n": n,
        "accuracy": vars(share(hits, n)),
        "fooled_these": fooled_these,
    }


def write_report(reports: Path, report: dict[str, Any], page: str = "<!doctype html><p>The full report") -> Path:
    folder = reports / report["weights_id"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(page)
    (folder / "report.json").write_text(json.dumps(report))
    return folder
