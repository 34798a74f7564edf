"""All benchmarks one after the other: `python -m benchmarks`; writes docs/benchmarks.md. `--short` is what CI runs.

On an otherwise idle machine: they measure time. Each runs in a process of its own.
"""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.results import Row, Section, show
from benchmarks.server import REPOSITORY

DOCS = REPOSITORY / "docs"
NAMES = (
    *("latency", "first_stroke", "start", "predictions", "submit", "beside_training", "swaps", "fine_tuning"),
    *("flood", "fuzz", "faults"),
)
VERSIONS = ("gradio", "torch", "uvicorn", "httptools", "numpy", "aiohttp", "playwright")


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Which: {', '.join(NAMES)}; all, if none is named.")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="The short forms; nothing is written.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for benchmarks.md and benchmarks.json.")] = DOCS,
) -> None:
    """Measure, and write what was found. What is not measured now stays in the page as it was.

    Ends with 1 if something that was asked was not reached; in the short form, if that is no matter of speed.
    """
    chosen = names or list(NAMES)
    if strange := set(chosen) - set(NAMES):
        raise SystemExit(f"there is no benchmark {sorted(strange)}; choose from {', '.join(NAMES)}")
    missed = []
    # What is measured in earnest has the machine for itself; in short, two at a time, but for a training: it gives way to all.
    if short:
        chosen.sort(key=lambda name: {"beside_training": 0, "faults": 1}.get(name, 2))  # then what takes longest
    with ThreadPoolExecutor(2 if short else 1) as pool:
        first = measured(chosen[0], short)
        later = pool.map(lambda one: measured(one, short), chosen[1:])
        for name, found in zip(chosen, chain([first], later), strict=True):
            section = Section(**found["section"] | {"rows": [Row(**row) for row in found["section"]["rows"]]})
            show(section)
            print(f"{name}: {found['seconds']:.0f} s\n", flush=True)
            missed += section.broken if short else section.missed
            if not short:
                keep(out, name, found)
    if missed:
        print("not reached:", *(f"  {row.what}: {row.ours} {row.ratio} ({row.wanted})" for row in missed), sep="\n")
        raise typer.Exit(1)


def measured(name: str, short: bool) -> dict[str, Any]:
    began = time.monotonic()
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", *(["--short"] if short else [])]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise SystemExit(f"{name} ended with {done.returncode} and no figures; what it wrote stands above")
    return {
        "section": json.loads(lines[-1]),
        "seconds": round(time.monotonic() - began, 1),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
    }


def machine() -> dict[str, str]:
    cpu = next((line.split(":")[1].strip() for line in _read("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = next((int(line.split()[1]) for line in _read("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "processor": f"{os.cpu_count()} cores of {cpu}",
        "memory": f"{memory / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS),
    }


def _read(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def keep(out: Path, name: str, found: dict[str, Any]) -> None:
    """Put a result beside those of other benchmarks, and write the page of them all."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "benchmarks.json"
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    kept = {one: (kept | {name: found})[one] for one in NAMES if one in kept or one == name}
    file.write_text(json.dumps(kept, indent=1))
    (out / "benchmarks.md").write_text(page(kept))


def page(kept: dict[str, Any]) -> str:
    rows = [row for found in kept.values() for row in found["section"]["rows"] if row["reached"] is not None]
    lines = [
        "<!-- written by python -m benchmarks -->",
        "# Benchmarks",
        "",
        "Fast and hard to break: what Hoodwink does under strain, and what the tutorial's way does in the same run. `make bench` "
        "measures it all again and writes this page; `python -m benchmarks NAME` a part of it; `make bench-short` is what CI runs.",
        "",
        f"**Of {len(rows)} things asked {sum(row['reached'] for row in rows)} were reached.**",
    ]
    for name, found in kept.items():
        lines += ["", *_section(name, found)]
    return "\n".join(lines) + "\n"


def _section(name: str, found: dict[str, Any]) -> list[str]:
    section, at = found["section"], found["machine"]
    reached = {None: "", True: "yes", False: "**no**"}
    return [
        f"## {section['title']}",
        "",
        "| | Hoodwink | peer, or without | ratio | asked | reached |",
        "|---|---|---|---|---|---|",
        *(
            f"| {' | '.join([row['what'], row['ours'], row['peer'], row['ratio'], row['wanted'], reached[row['reached']]])} |"
            for row in section["rows"]
        ),
        "",
        *section["conditions"],
        "",
        f"`python -m benchmarks.{name}`, {found['date']}, {found['seconds']:.0f} s; {at['processor']}, {at['memory']}; {at['system']}; "
        f"{at['packages']}.",
    ]


if __name__ == "__main__":
    typer.run(main)
