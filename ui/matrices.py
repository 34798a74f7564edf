"""Two tables of coloured cells: weights against test sets, and meant against seen digits.

The number stands in every cell; the colour only repeats it, in shades of one hue that dark and light text stay readable on.
"""

from typing import Any

from retrain.history import Matrix
from ui.numbers import interval, percent

FEW = 20  # drawings; fewer say too little for a colour


def weights_matrix(matrix: Matrix, served: str) -> str:
    """How the weights of each round read the held-out drawings of each round; "" before there is a second round's weights."""
    if not matrix.test_sets and len(matrix.weights) < 2:
        return ""
    if not matrix.test_sets:
        return (
            '<p class="hw-empty">No fooling drawing is held out yet, so there is nothing to compare on. About a fifth are: '
            "the digits an annotator draws in a round fall on one side together.</p>"
        )
    sizes = [max((row[column]["n"] for row in matrix.cells), default=0) for column in range(len(matrix.test_sets))]
    head = "".join(
        f'<th scope="col">round {number}<small>n = {n}</small></th>'
        for number, n in zip(matrix.test_sets, sizes, strict=True)
    )
    rows = "".join(
        f'<tr><th scope="row">{_weights(weights, served)}</th>{"".join(map(_accuracy_cell, cells))}</tr>'
        for weights, cells in zip(matrix.weights, matrix.cells, strict=True)
    )
    return (
        '<table class="hw-cells hw-matrix"><caption>Share of held-out fooling drawings read correctly</caption>'
        f'<thead><tr><td></td><th scope="colgroup" colspan="{len(sizes)}" class="axis">drawn in</th></tr>'
        f'<tr><th scope="col" class="axis">weights of</th>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _weights(weights: dict[str, Any], served: str) -> str:
    name = f"round {weights['round']}" if weights["round"] else "round-0 weights"
    return name + ("<small>served now</small>" if weights["weights_id"] == served else "")


def _accuracy_cell(cell: dict[str, Any]) -> str:
    if cell["value"] is None:
        return '<td class="unknown" title="these weights could not be read">?</td>'
    said = f"{cell['hits']} of {cell['n']} read correctly, 95 % interval {interval(cell)}"
    if cell["by_construction"]:
        said += "; fooled by construction: these drawings were collected by fooling just these weights"
        return f'<td class="by-construction" title="{said}">{percent(cell["value"])}<small>fooled</small></td>'
    if cell["n"] < FEW:
        return (
            f'<td class="few" title="{said}">{percent(cell["value"])}<small>{cell["hits"]} of {cell["n"]}</small></td>'
        )
    return (
        f'<td class="shade" style="--share: {cell["value"]:.3f}" title="{said}">'
        f"{percent(cell['value'])}<small>{interval(cell)}</small></td>"
    )


def confusion_table(counts: list[list[int]], caption: str) -> str:
    """counts: 10 x 10, meant then seen. The diagonal, where it was not fooled, has no colour; "" if all is zero."""
    if not any(map(any, counts)):
        return ""
    most = max((counts[m][s] for m in range(10) for s in range(10) if m != s), default=0)
    head = "".join(f'<th scope="col">{digit}</th>' for digit in range(10))
    rows = "".join(
        f'<tr><th scope="row">{meant}</th>{"".join(_count_cell(meant, seen, row[seen], most) for seen in range(10))}'
        f'<td class="sum">{_fooled(meant, row)}</td></tr>'
        for meant, row in enumerate(counts)
    )
    return (
        f'<table class="hw-cells hw-confusion"><caption>{caption}</caption>'
        '<thead><tr><td></td><th scope="colgroup" colspan="10" class="axis">it saw</th><td></td></tr>'
        f'<tr><th scope="col" class="axis">meant</th>{head}<th scope="col" class="sum">fooled</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _count_cell(meant: int, seen: int, count: int, most: int) -> str:
    if meant == seen:
        return f'<td class="right" title="a {meant} that was read correctly: {count} times">{count}</td>'
    if not count:
        return '<td class="zero"><span aria-label="0">·</span></td>'
    said = f"meant {meant}, saw {seen}: {count} times"
    return f'<td class="shade" style="--share: {count / most:.3f}" title="{said}">{count}</td>'


def _fooled(meant: int, row: list[int]) -> str:
    total = sum(row)
    return f"{total - row[meant]} of {total}" if total else "·"
