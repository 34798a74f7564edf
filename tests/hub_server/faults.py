"""Faults to order: the answer that never comes, the line that is cut, the Hub that is too busy.

What they hit is the name of a stage (STAGES below) or anything else, which is then looked for in "METHOD /path?query"
as it stands and as a regular expression.

Kinds, and the options they take:
- a status such as "429", "500", "503": refused with it before anything is done; `retry_after` seconds go into the
  Retry-After header (1 for "429"), `message` is the sentence of the error.
- "cut": the connection is closed in the middle: of reading the body of a PUT or POST, which is then not carried out,
  or of sending the answer to a GET. `after_bytes` says where; half of it without.
- "lost answer": the request is carried out completely, then the connection is closed without an answer.
- "slow": waits `seconds` before carrying the request out, or, with `late=True`, between carrying it out and answering.
- "conflict": 412, as if a commit had come between; with `call`, a function, it is called first and can make one.
- "meanwhile": calls `call` first, then carries the request out as usual: a foreign commit at a chosen moment,
  or the end of the process that asks.
- "refuse": closes the connection at once, without reading more than the first lines of the request.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

STAGES = frozenset(
    [
        "auth-check",
        "branch",
        "commit",
        "commits",
        "create_repo",
        "delete_repo",
        "hardware",
        "info",
        "lfs-batch",
        "lfs-complete",
        "lfs-delete",
        "lfs-download",
        "lfs-list",
        "lfs-upload",
        "lfs-verify",
        "list",
        "pause",
        "paths-info",
        "preupload",
        "refs",
        "resolve",
        "restart",
        "runtime",
        "secrets",
        "settings",
        "sign-in",
        "sleep-time",
        "squash",
        "tag",
        "tree",
        "unknown",
        "validate-yaml",
        "variables",
        "whoami",
    ]
)
KINDS = ("cut", "lost answer", "slow", "conflict", "meanwhile", "refuse")


@dataclass
class Fault:
    match: str
    kind: str
    times: int | None = 1  # None: for ever
    after: int = 0  # how many matching requests go through first
    retry_after: int | None = None
    message: str | None = None
    after_bytes: int | None = None
    seconds: float = 0.0
    late: bool = False
    call: Callable[[], object] | None = None
    seen: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS and not re.fullmatch(r"[45]\d\d", self.kind):
            raise ValueError(f"kind is {self.kind!r}; use a status such as '503' or one of {', '.join(KINDS)}")
        if self.match not in STAGES and re.fullmatch(r"[\w-]+", self.match):
            raise ValueError(f"{self.match!r} is no stage; use one of {', '.join(sorted(STAGES))}, or a part of a path")
        if self.kind == "meanwhile" and self.call is None:
            raise ValueError("the kind 'meanwhile' needs a function: call=...")

    def meets(self, stage: str, line: str) -> bool:
        if self.match in STAGES:
            return self.match == stage
        if self.match in line:
            return True
        try:
            return re.search(self.match, line) is not None
        except re.error:
            return False


class Faults:
    def __init__(self) -> None:
        self._ordered: list[Fault] = []
        self._lock = Lock()

    def order(self, fault: Fault) -> Fault:
        with self._lock:
            self._ordered.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._ordered.clear()

    def due(self, stage: str, line: str) -> Fault | None:
        """The fault that hits this request, if any; the one ordered first wins and all that match count it."""
        with self._lock:
            hit = None
            for fault in self._ordered:
                if not fault.meets(stage, line):
                    continue
                fault.seen += 1
                if hit is None and fault.seen > fault.after and (fault.times is None or fault.fired < fault.times):
                    fault.fired += 1
                    hit = fault
            return hit
