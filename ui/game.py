"""What the page and the API do, as plain functions: JSON in, JSON out."""

import base64
import contextlib
import hashlib
import hmac
import json
import logging
import re
import reprlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flagging.attempts import Answer, Attempt, Refused
from flagging.callback import LedgerCallback
from flagging.database import LedgerUnavailable
from flagging.decisions import OpenRound
from flagging.home import Home
from flagging.ledger import Drawn
from flagging.publisher import Publisher
from model.served import ServedModel, Snapshot
from model.weights import WeightsDamaged, install_shipped, load_weights
from retrain.history import History, describe_round
from retrain.rounds import check_usable, roll_back, served_weights
from retrain.settings import RoundSettings
from retrain.worker import Worker
from ui.lanes import Lane
from ui.limits import Limits
from ui.people import Account
from ui.scores import Scores
from ui.together import Together

log = logging.getLogger("hoodwink")

LOOK_EVERY_SECONDS = 0.5
REMEMBERED_TRIES = 10_000
STOP_WITHIN_SECONDS = 10.0
MAX_SKIPPED = 200
MAX_WITHDRAWN = 1000  # at once, where they are chosen one by one
MIN_TOKEN_LENGTH = 16
SIGN_IN_TO_JUDGE = "sign in with Hugging Face to judge: here only the votes of people who signed in count"
_TRY_ID = re.compile(r"[0-9A-Za-z-]{8,64}")


