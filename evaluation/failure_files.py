"""Confident failures as files: a folder per case, a contact sheet, an index."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import Any

from torch import Tensor, nn

from evaluation.extras import need
from evaluation.failures import Case, Failures, Reading, look_at
from evaluation.overlays import Picture, enlarged, overlay, png
from evaluation.study import Images, Study
from model.weights import write_whole

ON_THE_SHEET = 48  # cases; more make a picture nobody can read
TILES_ACROSS = 12

Maps = dict[str, tuple[Tensor, Tensor]]  # by network: for the predicted and for the true class, (cases, H, W) each


def write_failures(
    failures: Failures,
    study: Study,
    networks: Mapping[str, nn.Module],
    data: Images,
    folder: Path,
    said: Mapping[str, Any] | None = None,
) -> Path:
    """Write the cases below `folder` and give the path of the index.

    Cases of an earlier call are removed; other files there are left alone. said: conditions, for failures.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob("[0-9][0-9][0-9]*-*-as-*/"):
        if _is_case(earlier):
            shutil.rmtree(earlier)
    (folder / "contact_sheet.png").unlink(missing_ok=True)
    maps = look_at(study, networks, data, failures.cases)
    names = [_name(study, number, case) for number, case in enumerate(failures.cases, 1)]
    for nth, (case, name) in enumerate(zip(failures.cases, names, strict=True)):
        _write_case(folder / name, study, data.images[case.index], case, _of_case(maps, nth))
    if failures.cases:
        write_whole(folder / "contact_sheet.png", contact_sheet(failures, study, data, maps))
    report = {"study": study.name, **(said or {}), **failures.as_json(), "folders": names}
    write_whole(folder / "failures.json", (json.dumps(report, indent=2) + "\n").encode())
    write_whole(folder / "index.md", _index(failures, study, names, report).encode())
    return folder / "index.md"


def heat_name(study: Study, reading: Reading, what: str, which: int) -> str:
    return f"{reading.weights}-{what}-{study.classes[which]}.png"


