"""People at the page who remember what they sent and what they were told."""

import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.pen_digits import PenDigit

MISREAD = 0.25  # share of drawings that are labelled as something else: so the model stays easy to fool
RETRACTED = 0.05
ANSWER_WITHIN_SECONDS = 40.0


@dataclass(frozen=True)
class Told:
    """An attempt as the app acknowledged it."""

    attempt_id: str
    try_id: str
    label: int
    prediction: int
    weights_id: str
    strokes: Any


@dataclass
class Book:
    """All that the players sent, and what came back. One try is one drawing, however often it was sent."""

    sent: dict[str, int] = field(default_factory=dict)  # label by try
    told: dict[str, Told] = field(default_factory=dict)  # by attempt
    refused: set[str] = field(default_factory=set)  # tries of which it was said that nothing was recorded
    retracted: set[str] = field(default_factory=set)
    newest: deque[Told] = field(default_factory=lambda: deque(maxlen=12))
    sentences: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    lost_answers: int = 0


class Player(threading.Thread):
    """Draws and submits until told to stop, whether or not a server is there.

    address: where the app is now; None while it is nowhere. A drawing whose answer was lost is sent again, as the page
    does, to whatever server is there then.
    """

    def __init__(
        self,
        address: Callable[[], str | None],
        components: dict[str, int],
        digits: Sequence[PenDigit],
        book: Book,
        seed: int,
        pause_seconds: float = 0.6,
    ) -> None:
        super().__init__(daemon=True)
        self._address, self._components, self._digits, self._book = address, components, digits, book
        self._random = random.Random(seed)
        self._token = f"player-{seed:08d}"
        self.pause_seconds = pause_seconds
        self.stopped = threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=ANSWER_WITHIN_SECONDS) as client:
            while not self.stopped.is_set():
                try:
                    self._play(client)
                except Exception as error:  # a player that is gone would make every later check pass
                    self._book.problems.append(f"a player stumbled: {error!r}")
                self.stopped.wait(self._random.uniform(0.5, 1.5) * self.pause_seconds)

    def _play(self, client: httpx.Client) -> None:
        digit, try_id = self._random.choice(self._digits), f"{self._random.getrandbits(128):032x}"
        label = self._random.randrange(10) if self._random.random() < MISREAD else digit.label
        self._call(client, "look", strokes=digit.strokes, try_id=try_id)
        self._book.sent[try_id] = label
        answer = self._until_answered(client, strokes=digit.strokes, label=label, try_id=try_id)
        if answer is None:
            return
        if "error" in answer:
            self._book.refused.add(try_id)
            return
        if answer["label"] != label:
            self._book.problems.append(f"sent a {label} and was told it is a {answer['label']}")
        told = Told(answer["attempt_id"], try_id, label, answer["prediction"], answer["weights_id"], digit.strokes)
        self._book.told[told.attempt_id] = told
        self._book.newest.append(told)
        if self._random.random() < RETRACTED:
            taken = self._call(client, "retract", attempt_id=told.attempt_id)
            if taken and "error" not in taken:
                self._book.retracted.add(told.attempt_id)

    def _until_answered(self, client: httpx.Client, **data: Any) -> dict[str, Any] | None:
        was_lost = False
        while not self.stopped.is_set():
            if self._address() is None:
                time.sleep(0.2)
                continue
            answer = self._call(client, "submit", **data)
            if answer is not None:
                # Refused now, it may have been recorded the first time: then nobody was told so.
                return None if was_lost and "error" in answer else answer
            was_lost = True
            self._book.lost_answers += 1
            if self._random.random() < 0.2:
                return None  # the page was closed
            time.sleep(0.2)
        return None

    def _call(self, client: httpx.Client, name: str, **data: Any) -> dict[str, Any] | None:
        """What the page's server function answers; None if no answer came."""
        address = self._address()
        if address is None:
            return None
        sent = data | {"token": self._token}
        path = "look"
        if name != "look":
            sent = {
                "session_hash": self._token,
                "component_id": self._components["draw"],
                "fn_name": name,
                "data": sent,
            }
            path = "component_server"
        try:
            answer = client.post(f"{address}gradio_api/{path}", json=sent)
        except httpx.HTTPError:
            return None
        try:
            found: dict[str, Any] = answer.json()
            if answer.status_code != 200 and "error" not in found:
                answer.raise_for_status()
        except (httpx.HTTPError, json.JSONDecodeError):
            self._book.problems.append(
                f"{name} was answered by {answer.status_code} {answer.text[:100]!r}, no sentence"
            )
            return None
        if "error" in found:
            self._book.sentences[str(found["error"])[:160]] += 1
        return found
