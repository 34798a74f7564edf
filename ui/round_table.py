"""What every round brought, in words and numbers: the headline, and a table."""

from html import escape
from typing import Any

from ui.numbers import NOTHING, interval, percent, percent_or_nothing, plural
from ui.round_plots import comparable, is_generated

Round = dict[str, Any]
COLUMNS = (
    ("round", ""),
    ("decision", ""),
    ("MER", "model error rate: the share of submitted drawings that fooled the model, with its 95 % interval"),
    ("vMER", "the same with only those that other people's readings verified"),
    ("per try", "fooling drawings per drawing that was shown a prediction, submitted or not"),
    ("attempts", "drawings that were submitted"),
    ("people", "annotators: how many people drew"),
    ("time", "drawing time until it was fooled: median seconds from the pen's start to its last point"),
    ("clean accuracy", "clean digits read correctly, before and after"),
)


def headline(rounds: list[Round], now: Round) -> str:
    tiles = [(f"Round {now['round']} is open", _towards(now["ready"], now["threshold"]))]
    if not rounds:
        return _tiles(tiles)
    kinds = {kind: sum(r["decision"] == kind for r in rounds) for kind in ("promoted", "refused", "rolled back")}
    back = f", {kinds['rolled back']} rolled back" if kinds["rolled back"] else ""
    tiles.append((f"{kinds['promoted']} promoted", f"{kinds['refused']} refused{back}"))
    if rates := [(r["round"], percent(r["mer"]["value"])) for r in rounds if r["mer"]["value"] is not None]:
        value, which = _from_to(rates[0][1], rates[-1][1], f"round {rates[0][0]}", f"round {rates[-1][0]}")
        tiles.append((value, f"of drawings fooled it (MER), {which}"))
    accepted = [r for r in comparable(rounds) if r["decision"] != "refused"]
    if accepted and (start := accepted[0]["clean_accuracy_before"]) is not None:
        value, _ = _from_to(percent(start, 2), percent(accepted[-1]["clean_accuracy_after"], 2), "", "")
        on = "generated digits, not MNIST" if any(map(is_generated, accepted)) else "MNIST test digits"
        tiles.append((value, f"clean accuracy, start &rarr; now, on {on}"))
    return _tiles(tiles)


def _towards(ready: int, threshold: int) -> str:
    if ready >= threshold:
        return f"{plural(ready, 'new fooling drawing')}: enough for the next retraining"
    return f"{ready} of the {plural(threshold, 'fooling drawing')} that start the next retraining"


def _from_to(first: str, last: str, first_round: str, last_round: str) -> tuple[str, str]:
    if first_round and first_round == last_round:
        return first, first_round
    return f"{first} &rarr; {last}", f"{first_round} &rarr; {last_round}"


def _tiles(tiles: list[tuple[str, str]]) -> str:
    items = "".join(f"<li><strong>{value}</strong><span>{about}</span></li>" for value, about in tiles)
    return f'<ul class="hw-tiles">{items}</ul>'


def table(rounds: list[Round], now: Round) -> str:
    """Newest first, the open round before all; the reason of each decision in a line of its own."""
    head = "".join(
        f'<th scope="col"{f" title={chr(34)}{escape(about)}{chr(34)}" if about else ""}>{name}</th>'
        for name, about in COLUMNS
    )
    bodies = _body(now) + "".join(map(_body, reversed(rounds)))
    return (
        '<table class="hw-table hw-rounds"><caption>Every round, the newest first</caption>'
        f"<thead><tr>{head}</tr></thead>{bodies}</table>"
    )


def _body(r: Round) -> str:
    kind = r["decision"].replace(" ", "-")
    cells = (
        f'<span class="hw-decision {kind}">{r["decision"]}</span>',
        _rate(r["mer"]),
        _verified(r),
        _rate(r["fooling_per_try"]),
        f"{r['attempts']:,}",
        f"{r['annotators']:,}" if r.get("annotators") is not None else NOTHING,
        _time(r),
        _clean(r),
    )
    figures = "".join(f"<td>{cell}</td>" for cell in cells)
    row = f'<tr><th scope="row">{r["round"]}</th>{figures}</tr>'
    return f'<tbody data-round="{r["round"]}" class="{kind}">{row}{_why(r)}</tbody>'


def _rate(rate: Round) -> str:
    if rate["value"] is None:
        return NOTHING
    return f"{percent(rate['value'])}<small>{interval(rate)}<br>{rate['hits']:,} of {rate['n']:,}</small>"


def _verified(r: Round) -> str:
    if not r["vmer"]:
        return f"{NOTHING}<small>nobody judges</small>"
    pending = f"{r['pending']:,} pending"
    if r["vmer"]["value"] is None or (r["pending"] and not r["verified"]):
        return f"{NOTHING}<small>{pending}</small>"
    return f"{percent(r['vmer']['value'])}<small>{interval(r['vmer'])}<br>{pending}</small>"


def _time(r: Round) -> str:
    if r.get("seconds_until_fooled") is None:
        return NOTHING
    return f"{r['seconds_until_fooled']:.1f} s<small>of {r['seconds_until_fooled_n']:,}</small>"


def _clean(r: Round) -> str:
    if r["decision"] == "open":
        return NOTHING
    text = (
        f"{percent_or_nothing(r['clean_accuracy_before'], 2)} &rarr; {percent_or_nothing(r['clean_accuracy_after'], 2)}"
    )
    notes = ["the candidate's"] if r["decision"] == "refused" else []
    notes += [f"on {escape(r['clean_source'])}"] if is_generated(r) else []
    return f"{text}<small>{', '.join(notes)}</small>"


def _why(r: Round) -> str:
    if r["decision"] == "open":
        return ""
    line = f'<p class="reason"><b>{r["decision"].capitalize()}:</b> {escape(r["reason"])}</p>'
    return f'<tr class="why"><td colspan="{len(COLUMNS)}"><div>{line}{_details(r)}</div></td></tr>'


def _details(r: Round) -> str:
    checks = (r.get("gate") or {}).get("checks", [])
    failed = sum(not check["passed"] for check in checks)
    summary = "More"
    if checks:
        summary = f"{plural(len(checks), 'check')}, {f'{failed} failed' if failed else 'all passed'}"
    items = "".join(
        f'<li class="{"passed" if c["passed"] else "failed"}"><b>{"✓ passed" if c["passed"] else "✗ failed"}</b> '
        f"{escape(c['name'])}: {escape(c['words'])}</li>"
        for c in checks
    )
    gain = (r.get("gate") or {}).get("gain")
    items += f"<li>{escape(gain['words'])}</li>" if gain else ""
    return (
        f'<details data-key="round-{r["round"]}"><summary>{summary}</summary>'
        f"<ul>{items}<li>{_made(r)}</li></ul></details>"
    )


def _made(r: Round) -> str:
    """Of what the weights were made, and when."""
    parts = [f"weights <code>{escape(r['weights_id'])}</code>"]
    if r.get("training_drawings") is not None:
        parts.append(f"learned from {plural(r['training_drawings'], 'fooling drawing')} of all rounds so far")
    parts.append(f"{plural(r['held_out'], 'drawing')} of this round held out")
    if r.get("seconds") is not None:
        parts.append(f"took {r['seconds']:.0f} s")
    parts.append(f"decided {escape(r['closed_at'][:16].replace('T', ' '))} UTC")
    return "; ".join(parts)
