"""The report as one page that needs nothing else: no script, no file beside it, light and dark, narrow and wide."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from evaluation.summary import percent, points

Row = Mapping[str, Any]

STYLE = """
:root{--paper:#fff;--ink:#1b1b1f;--soft:#5c5c66;--line:#ddd;--clean:#009E73;--fooling:#D55E00;--attack:#B85C93;--shift:#0072B2;--heat:0,114,178}
@media(prefers-color-scheme:dark){:root{--paper:#17171b;--ink:#ececf1;--soft:#a2a2ad;--line:#3a3a42;--heat:86,180,233}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:auto;padding:1rem}h1{font-size:1.4rem;line-height:1.2}h2{font-size:1.1rem;margin-top:2rem}
li{margin:.4rem 0}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .5rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th:first-child{text-align:left}
.bar{display:block;position:relative;height:.9rem;width:8rem;background:var(--line)}
.bar i{position:absolute;left:0;top:0;bottom:0}.bar b{position:absolute;top:.35rem;height:.2rem;background:var(--ink)}
.heat td{text-align:center;padding:.2rem .35rem}img{max-width:100%;height:auto;background:#fff}details{margin:.3rem 0}summary{cursor:pointer;padding:.3rem 0}
.soft{color:var(--soft);font-size:.85rem}
"""


def page(figures: Row, examples_png: bytes) -> str:
    """The whole page. examples_png goes into it."""
    rows = [row for row in figures["sets"] if row["n"]]
    title = f"Stress test of weights {figures['weights_id']} (round {figures['round']})"
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>",
            "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in figures["summary"]) + "</ul>",
            "<h2>Every set</h2>",
            _overview(figures, rows),
            '<p class="soft">The dark stroke is the 95 % interval. * holds drawings that fooled just these weights, which had to misread them.</p>',
            "<h2>% of each digit read rightly</h2>",
            _digits(rows),
            "<h2>What it was shown</h2>",
            '<p class="soft">The first image of each digit; in red what it was misread as.</p>',
            f'<img alt="An image of each digit in each set" src="data:image/png;base64,{b64encode(examples_png).decode()}">',
            "<h2>Set by set</h2>",
            *(_details(row) for row in rows),
            "<h2>Conditions</h2>",
            _conditions(figures),
            "</main></body></html>",
        ]
    )


def _overview(figures: Row, rows: Sequence[Row]) -> str:
    other = figures["against"]
    than = f"<th>better than round {other['round']}" if other else ""
    lines = [f"<tr><th>set<th>images<th>accuracy<th><th>loss<th>below clean{than}"]
    for row in rows:
        of, loss = row["accuracy"], row["loss"]
        bar = (
            f'<span class="bar"><i style="width:{100 * of["value"]:.1f}%;background:var(--{row["kind"]})"></i>'
            f'<b style="left:{100 * of["low"]:.1f}%;width:{100 * (of["high"] - of["low"]):.1f}%"></b></span>'
        )
        compared = f"<td>{_gain(row['against'])}" if other else ""
        lines.append(
            f"<tr><th>{escape(row['name'])}{' *' if row['fooled_these'] else ''}<td>{row['n']:,}<td>{percent(of)}<td>{bar}"
            f"<td>{loss['value']:.3f}<td>{points(row['drop']) if row['drop'] else ''}{compared}"
        )
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _gain(against: Row) -> str:
    return points(against["difference"]) if against["fair"] else "by construction"


def _digits(rows: Sequence[Row]) -> str:
    lines = ["<tr><th>" + "".join(f"<th>{digit}" for digit in range(10))]
    for row in rows:
        cells = "".join(_heat(d["recall"] if d["support"] else None, "{:.0f}", 100) for d in row["digits"])
        lines.append(f"<tr><th>{escape(row['name'])}{cells}")
    return f'<div class="wide"><table class="heat">{"".join(lines)}</table></div>'


def _heat(share: float | None, form: str, times: float = 1, of: float = 1) -> str:
    if share is None:
        return "<td>"
    depth = 0.75 * min(share / max(of, 1e-9), 1)
    return f'<td style="background:rgba(var(--heat),{depth:.2f})">{form.format(share * times)}'


def _details(row: Row) -> str:
    """What was taken for what, and each digit's figures, folded away."""
    lines = [
        "<tr><th>meant \\ seen"
        + "".join(f"<th>{digit}" for digit in range(10))
        + "<th>precision<th>recall<th>F1<th>support"
    ]
    for meant, (counts, d) in enumerate(zip(row["confusion"], row["digits"], strict=True)):
        cells = "".join(_heat(count, "{:.0f}", of=max(sum(counts), 1)) if count else "<td>" for count in counts)
        figures = "".join(f"<td>{'-' if d[key] is None else f'{d[key]:.3f}'}" for key in ("precision", "recall", "f1"))
        lines.append(f"<tr><th>{meant}{cells}{figures}<td>{d['support']:,}")
    loss = row["loss"]
    between = f" ({loss['low']:.4f} to {loss['high']:.4f})" if loss["low"] is not None else ""
    return (
        f"<details><summary>{escape(row['name'])}: {percent(row['accuracy'])}</summary>"
        f'<p class="soft">{escape(row["what"])}; {row["n"]:,} images; loss {loss["value"]:.4f}{between}</p>'
        f'<div class="wide"><table class="heat">{"".join(lines)}</table></div></details>'
    )


def _conditions(figures: Row) -> str:
    return '<ul class="soft">' + "".join(f"<li>{escape(line)}</li>" for line in stated(figures)) + "</ul>"


def stated(figures: Row) -> list[str]:
    """Under which conditions the figures hold."""
    data, made = figures["data"], figures["conditions"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    lines = [
        f"Weights {figures['weights_id']}, round {figures['round']}; clean digits: {data['source']}, test.",
        f"Attacks on the first {data['attacked']:,} test digits, made against the weights that read them; shifts of all test digits; seed {data['seed']}.",
        f"Python {made['python']}, {versions}; {made['machine']}, {made['cores']} cores, {made['threads']} threads.",
        f"Made on {made['created_at'][:10]} in {figures['seconds']:.0f} s ({figures['processor_seconds']:.0f} s of processor time).",
    ]
    lines += [
        f"Inference at batch {row['batch']:,}: {row['milliseconds_per_image']:.3f} ms per image (median of {row['repetitions']}; 10 % below "
        f"{row['low']:.3f}, 10 % above {row['high']:.3f}), {row['threads']} threads, from 8-bit pixels to logits."
        for row in figures["speed"]
    ]
    return lines