class Game:
    """One running Hoodwink: the served model, the ledger, and the worker that makes the next model.

    live: show predictions while people draw. maintainer_token: opens retraining and rolling back.
    environment: what the worker is started with. publisher: keeps the data folder and the Hub the same; started before.
    sign_in: people may sign in with their Hub account, and only who did may judge. maintainers: names of accounts that
    need no token, in any case. limits: how much one may ask for; those of a fresh Limits by default.

    Who somebody is comes in as `token`: of their browser or client, or of their account. `also`: what else is theirs.
    """

    def __init__(
        self,
        home: Home,
        settings: RoundSettings,
        *,
        live: bool,
        maintainer_token: str,
        environment: Mapping[str, str],
        publisher: Publisher | None = None,
        sign_in: bool = False,
        maintainers: frozenset[str] = frozenset(),
        limits: Limits | None = None,
    ) -> None:
        if len(maintainer_token) < MIN_TOKEN_LENGTH:
            raise ValueError(
                f"HOODWINK_MAINTAINER_TOKEN has {len(maintainer_token)} characters; use {MIN_TOKEN_LENGTH} random ones or more"
            )
        self.settings = settings
        self.live = live
        self.limits = limits or Limits()
        # The ledger takes one writer at a time: more threads would only keep those waiting who look.
        self.recording, self.noting, self.explaining, self.reading = Lane(1), Lane(1), Lane(1), Lane(4)
        self.looking_long = Lane(1)
        self.sign_in = sign_in
        self._maintainers = frozenset(name.lower() for name in maintainers) if sign_in else frozenset()
        self._maintainer_token = maintainer_token
        self._home = home
        self.ledger = home.open_ledger(create=True)
        self.ledger.start(install_shipped(home.weights))
        self.ledger.use_quorum(settings.quorum)
        self.history = History(self.ledger, home.weights)
        self.scores = Scores(self.ledger, home.weights)
        self._open, weights = served_weights(self.ledger, home.weights)
        self.served = ServedModel(weights, self._open.promotion)
        self.looking = Together(self.served.answer_each)
        self.callback = LedgerCallback(self.served.answer, self.ledger)
        self.worker = Worker(home, environment, settings.hangs_after_seconds)
        self._publisher = publisher
        self._merged = 0  # what came in from the Hub, up to which scores know it
        self._known_tries: OrderedDict[str, str] = OrderedDict()  # and whose they are
        self._known_tries_lock = threading.Lock()
        self._problem = ""
        self._told = ""  # what was logged of the last retraining's failure
        self._tried_with: tuple[int, int] | None = None  # round and usable drawings when a retraining was last started
        self._catching_up = threading.Lock()
        self._stopping = False
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)

    # -- what runs beside the requests ------------------------------------------------------------------

    def start(self) -> None:
        """Begin to watch for promotions and for rounds that are due."""
        self._watcher.start()

    def refuse(self) -> None:
        """Record nothing any more: the game is about to stop, and what came now might not be published."""
        self._stopping = True

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._watcher.is_alive():
            self._watcher.join(STOP_WITHIN_SECONDS)

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self.catch_up()
                self.scores.note_missed()
                self.ledger.forget()
                self._tidy()
            except Exception as error:
                # Whatever it is: drawing goes on with the weights in memory, and the page shows what is wrong.
                if str(error) != self._problem:
                    log.exception("the watcher could not do its work")
                self._problem = str(error)
            self._wake.wait(LOOK_EVERY_SECONDS)
            self._wake.clear()
        self.ledger.close()

    def _tidy(self) -> None:
        # On a full disk: nothing is lost and nobody needs to know; it is tried again.
        with contextlib.suppress(LedgerUnavailable):
            self.ledger.tidy()

    def catch_up(self) -> None:
        """Serve the newest promotion, and start a retraining if one is due."""
        with self._catching_up:  # the watcher and a rollback may come here at once
            now = self._open = self.ledger.open_round()
            if (now.promotion, now.weights_id) != (self.served.promotion, self.served.weights_id):
                now, weights = served_weights(self.ledger, self._home.weights)
                self._open = now
                self.served.swap(weights, now.promotion)
                log.info("promotion %d: serving weights %s", now.promotion, now.weights_id)
            if self._publisher and self._publisher.merged != self._merged:
                self._merged = self._publisher.merged
                self.scores.forget()
                self.scores.missed = True
            self._problem = ""
            self.worker.end_if_hung()
            failure = self.worker.state().message
            if failure and failure != self._told:
                log.warning("round %d: %s", now.number, failure)
            self._told = failure
            due = self.settings.auto_retrain and self.settings.is_due(now.ready)
            # After a failure the same drawings do not start it again; the next fooling drawing does.
            if due and self._tried_with != (now.number, now.usable) and self.worker.start(now=False):
                self._tried_with = now.number, now.usable
                log.info("round %d: retraining with %d new fooling drawings", now.number, now.ready)

    # -- drawing -----------------------------------------------------------------------------------------

    def answer(self, strokes: object) -> Answer:
        """The served model's answer. Raises StrokesRefused with a sentence."""
        return self.served.answer(strokes)

    def is_known_try(self, try_id: str) -> bool:
        return try_id in self._known_tries

    def remember_try(self, answer: Answer, token: str, try_id: str) -> None:
        """Record, before the prediction is shown, that this drawing was shown one."""
        annotator = self.ledger.annotator(token)
        self.ledger.record_try(try_id, annotator, answer.promotion)
        with self._known_tries_lock:
            self._known_tries[try_id] = annotator
            while len(self._known_tries) > REMEMBERED_TRIES:
                self._known_tries.popitem(last=False)

    def predict(self, strokes: object, token: str) -> dict[str, Any]:
        """For callers without a page: the prediction for a drawing; the same drawing again is the same try."""
        if not self.live:
            raise Refused("predictions are hidden until a drawing is submitted (HOODWINK_LIVE=0); use /submit")
        answer = self.answer(strokes)
        try_id = self._try_of_content(answer, token)
        if not self.is_known_try(try_id):
            self.remember_try(answer, token, try_id)
        return self.describe(answer)

    def describe(self, answer: Answer) -> dict[str, Any]:
        return {
            "prediction": answer.prediction,
            "confidence": answer.probabilities[answer.prediction],
            "probabilities": list(answer.probabilities),
            "weights_id": answer.weights_id,
            "round": self._open.number,
        }

    def submit(
        self, strokes: object, label: object, token: str, try_id: str | None = None
    ) -> tuple[dict[str, Any], Answer]:
        """Record an attempt; what was recorded, and the answer it was recorded from. Raises ValueError or LedgerUnavailable with a sentence; then nothing was recorded."""
        self._check_going_on()
        if try_id is None:
            content = self._try_of_content(self.answer(strokes), token)
            # A drawing sent twice without a try of its own is two attempts.
            try_id = None if self.ledger.is_submitted(content) else content
        attempt, answer = self.callback.submit(strokes, label, token, try_id)
        now = self._open_round_or_last_known()
        is_new = self._is_new(attempt) if attempt.model_wrong else None
        if attempt.model_wrong:
            self._wake.set()
        # What was recorded, which after a repeated request is what was recorded the first time.
        return {
            "prediction": attempt.prediction,
            "confidence": attempt.probabilities[attempt.prediction],
            "probabilities": attempt.probabilities,
            "weights_id": attempt.weights_id,
            "round": attempt.round,
            "attempt_id": attempt.attempt_id,
            "label": attempt.label,
            "model_wrong": attempt.model_wrong,
            "is_new": is_new,
            "fooling": now.counts.fooling,
            "ready": now.ready,
            "threshold": self.settings.fooling_threshold,
        }, answer

    def _is_new(self, attempt: Attempt) -> bool | None:
        """Unlike earlier fooling drawings of its digit? None if that could not be recorded: the attempt is, and counts."""
        try:
            return self.scores.note(attempt)
        except (LedgerUnavailable, Refused):
            log.exception("attempt %s has no score yet; the watcher looks at it again", attempt.attempt_id)
            self.scores.missed = True
            return None

    def score(self, token: str) -> dict[str, Any] | None:
        """Points, rank, and a target to try; None if the ledger cannot be read now."""
        try:
            return self.scores.score_of(self.ledger.annotator(token))
        except LedgerUnavailable:
            return None

    def _check_going_on(self) -> None:
        if self._stopping:
            raise Refused("the game is being restarted; nothing was recorded, try again in a moment")

    def retract(self, attempt_id: object, token: str, also: Sequence[str] = ()) -> dict[str, Any]:
        self._check_going_on()
        if not isinstance(attempt_id, str) or not attempt_id.isascii():
            raise Refused(f"attempt_id is {reprlib.repr(attempt_id)}; send the one that /submit gave")
        owner = self.ledger.find(attempt_id).annotator
        mine = self._annotators(token, also)
        attempt = self.ledger.retract(attempt_id, owner if owner in mine else mine[0])
        now = self._open_round_or_last_known()
        return {
            "attempt_id": attempt.attempt_id,
            "label": attempt.label,
            "prediction": attempt.prediction,
            "retracted": True,
            "fooling": now.counts.fooling,
            "ready": now.ready,
            "threshold": self.settings.fooling_threshold,
        }

    def drawn_by(
        self, token: str, also: Sequence[str] = (), *, before: int | None = None, count: int = 36
    ) -> tuple[list[Drawn], int | None]:
        """All that a person drew, newest first, and where the next page begins."""
        return self.ledger.drawn_by(*self._annotators(token, also), before=before, count=count)

    def withdraw(self, token: str, also: Sequence[str] = (), attempt_ids: object = None) -> dict[str, Any]:
        """Really delete all that a person drew, or, with attempt_ids, only these drawings of theirs.

        Raises Refused if one of them is not theirs; then nothing was deleted. withdrawn_at: UTC; what is published later
        has nothing of them.
        """
        self._check_going_on()
        mine = self._annotators(token, also)
        deleted = 0
        try:
            if attempt_ids is None:
                for annotator in mine:
                    deleted += self.ledger.withdraw(annotator)
            else:
                for annotator, chosen in self._by_annotator(mine, _checked_chosen(attempt_ids)).items():
                    deleted += self.ledger.withdraw(annotator, chosen)
        finally:
            if deleted:  # else nobody's scores have changed, and somebody may only be knocking
                self.scores.forget()
            with self._known_tries_lock:
                for try_id in [known for known, annotator in self._known_tries.items() if annotator in mine]:
                    del self._known_tries[try_id]
        return {"deleted": deleted, "withdrawn_at": datetime.now(UTC).isoformat(timespec="milliseconds")}

    def _annotators(self, token: str, also: Sequence[str]) -> list[str]:
        return [self.ledger.annotator(name) for name in (token, *also)]

    def _by_annotator(self, mine: list[str], attempt_ids: Sequence[str]) -> dict[str, list[str]]:
        """Which of these drawings are whose of one person's names. Raises Refused for any that is not theirs."""
        found: dict[str, list[str]] = {}
        for attempt_id in attempt_ids:
            annotator = self.ledger.find(attempt_id).annotator
            if annotator not in mine:
                raise Refused(f"drawing {attempt_id[:60]!r} is not yours; only who drew it can withdraw it")
            found.setdefault(annotator, []).append(attempt_id)
        return found

    def _open_round_or_last_known(self) -> OpenRound:
        """For the counts beside something that is recorded: an error here would deny what is on disk."""
        try:
            return self.ledger.open_round()
        except LedgerUnavailable:
            return self._open

    def _try_of_content(self, answer: Answer, token: str) -> str:
        text = json.dumps([token, answer.strokes], separators=(",", ":"))
        return f"content-{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    # -- judging -----------------------------------------------------------------------------------------

    def may_judge(self, token: str) -> bool:
        return not self.sign_in or token.startswith("hub:")

    def next_to_judge(self, token: str, skipped: object = (), also: Sequence[str] = ()) -> dict[str, Any]:
        """A drawing to read blind: its strokes, and nothing that was said of it. None when nothing waits for this annotator.

        skipped: ids of drawings not to be shown. waiting: undecided drawings, whoever drew them. Raises Refused for
        somebody who must sign in first.
        """
        if not self.may_judge(token):
            raise Refused(SIGN_IN_TO_JUDGE)
        me, *others = self._annotators(token, also)
        unwanted = list(_checked_skipped(skipped))
        drawing = self.ledger.next_to_judge(me, unwanted)
        while drawing and drawing.annotator in others:  # drawn before they signed in
            unwanted.append(drawing.attempt_id)
            drawing = self.ledger.next_to_judge(me, unwanted)
        return {
            "attempt_id": drawing and drawing.attempt_id,
            "strokes": drawing and json.loads(drawing.strokes),
            "waiting": self.ledger.waiting_to_be_judged() if self.settings.quorum else 0,
            "quorum": self.settings.quorum,
        }

    def judge(self, attempt_id: object, reading: object, token: str, also: Sequence[str] = ()) -> dict[str, Any]:
        """Record a vote: a digit or "not a digit". Raises Refused with a sentence; then nothing was recorded.

        lacking: votes that could still decide the drawing, at the fewest; 0 once it is decided.
        """
        self._check_going_on()
        if not self.may_judge(token):
            raise Refused(SIGN_IN_TO_JUDGE)
        if not isinstance(attempt_id, str) or not attempt_id.isascii():
            raise Refused(f"attempt_id is {reprlib.repr(attempt_id)}; send the one that /next_to_judge gave")
        me, *others = self._annotators(token, also)
        if others and self.ledger.find(attempt_id).annotator in others:
            raise Refused("this drawing is your own; others judge it")
        drawing = self.ledger.record_vote(attempt_id, reading, me)
        if drawing.state != "pending":
            self._wake.set()
        return {
            "attempt_id": attempt_id,
            "reading": reading,
            "state": drawing.state,
            "lacking": drawing.lacking,
            "waiting": self._waiting_or_last_known(),
        }

    def _waiting_or_last_known(self) -> int:
        try:
            return self.ledger.waiting_to_be_judged()
        except LedgerUnavailable:
            return self._open.counts.pending

    # -- rounds ------------------------------------------------------------------------------------------

    def served_before(self, now: Snapshot) -> tuple[Snapshot, int] | None:
        """What was served before `now`, and the round that ended it. None for the first weights, or if they cannot be read.

        Raises LedgerUnavailable.
        """
        earlier = next((p for p in self.ledger.promotions() if p.number == now.promotion - 1), None)
        if earlier is None or earlier.weights_id == now.weights_id:
            return None
        try:
            weights = load_weights(self._home.weights, earlier.weights_id)
        except WeightsDamaged as error:
            log.warning("nothing is told of the weights served before: %s", error)
            return None
        return Snapshot.of(weights, earlier.number), self.ledger.round_of_promotion(now.promotion)

    @property
    def reports(self) -> Path:
        """Where `python -m evaluation report` writes."""
        return self._home.folder / "reports"

    def status(self) -> dict[str, Any]:
        now: OpenRound = self.ledger.open_round()
        worker = self.worker.state()
        closed = self.ledger.last_closed_round()
        return {
            "round": now.number,
            "weights_id": self.served.weights_id,
            "promotion": self.served.promotion,
            "tries": now.counts.tries,
            "attempts": now.counts.attempts,
            "fooling": now.counts.fooling,
            "verified": now.counts.verified,
            "pending": now.counts.pending,
            "quorum": now.quorum,
            "ready": now.ready,
            "threshold": self.settings.fooling_threshold,
            "training": worker.state == "running",
            "stage": worker.stage,
            "progress": worker.progress,
            "problem": self._problem or worker.message,
            "last_decision": describe_round(closed) if closed else None,
            "hub": self.hub(),
        }

    def hub(self) -> dict[str, Any] | None:
        """What is on the Hub and what is not yet, as PublisherState has it; None where no repository is used."""
        return vars(self._publisher.state) if self._publisher else None

    def rounds(self) -> list[dict[str, Any]]:
        return [describe_round(closed) for closed in self.ledger.closed_rounds()]

    def retrain(self, maintainer_token: object, account: Account | None = None) -> dict[str, Any]:
        """Start a retraining now, also below the threshold. Raises Refused for anybody but maintainers."""
        self.check_maintainer(maintainer_token, account)
        now = self.ledger.open_round()
        check_usable(now)
        if not self.worker.start(now=True):
            raise Refused("a retraining is running already; wait until it has ended")
        self._tried_with = now.number, now.usable
        return self.status()

    def rollback(self, maintainer_token: object, weights_id: object, account: Account | None = None) -> dict[str, Any]:
        """Serve earlier weights again. Raises Refused for anybody but maintainers, or for weights never served."""
        self.check_maintainer(maintainer_token, account)
        if not isinstance(weights_id, str):
            raise Refused(f"weights_id is {reprlib.repr(weights_id)}; send one that /rounds lists")
        roll_back(self.ledger, self._home.weights, weights_id)
        self.catch_up()
        return self.status()

    def hide(
        self, maintainer_token: object, attempt_id: object, hidden: object, account: Account | None = None
    ) -> dict[str, Any]:
        """Take a drawing out of the galleries and all counts, or, with hidden False, put it back. Nothing is deleted."""
        self.check_maintainer(maintainer_token, account)
        if not isinstance(attempt_id, str) or not attempt_id.isascii():
            raise Refused(f"attempt_id is {reprlib.repr(attempt_id)}; send one that the gallery shows")
        if not isinstance(hidden, bool):
            raise Refused(f"hidden is {reprlib.repr(hidden)}; send true to hide the drawing, false to show it again")
        self.ledger.hide(attempt_id, hidden)
        return {"attempt_id": attempt_id, "hidden": hidden}

    def is_maintainer(self, account: Account | None) -> bool:
        return account is not None and account.name.lower() in self._maintainers

    def check_maintainer(self, token: object, account: Account | None = None) -> None:
        """Raises Refused unless a maintainer's account is signed in, or this is the token; compared in constant time."""
        if self.is_maintainer(account):
            return
        ours = self._maintainer_token.encode()
        if not isinstance(token, str) or not hmac.compare_digest(token.encode(errors="surrogatepass"), ours):
            raise Refused(
                "this needs the maintainer token: HOODWINK_MAINTAINER_TOKEN, or in the link printed when the app starts"
            )


