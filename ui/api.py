"""The named endpoints, for gradio_client and "Use via API": plain JSON in and out."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import gradio as gr

from flagging.database import LedgerUnavailable
from ui.browser import account
from ui.game import Game, checked_token
from ui.lanes import Lane
from ui.people import Visitor, origin

T = TypeVar("T")
A_ONE = [[[140, 60], [140, 220]]]


def add_endpoints(game: Game, page: gr.Blocks) -> None:
    """Add /predict, /submit, /retract, /withdraw, /next_to_judge, /judge, /status, /rounds, /retrain and /rollback to the page."""

    def who(request: gr.Request) -> Visitor:
        return Visitor(_token(request), account(game, request), *origin(request))

    async def predict(strokes: list, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """What the served model sees in a drawing, without submitting it.

        strokes: [[[x, y] or [x, y, ms], ...], ...] on a canvas of 280 x 280, y downwards. A one, for
        example: [[[140, 60], [140, 220]]]. Gives prediction, confidence, ten probabilities, weights_id and round.
        """

        def work(who: Visitor) -> dict[str, Any]:
            return game.predict(strokes, who.token)

        return await _in_turn(game.noting, who, request, game.limits.predicting, work)

    async def submit(strokes: list, label: int, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """Submit a drawing as an attempt: it is read by the served model and recorded.

        strokes: as for /predict, for example [[[140, 60], [140, 220]]]; label: the digit you meant, 0 to 9, for
        example 1. Gives the prediction, attempt_id, label, model_wrong, fooling (of this round), and ready of
        threshold: the drawings towards the next retraining.
        """

        def work(who: Visitor) -> dict[str, Any]:
            return game.submit(strokes, label, who.token)[0]

        return await _in_turn(game.recording, who, request, game.limits.submitting, work)

    async def retract(attempt_id: str, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """Take back an attempt of your own, by the attempt_id that /submit gave. It then counts nowhere.

        It is yours if the same client submitted it, or if both calls sent the same header X-Hoodwink-Annotator: a
        random text of 8 characters or more.
        """

        def work(who: Visitor) -> dict[str, Any]:
            return game.retract(attempt_id, who.token, who.also)

        return await _in_turn(game.recording, who, request, game.limits.submitting, work)

    async def withdraw(attempt_ids: list, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """Really delete drawings of your own, by the attempt_ids that /submit gave, or all of them: ["all"].

        From the Hub too, within minutes. Weights trained on them remain. Who you are is told as for /retract.
        """
        chosen = None if attempt_ids == ["all"] else attempt_ids

        def work(who: Visitor) -> dict[str, Any]:
            return game.withdraw(who.token, who.also, chosen)

        return await _in_turn(game.recording, who, request, game.limits.submitting, work)

    def next_to_judge(request: gr.Request) -> dict:  # type: ignore[type-arg]
        """Somebody else's fooling drawing for you to read blind: attempt_id and strokes, null when nothing waits for you.

        waiting: drawings without a decision, whoever drew them. quorum: readers who must agree; 0: nobody judges here.
        """
        return _answered(request, lambda: game.next_to_judge(who(request).token, also=who(request).also))

    async def judge(attempt_id: str, reading: int | str, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """Say which digit you read in a drawing that /next_to_judge gave. Nobody judges their own, nobody twice.

        reading: a digit, 0 to 9, for example 7, or "not a digit". Gives what was recorded, the state of the drawing
        and lacking: votes that could still decide it, at the fewest. Who you are is told as for /retract; where people can
        sign in, only those who did may judge.
        """

        def work(who: Visitor) -> dict[str, Any]:
            return game.judge(attempt_id, reading, who.token, who.also)

        return await _in_turn(game.recording, who, request, game.limits.judging, work)

    def status(request: gr.Request) -> dict:  # type: ignore[type-arg]
        """The open round, the served weights, counts, how far a retraining is, and the last decision."""
        return _answered(request, game.status)

    def rounds(request: gr.Request) -> list:  # type: ignore[type-arg]
        """Every closed round: decision and reason, model error rate with interval, clean accuracy before and after."""
        return _answered(request, game.rounds)

    def retrain(maintainer_token: str, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """Start a retraining now. Needs the maintainer token; gives /status after starting."""
        return _answered(request, lambda: game.retrain(maintainer_token, account(game, request)))

    def rollback(maintainer_token: str, weights_id: str, request: gr.Request) -> dict:  # type: ignore[type-arg]
        """Serve earlier weights again, for example "0123456789abcdef". Needs the maintainer token."""
        return _answered(request, lambda: game.rollback(maintainer_token, weights_id, account(game, request)))

    an_id = "9b2f6c1e-0d43-4f0e-9a53-3c1f7d0e8a21"
    _add(page, predict, [A_ONE], "play")
    _add(page, submit, [A_ONE, 1], "play")
    _add(page, retract, [an_id], "play")
    _add(page, withdraw, [[an_id]], "play")
    _add(page, next_to_judge, [], "play")
    _add(page, judge, [an_id, 7], "play")
    _add(page, status, [], "play")
    _add(page, rounds, [], "play")
    _add(page, retrain, ["the maintainer token"], "maintain")
    _add(page, rollback, ["the maintainer token", "0123456789abcdef"], "maintain")


def _add(page: gr.Blocks, endpoint: Callable[..., Any], example: list[Any], queue: str) -> None:
    """Make an endpoint whose "Use via API" snippets can be copied and run: gr.api alone shows "..." as values."""
    name = endpoint.__name__
    gr.api(endpoint, api_name=name, concurrency_id=queue, concurrency_limit=8 if queue == "play" else 1)
    (function,) = (f for f in page.fns.values() if f.api_name == name)
    for component, value in zip(function.inputs, example, strict=True):
        component.example_payload = component.example_value = lambda value=value: value


def _token(request: gr.Request) -> str:
    """Who calls: the token they send as a header, else their client's session.

    A client that wants to be the same annotator tomorrow sends `X-Hoodwink-Annotator: <random text>`.
    """
    sent = request.headers.get("x-hoodwink-annotator")
    if sent is None:
        return f"session:{request.session_hash or secrets.token_hex()}"
    return f"header:{checked_token(sent)}"


async def _in_turn(
    lane: Lane,
    who: Callable[[gr.Request], Visitor],
    request: gr.Request,
    turn: Callable[[Visitor], Awaitable[None]],
    work: Callable[[Visitor], T],
) -> T:
    """The work, in a thread, once it is the caller's turn: one of game.limits."""
    try:
        visitor = who(request)
        await turn(visitor)
        return await lane.run(visitor.address, work, visitor)
    except Exception as error:
        raise _told(request, error) from error


def _answered(request: gr.Request, work: Callable[[], T]) -> T:
    try:
        return work()
    except Exception as error:
        raise _told(request, error) from error


def _told(request: gr.Request, error: Exception) -> gr.Error:
    """What the caller is told; Gradio answers 500 in any case, and ui.guard makes 400 of it where the caller is at fault."""
    if not isinstance(error, ValueError):
        request.request.scope["hoodwink.fault"] = True
    if isinstance(error, ValueError | LedgerUnavailable | OSError):
        return gr.Error(str(error), print_exception=False)
    return gr.Error("something went wrong here; it is logged, try again in a moment")
