"""The Rounds tab: what every round brought."""

from html import escape
from typing import Any

import gradio as gr
import pandas as pd

from flagging.database import LedgerUnavailable
from ui.game import Game

EMPTY = (
    '<div class="hw-empty">No round is closed yet.<br>Fool the model {threshold} times on the Draw tab, '
    "and the first one will show up here.</div>"
)


def rounds_tab(game: Game, tab: gr.Tab) -> None:
    looks: dict[str, Any] = {"x_title": "round", "y_title": "%", "height": 260, "min_width": 320, "visible": False}
    with gr.Row():
        error_rate = gr.LinePlot(x="round", y="percent", color="share", title="Drawings that fooled it", **looks)
        accuracy = gr.LinePlot(x="round", y="percent", title="Clean accuracy after the round", **looks)
    table = gr.HTML(EMPTY.format(threshold=game.settings.fooling_threshold), apply_default_css=False)
    timer = gr.Timer(3.0, active=False)

    def show() -> tuple[Any, Any, Any]:
        try:
            rounds = game.rounds()
        except LedgerUnavailable as error:
            return gr.skip(), gr.skip(), f'<div class="hw-empty">{escape(str(error))}</div>'
        if not rounds:
            return gr.update(), gr.update(), EMPTY.format(threshold=game.settings.fooling_threshold)
        rates = [
            {"round": str(r["round"]), "percent": 100 * r[key]["value"], "share": share}
            for r in rounds
            for key, share in (("mer", "of attempts (MER)"), ("fooling_per_try", "of tries"))
            if r[key]["value"] is not None
        ]
        clean = [
            {"round": str(r["round"]), "percent": 100 * r["clean_accuracy_after"]}
            for r in rounds
            if r["decision"] != "refused" and r["clean_accuracy_after"] is not None
        ]
        # Rounds are names, not numbers, to the plots: no tick at round 1.5.
        looks = {"sort": [str(r["round"]) for r in rounds], "visible": len(rounds) > 1}
        highest = max((row["percent"] for row in rates), default=100)
        return (
            gr.update(value=pd.DataFrame(rates, columns=["round", "percent", "share"]), y_lim=[0, highest], **looks),
            gr.update(value=pd.DataFrame(clean, columns=["round", "percent"]), **looks),
            _table(rounds),
        )

    shown = [error_rate, accuracy, table]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
    tab.select(show, None, shown, **quiet)
    tab.select(lambda: gr.Timer(active=True), None, timer, **quiet)
    timer.tick(show, None, shown, **quiet)


def _table(rounds: list[dict[str, Any]]) -> str:
    head = "".join(
        f"<th>{name}</th>"
        for name in ("round", "decision", "MER (95 % interval)", "fooling per try", "clean accuracy", "why", "weights")
    )
    return f'<div class="hw-scroll"><table class="hw-table"><tr>{head}</tr>{"".join(map(_row, reversed(rounds)))}</table></div>'


def _row(r: dict[str, Any]) -> str:
    kind = {"promoted": "hw-promoted", "refused": "hw-refused"}.get(r["decision"], "")
    cells = (
        str(r["round"]),
        f'<span class="{kind}">{escape(r["decision"])}</span>',
        _rate(r["mer"]),
        _rate(r["fooling_per_try"]),
        f"{_percent(r['clean_accuracy_before'])} &rarr; {_percent(r['clean_accuracy_after'])}",
        escape(r["reason"]),
        f"<code>{escape(r['weights_id'][:8])}</code>",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _rate(rate: dict[str, Any]) -> str:
    if rate["value"] is None:
        return "&ndash;"
    return (
        f"{_percent(rate['value'], 0)} <small>({rate['hits']} of {rate['n']}; "
        f"{_percent(rate['low'], 0)} to {_percent(rate['high'], 0)})</small>"
    )


def _percent(value: float | None, digits: int = 2) -> str:
    return "&ndash;" if value is None else f"{100 * value:.{digits}f} %"