def checked_token(token: object) -> str:
    """The random token a browser keeps for its annotator."""
    if not isinstance(token, str) or not token.isascii() or not 8 <= len(token) <= 200:
        raise Refused("this browser sent no annotator token; reload the page")
    return token


def checked_try_id(try_id: object) -> str:
    if not isinstance(try_id, str) or not _TRY_ID.fullmatch(try_id):
        raise Refused("this drawing has no valid id; reload the page")
    return try_id


def _checked_chosen(attempt_ids: object) -> Sequence[str]:
    if isinstance(attempt_ids, list) and 0 < len(attempt_ids) <= MAX_WITHDRAWN:
        names = [name for name in attempt_ids if isinstance(name, str) and name.isascii()]
        if len(names) == len(attempt_ids):
            return sorted(set(names))
    raise Refused(f"the drawings to withdraw are no list of 1 to {MAX_WITHDRAWN} ids; reload the page")


def _checked_skipped(skipped: object) -> Sequence[str]:
    if isinstance(skipped, list | tuple) and len(skipped) <= MAX_SKIPPED:
        names = [name for name in skipped if isinstance(name, str) and name.isascii() and len(name) <= 100]
        if len(names) == len(skipped):
            return names
    raise Refused(f"the drawings to skip are no list of at most {MAX_SKIPPED} ids; reload the page")


def as_base64(answer: Answer) -> str:
    """The 784 pixels the model saw, row by row."""
    return base64.b64encode(answer.image.tobytes()).decode()