def contact_sheet(failures: Failures, study: Study, data: Images, maps: Maps) -> bytes:
    """The first cases in one PNG: each the image, then for every network where it saw what it predicted, and the truth."""
    cases, names = failures.cases[:ON_THE_SHEET], list(maps)
    tiles = 1 + 2 * len(names)
    across = max(1, min(TILES_ACROSS // tiles, len(cases)))
    down = -(-len(cases) // across)
    width = 1.5 * tiles * across  # inches
    heading = [line for text in _heading(failures, study) for line in wrap(text, int(13 * width))]
    above, height = 0.55 + 0.17 * len(heading), 1.9 * down
    figure = need("matplotlib.figure").Figure(figsize=(width, height + above), dpi=110)
    figure.text(0.01, 1 - 0.1 / (height + above), "\n".join(heading), fontsize=10, va="top")
    places = {"left": 0.01, "right": 0.99, "bottom": 0.05 / (height + above), "top": 1 - above / (height + above)}
    grid = figure.add_gridspec(down, tiles * across, **places, wspace=0.06, hspace=0.3)
    for nth, case in enumerate(cases):
        row, column = nth // across, nth % across * tiles
        for offset, (picture, title) in enumerate(_tiles(study, data.images[case.index], case, _of_case(maps, nth))):
            axes = figure.add_subplot(grid[row, column + offset])
            axes.imshow(picture)
            axes.set(xticks=[], yticks=[])
            axes.set_title(title, fontsize=7, pad=3)
            for spine in axes.spines.values():
                spine.set(color="#bbbbbb", linewidth=0.6)
    return _as_png(figure)


def _tiles(study: Study, image: Tensor, case: Case, maps: Maps) -> list[tuple[Picture, str]]:
    tiles = [(enlarged(image), f"{case.id[:18]}\na {study.classes[case.true]}")]
    for reading in case.readings:
        predicted, true = maps[reading.weights]
        sure, of_true = reading.confidence, reading.probabilities[case.true]
        tiles += [
            (
                overlay(image, predicted[0]),
                f"{reading.weights[:10]} says\n{study.classes[reading.predicted]}, {percent(sure)}",
            ),
            (overlay(image, true[0]), f"what spoke for\n{study.classes[case.true]}, {percent(of_true)}"),
        ]
    return tiles


def percent(share: float) -> str:
    """To a tenth, never rounded to certainty."""
    if share > 0.999:
        return "over 99.9 %"
    return "under 0.1 %" if share < 0.001 else f"{share * 100:.1f} %"


def _heading(failures: Failures, study: Study) -> list[str]:
    shown = len(failures.cases[:ON_THE_SHEET])
    part = "" if shown == len(failures.cases) else f" The first {shown} are shown."
    return [
        failures.sentence() + part,
        f"Heat: Grad-CAM of {study.layer.name}, from blue to red up to each map's own maximum.",
    ]


def _as_png(figure: Any) -> bytes:
    from io import BytesIO

    packed = BytesIO()
    figure.savefig(packed, format="png")
    return packed.getvalue()


def _of_case(maps: Maps, nth: int) -> Maps:
    return {name: (predicted[nth : nth + 1], true[nth : nth + 1]) for name, (predicted, true) in maps.items()}


def _name(study: Study, number: int, case: Case) -> str:
    return f"{number:03}-{case.id}-{study.classes[case.true]}-as-{study.classes[case.mistaken.predicted]}"


def _is_case(folder: Path) -> bool:
    """Written by an earlier call, if only half."""
    return all(file.is_file() and file.suffix in (".json", ".png") for file in folder.iterdir())


def _write_case(folder: Path, study: Study, image: Tensor, case: Case, maps: Maps) -> None:
    folder.mkdir()
    facts = {
        "id": case.id,
        "true": study.classes[case.true],
        **case.notes,
        "readings": [
            {**asdict(reading), "predicted": study.classes[reading.predicted], "classes": study.classes}
            for reading in case.readings
        ],
        "pixels": image.squeeze(0).tolist(),  # 0 to 255, as the network got them before division by 255
    }
    (folder / "case.json").write_text(json.dumps(facts) + "\n")
    (folder / "image.png").write_bytes(png(enlarged(image)))
    for reading in case.readings:
        predicted, true = maps[reading.weights]
        for what, which, heat in (("predicted", reading.predicted, predicted), ("true", case.true, true)):
            (folder / heat_name(study, reading, what, which)).write_bytes(png(overlay(image, heat[0])))


def _index(failures: Failures, study: Study, names: list[str], report: Mapping[str, Any]) -> str:
    lines = ["# Confident failures", "", failures.sentence(), ""]
    lines += [f"- {key}: {value}" for key, value in report.items() if isinstance(value, str) and key != "sentence"]
    if not failures.cases:
        return "\n".join(lines) + "\n"
    lines += [
        f"- heat: Grad-CAM of `{study.layer.name}`{', rectified' if study.layer.rectified else ''}, "
        "each map divided by its own maximum; of the class a network predicted, and of the true one",
        "",
        "![Contact sheet](contact_sheet.png)",
        "",
        "| case | image | true | " + " | ".join(failures.wrong) + " |",
        "|---" * (3 + len(failures.wrong)) + "|",
    ]
    for case, name in zip(failures.cases, names, strict=True):
        cells = [f"[{case.id}]({name}/case.json)", f"![]({name}/image.png)", study.classes[case.true]]
        for reading in case.readings:
            predicted = heat_name(study, reading, "predicted", reading.predicted)
            true = heat_name(study, reading, "true", case.true)
            cells.append(
                f"{study.classes[reading.predicted]}, {percent(reading.confidence)} ![]({name}/{predicted}) ![]({name}/{true})"
            )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
