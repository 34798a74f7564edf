"""Something to play for: points for new ways to fool it, a rank, and a target now and then."""

import contextlib
import random
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluation.test_sets import as_digits
from flagging.attempts import Attempt, Refused
from flagging.ledger import Ledger
from model.likeness import features_of, near
from model.weights import build_network, load_weights

MISSED_AT_ONCE = 50
REMEMBERED = 10_000  # fooling drawings of a digit that a new one is compared with
LEAST_TRIED = 12  # pairs of digits a target is chosen among


class Scores:
    """Points are usable fooling drawings that are new: unlike the newest 10,000 fooling drawings of their digit.

    Likeness is a distance in the round-0 network, which never changes, so a score does not either.
    """

    def __init__(self, ledger: Ledger, weights_folder: Path) -> None:
        self._ledger = ledger
        self._round0 = build_network(load_weights(weights_folder, ledger.promotions()[0].weights_id))
        self._seen: dict[int, torch.Tensor] = {}  # by digit: (N, 50), oldest first
        self._newest: dict[int, int] = {}  # by digit: the last one of `_seen` in the ledger
        self._lock = threading.Lock()
        self.missed = True  # may there be fooling attempts that were never noted?

    def note(self, attempt: Attempt) -> bool:
        """Record whether a fooling attempt is new. The same attempt again changes nothing."""
        features = features_of(self._round0, as_digits([attempt]).images)  # (1, 50)
        with self._lock:  # of two copies that land on this server together, one is new
            self._catch_up(attempt.label)
            is_new = not bool(near(features, self._seen[attempt.label]).any())
            return self._ledger.record_likeness(attempt.attempt_id, features[0].numpy().tobytes(), is_new)

    def note_missed(self) -> None:
        """A few of the fooling attempts that were recorded without: by another program, or before a crash."""
        if not self.missed:
            return
        attempts = self._ledger.without_likeness(MISSED_AT_ONCE)
        self.missed = len(attempts) == MISSED_AT_ONCE
        for attempt in attempts:
            with contextlib.suppress(Refused):  # withdrawn meanwhile
                self.note(attempt)

    def forget(self) -> None:
        """Drawings were withdrawn: read anew what is left."""
        with self._lock:
            self._seen.clear()
            self._newest.clear()

    def score_of(self, annotator: str) -> dict[str, Any]:
        """For the page: points, rank among all who have any, and how many drawings wait for judges."""
        return vars(self._ledger.score(annotator)) | {"target": self._target()}

    def _catch_up(self, label: int) -> None:
        """Take in what was recorded since, by any server."""
        after = self._newest.get(label, 0)
        rows = self._ledger.likenesses(label, after=after, count=REMEMBERED)
        known = self._seen.get(label, torch.zeros(0, self._round0.fc2.in_features))
        if rows:
            fresh = torch.from_numpy(np.stack([np.frombuffer(features, np.float32) for _, features in rows]))
            known = torch.cat([known, fresh])[-REMEMBERED:]
            self._newest[label] = rows[-1][0]
        self._seen[label] = known

    def _target(self) -> dict[str, int]:
        """A pair among those that fooled it least often so far: draw the one, so that it takes it for the other."""
        counts = self._ledger.pair_counts()
        pairs = [(meant, seen) for meant in range(10) for seen in range(10) if meant != seen]
        random.shuffle(pairs)  # ties fall as they may
        meant, seen = random.choice(sorted(pairs, key=lambda pair: counts.get(pair, 0))[:LEAST_TRIED])
        return {"label": meant, "prediction": seen}
