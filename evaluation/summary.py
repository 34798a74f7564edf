"""A report in words, made from its figures: what is shown is said, and what is not shown is said too.

A drop, a collapse or a gain is claimed only where its 95 % interval carries it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

COLLAPSE = 0.5  # a digit collapses where the upper end of its interval lies below this: our choice
ENOUGH_ERRORS = 20  # fewer errors are not ranked by what was taken for what: our choice
WIDE = 0.10  # an interval wider than this says little: our choice
FEW = 30  # with fewer of a digit nothing is said about it alone: our choice
WORST = 3  # how many are named

Row = Mapping[str, Any]


def summarise(report: Row) -> list[str]:
    """Sentences, the most important first. report: as report.json holds it, but for these sentences."""
    sets: Sequence[Row] = [row for row in report["sets"] if row["n"]]
    changed = [row for row in sets if row["name"] != "identity"]  # which is the clean digits once more
    by_kind = {
        kind: [row for row in changed if row["kind"] == kind] for kind in ("clean", "fooling", "attack", "shift")
    }
    sentences = [
        *_clean(report, by_kind["clean"]),
        *_fooling(by_kind["fooling"]),
        *_attacks(by_kind["attack"]),
        *_shifts(report, by_kind["shift"]),
        *_collapses(changed),
        *_confusions(by_kind),
        *_too_small(changed),
        *_against(report, changed),
    ]
    return list(sentences)


def percent(share: Row, digits: int | None = None) -> str:
    """As "99.45 % (99.28 to 99.58)": two decimals from 5,000 images on."""
    if share["value"] is None:
        return "nothing (no image)"
    places = digits if digits is not None else 2 if share.get("n", 0) >= 5000 else 1
    value, low, high = (f"{100 * share[key]:.{places}f}" for key in ("value", "low", "high"))
    return f"{value} % ({low} to {high})"


def points(difference: Row) -> str:
    """As "3.1 points (2.0 to 4.2)"."""
    if difference["value"] is None:
        return "nothing to compare"
    # Adding 0.0 turns a minus zero into a plain one.
    value, low, high = (f"{round(100 * difference[key], 1) + 0.0:.1f}" for key in ("value", "low", "high"))
    return f"{value} points ({low} to {high})"


def is_shown(difference: Row) -> bool:
    """Does the interval leave 0 out?"""
    return difference["value"] is not None and (difference["low"] > 0 or difference["high"] < 0)


def _clean(report: Row, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        wrong = row["n"] - row["accuracy"]["hits"]
        yield (
            f"Weights {report['weights_id']} (round {report['round']}) read {percent(row['accuracy'])} of {row['n']:,} clean "
            f"{report['data']['source']} test digits rightly; {wrong} wrong. In brackets, here and below: the 95 % interval."
        )


def _fooling(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        yield "There is no frozen fooling drawing to test on yet: no round was closed with a held-out one."
        return
    mine = [row for row in rows if row["fooled_these"] == row["n"]]
    for row in mine:
        yield (
            f"The {row['n']} drawings of {row['name']} fooled just these weights, so their {percent(row['accuracy'])} "
            "is by construction and says nothing."
        )
    theirs = _fair(rows)
    if not theirs:
        yield "No held-out drawing fooled other weights, so how it does on people's drawings is not known yet."
        return
    row = max(theirs, key=lambda row: int(row["n"]))
    yield (
        f"On {row['n']} held-out drawings that fooled other weights ({row['name']}) it is right on "
        f"{percent(row['accuracy'])}, {_drop(row)} clean digits."
    )


def _fair(rows: Sequence[Row]) -> list[Row]:
    """Those without a drawing that these weights had to misread."""
    return [row for row in rows if not row["fooled_these"]]


def _drop(row: Row) -> str:
    if not is_shown(row["drop"]):
        return f"which is not shown to differ ({points(row['drop'])}) from"
    return f"{points(row['drop'])} below" if row["drop"]["value"] > 0 else f"{points(_turned(row['drop']))} above"


def _turned(difference: Row) -> Row:
    return {"value": -difference["value"], "low": -difference["high"], "high": -difference["low"]}


def _attacks(rows: Sequence[Row]) -> Iterator[str]:
    if rows:
        told = "; ".join(f"{row['name']} leaves {percent(row['accuracy'])}, {_drop(row)} them" for row in rows)
        yield f"Attacked along the gradient, compared with the same {rows[0]['n']:,} digits unattacked: {told}."


def _shifts(report: Row, rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    worst = sorted((r for r in rows if is_shown(r["drop"])), key=lambda r: -r["drop"]["value"])[:WORST]
    named = "; ".join(f"{row['name']}, {points(row['drop'])}" for row in worst if row["drop"]["value"] > 0)
    spared = [row["name"] for row in rows if not is_shown(row["drop"])]
    yield (
        f"Over {len(rows)} shifts it reads {percent(report['shifts'])} on average. "
        + (f"Most is lost to: {named}." if named else "No drop is shown for any.")
        + (f" No drop is shown for {', '.join(spared)}." if spared and named else "")
    )


def _collapses(sets: Sequence[Row]) -> Iterator[str]:
    """Digits of which less than half are read, and surely so; not where there are few, nor by construction."""
    told = []
    for row in _fair(sets):
        if row["kind"] == "clean":
            continue
        fallen = [d for d in row["digits"] if d["support"] >= FEW and d["accuracy"]["high"] < COLLAPSE]
        spared = [str(d["digit"]) for d in row["digits"] if d not in fallen]
        if len(spared) < 5:
            told.append(f"{row['name']}: every digit" + (f" but {', '.join(spared)}" if spared else ""))
        elif fallen:
            fallen.sort(key=lambda d: d["accuracy"]["value"])
            named = ", ".join(f"{d['digit']} ({100 * d['accuracy']['value']:.0f} %)" for d in fallen)
            told.append(f"{row['name']}: {named}")
    if told:
        yield f"Digits that collapse (their interval lies below one half): {'; '.join(told)}."
    else:
        yield "No digit collapses: nowhere does the interval of one lie below one half."


def _confusions(by_kind: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """What is taken for what, most often: on clean digits, fooling drawings, attacks and shifts."""
    fooling = _fair(by_kind["fooling"])
    groups = {
        "clean digits": by_kind["clean"],
        "fooling drawings": [max(fooling, key=lambda row: int(row["n"]))] if fooling else [],
        "attacked digits": by_kind["attack"],
        "shifted digits": by_kind["shift"],
    }
    told, few = [], []
    for name, rows in groups.items():
        pairs = sorted(
            (
                (sum(row["confusion"][meant][seen] for row in rows), meant, seen)
                for meant in range(10)
                for seen in range(10)
                if meant != seen
            ),
            key=lambda pair: (-pair[0], pair[1:]),
        )
        errors = sum(count for count, *_ in pairs)
        if errors >= ENOUGH_ERRORS:
            named = ", ".join(f"{meant} as {seen} ({count:,})" for count, meant, seen in pairs[:WORST] if count)
            told.append(f"on {name} {named}, of {errors:,} errors")
        elif rows:
            few.append(f"{errors} on {name}")
    if told:
        yield f"Misread most often: {'; '.join(told)}."
    if few:
        yield f"Too few errors to say what is taken for what: {', '.join(few)}."


def _too_small(sets: Sequence[Row]) -> Iterator[str]:
    fair = _fair(sets)
    wide = [row for row in fair if row["accuracy"]["high"] - row["accuracy"]["low"] > WIDE]
    if wide:
        named = "; ".join(
            f"{row['name']}, {row['n']} images: {100 * row['accuracy']['low']:.0f} to {100 * row['accuracy']['high']:.0f} %"
            for row in wide
        )
        yield f"Too small to say more than this: {named}."
    few = [row for row in fair if min(d["support"] for d in row["digits"]) < FEW]
    if few:
        fooling = [row for row in fair if row["kind"] == "fooling"]
        names = ["the fooling drawings"] if few == fooling else [row["name"] for row in few]
        yield f"Fewer than {FEW} of a digit, so that nothing is shown about it alone: {', '.join(names)}."


def _against(report: Row, sets: Sequence[Row]) -> Iterator[str]:
    """Gains and losses against other weights: only those whose interval leaves 0 out."""
    if not report["against"]:
        return
    fair = [row for row in sets if row["against"] and row["against"]["fair"]]
    sign = {row["name"]: _side(row["against"]["difference"]) for row in fair}
    ordered = sorted(fair, key=lambda row: sign[row["name"]])
    parts = {
        side: [
            (row["name"], points(_turned(d) if side == "worse" else d))
            for row in rows
            for d in [row["against"]["difference"]]
        ]
        for side, rows in ((side, list(rows)) for side, rows in groupby(ordered, key=lambda row: sign[row["name"]]))
    }
    other = f"weights {report['against']['weights_id']} (round {report['against']['round']})"
    for side in ("better", "worse"):
        named = "; ".join(f"{name}, {much}" for name, much in parts.get(side, []))
        yield f"Shown to be {side} than {other}: {named or 'nothing'}."
    if same := parts.get("same"):
        yield f"No difference is shown: {'; '.join(f'{name}, {much}' for name, much in same)}."
    chance = f"about {len(fair) / 20:.0f}" if len(fair) >= 20 else "one or none"
    unfair = any(row["against"] and not row["against"]["fair"] for row in sets)
    yield (
        f"With {len(fair)} comparisons at 95 %, {chance} would seem different by chance"
        + ("; drawings that fooled one of the two weights only are no fair comparison and left out." if unfair else ".")
    )


def _side(difference: Row) -> str:
    if not is_shown(difference):
        return "same"
    return "better" if difference["value"] > 0 else "worse"
