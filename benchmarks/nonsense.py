"""Requests that must be refused: made from right ones by spoiling something, or from nothing right at all."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

A_ONE = [[[140, 60], [140, 220]]]
TOKEN, TRY = "of-a-stranger-1", "0123456789abcdef0123456789abcdef"
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAADUlEQVR4nGNgGAWDCwAAAZwAAeqjjtQAAAAASUVORK5CYII="
FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
TEXTS = [
    "",
    " ",
    "\x00",
    "7",
    "null",
    "NaN",
    "ß" * 500,
    "\u202e\u0000🦉" * 20,
    "a" * 20_000,
    "../../etc/passwd",
    "<script>",
    PNG,
]
NUMBERS = [
    -1,
    10,
    280.0001,
    560.001,
    -280.5,
    1e308,
    -1e308,
    5e-324,
    2**31,
    2**63,
    2**64,
    10**40,
    -0.5,
    1.5,
    True,
    False,
]
LONG: list[Any] = [[1] * 20_000, [[]] * 600, [[[1, 1]] * 10_001], [[[0, 0], [1e9, 1e9]]], "x" * 300_000]
# What JSON's writers do not write and its readers may take.
RAW = ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, '"\\ud800"', "01", "'a'", "[1,]", "", "{", "\x00", '"\x01"']


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes = b""
    kind: str = "application/json"


@dataclass
class Nonsense:
    """functions: (component_id, name) of the page's own; ids: attempts of others."""

    random: random.Random
    functions: list[tuple[int, str]]
    ids: list[str] = field(default_factory=list)

    def request(self) -> Request:
        make: list[Callable[[], Request]] = [self._function, self._look, self._endpoint, self._path, self._raw]
        return self.random.choices(make, [50, 20, 12, 10, 8])[0]()

    # -- values ------------------------------------------------------------------------------------------

    def value(self, depth: int = 0) -> Any:
        choice = self.random.random()
        if choice < 0.25:
            return self.random.choice(TEXTS)
        if choice < 0.45:
            return self.random.choice(NUMBERS)
        if choice < 0.55:
            return self.random.choice([None, [], {}, [[]], [[[]]], FILE, self._deep(), self._long()])
        if choice < 0.6:
            return self.random.choice(self.ids or [""])
        if depth > 3:
            return None
        if choice < 0.8:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {str(self.random.choice(TEXTS))[:40]: self.value(depth + 1) for _ in range(self.random.randrange(4))}

    def _deep(self) -> Any:
        value: Any = 1
        for _ in range(self.random.choice([5, 50, 200])):
            value = [value] if self.random.random() < 0.5 else {"a": value}
        return value

    def _long(self) -> Any:
        return self.random.choice(LONG)

    def strokes(self) -> Any:
        """Never a drawing."""
        return self.random.choice(
            [
                None,
                [],
                [[]],
                [[[1]]],
                [[[1, 2, 3, 4]]],
                [[["1", 2]]],
                [[[1, None]]],
                [[[-281, 1]]],
                [[[1, 561]]],
                [[[1, 2, -1]]],
                [[[1, 2, 1e12]]],
                [[[True, 2]]],
                [[1, 2]],
                [1],
                "[[[1,2]]]",
                {"0": [[1, 2]]},
                FILE,
                PNG,
                [[[500, 500]]],
                self._deep(),
                [*A_ONE, []],
                [*A_ONE, [[1, 2], "x"]],
                [A_ONE],
                [[[1, 2]]] * 501,
                [[[0, 0], [280, 280]] * 1000],
                self._long(),
            ]
        )

    # -- requests ----------------------------------------------------------------------------------------

    def _function(self) -> Request:
        """One of the page's functions, or one there is not."""
        number, name = self.random.choice(self.functions)
        if self.random.random() < 0.1:
            number, name = self.random.choice(
                [(-1, name), (10**9, name), (number, "__init__"), (number, "postprocess"), (number, "")]
            )
        body: dict[str, Any] = {
            "session_hash": "x",
            "component_id": number,
            "fn_name": name,
            "data": self._spoilt(name),
        }
        if self.random.random() < 0.1:
            body[self.random.choice(list(body))] = self.value()
            if body["fn_name"] == name and body["component_id"] == number:
                body["data"] = self._spoilt(name)
        if self.random.random() < 0.03:
            body = {key: value for key, value in body.items() if key != "data"}
        return Request("POST", "/gradio_api/component_server/", _packed(body))

    def _spoilt(self, name: str) -> Any:
        if self.random.random() < 0.2:
            return self.random.choice([None, [], "x", 7, FILE, self._deep(), self._long()])
        data: dict[str, Any] = {"token": TOKEN, "try_id": TRY}
        if name in ("submit", "explain"):
            data |= {"strokes": A_ONE, "label": 1}
            spoil = self.random.choice(["strokes", "token", "try_id"] + (["label"] if name == "submit" else []))
            data[spoil] = self.strokes() if spoil == "strokes" else self._no_text_of_ours(spoil)
        elif name in ("retract", "vote"):
            # Nobody judges, and nothing here is this stranger's.
            data |= {"attempt_id": self.random.choice([*self.ids, self.value()]), "reading": self.value()}
        elif name == "withdraw":
            data |= {"all": self.value(), "attempt_ids": [self.random.choice([*self.ids, "x"])]}
            data["all"] = False if data["all"] is True else data["all"]
        elif name == "hide":
            data |= {"attempt_id": self.random.choice(self.ids or ["x"]), "hidden": True, "maintainer": self.value()}
        else:
            data |= {key: self.value() for key in ("before", "version", "label", "round", "state", "skipped", "which")}
        return data

    def _no_text_of_ours(self, field_name: str) -> Any:
        if field_name == "label":
            return self.random.choice([-1, 10, 1.0, True, "1", None, [], {}, 2**70, FILE])
        return self.random.choice(["", "short", "ß" * 20, "a" * 201, None, 7, [], {}, True])

    def _look(self) -> Request:
        data: dict[str, Any] = {"token": TOKEN, "try_id": TRY, "strokes": A_ONE}
        spoil = self.random.choice(list(data))
        data[spoil] = self.strokes() if spoil == "strokes" else self._no_text_of_ours(spoil)
        if self.random.random() < 0.1:
            del data[spoil]
        return Request("POST", "/gradio_api/look", _packed(data))

    def _endpoint(self) -> Request:
        """A named endpoint, at any of the addresses that Gradio has for them."""
        name = self.random.choice(
            ["predict", "submit", "retract", "withdraw", "judge", "retrain", "rollback", "nothing"]
        )
        given: Any = {
            "predict": [self.strokes()],
            "submit": self.random.choice([[self.strokes(), 1], [A_ONE, self._no_text_of_ours("label")]]),
            "retract": [self.random.choice([*self.ids, self.value()])],
            "withdraw": [[self.random.choice([*self.ids, "x"])]],
            "judge": [self.random.choice([*self.ids, self.value()]), self.value()],
            "retrain": [self.value()],
            "rollback": [self.value(), self.value()],
        }.get(name, [])
        if self.random.random() < 0.2:
            given = self.random.choice([[], None, "x", given * 3, {"a": 1}, 7])
        where = self.random.choice(["run", "api", "call", "call/v2"])
        body: dict[str, Any] = {"data": given}
        if self.random.random() < 0.3:
            body |= {"session_hash": self.random.choice(["s", "", "x" * 65, 7, None]), "fn_index": self.value()}
        if where == "call/v2":
            body = {"strokes": self.strokes(), "label": self.value()}
        if self.random.random() < 0.2:
            # Not number 0: that is /predict, for which what is sent to /submit with a wrong label is a drawing like any other.
            return Request(
                "POST", "/gradio_api/queue/join", _packed(body | {"fn_index": self.random.choice([1, 3, -1, 999])})
            )
        return Request("POST", f"/gradio_api/{where}/{name}", _packed(body))

    def _path(self) -> Request:
        path = self.random.choice(PATHS)
        return Request(self.random.choice(["GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD"]), path, b"{}")

    def _raw(self) -> Request:
        """Bodies that are no JSON objects."""
        path = self.random.choice(
            ["look", "component_server", "component_server/", "call/submit", "run/predict", "queue/join", "cancel"]
        )
        kind = self.random.choice(
            ["application/json", "application/json", "text/plain", "", "multipart/form-data; boundary=x", "image/png"]
        )
        bodies = [
            self.random.choice(RAW).encode("utf-8", "surrogatepass"),
            f'{{"token": "{TOKEN}", "try_id": "{TRY}", "strokes": [[[{self.random.choice(RAW)}, 1]]]}}'.encode(),
            b"[" * self.random.choice([10, 2000, 100_000]),
            self.random.randbytes(self.random.choice([1, 100, 5000])),
            PNG.encode(),
            b'--x\r\nContent-Disposition: form-data; name="data"; filename="a.png"\r\n\r\nx\r\n--x--\r\n',
        ]
        return Request("POST", f"/gradio_api/{path}", self.random.choice(bodies), kind)


PATHS = [
    *(
        f"/gradio_api/file={name}"
        for name in ("/etc/passwd", "../../etc/passwd", "data/ledger.sqlite", "app.py", "%2e%2e/app.py")
    ),
    *(f"/gradio_api/file/{name}" for name in ("etc/passwd", "..%2f..%2fetc%2fpasswd", "app.py")),
    *(
        f"/{where}/{name}"
        for where in ("static", "assets", "svelte")
        for name in ("../../etc/passwd", "%2e%2e/%2e%2e/app.py", "x.js", "..\\x")
    ),
    *(
        "/gradio_api/upload",
        "/gradio_api/proxy=http://127.0.0.1:22/",
        "/gradio_api/stream/x/1/1/playlist.m3u8",
        "/monitoring",
    ),
    *(
        "/gradio_api/custom_component/1/client/component/index.js",
        "/gradio_api/vibe-code",
        "/gradio_api/dev/reload",
        "/gradio_api/runs",
    ),
    *(
        "/gradio_api/process_recording",
        "/gradio_api/deep_link",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/.env",
        "/data/ledger.sqlite",
    ),
    *(
        "/gradio_api/queue/data?session_hash=" + "x" * 100,
        "/gradio_api/heartbeat/" + "x" * 70,
        "/gradio_api/call/submit/nothing",
    ),
    *(
        "/config?a=" + "b" * 3000,
        "/login",
        "/logout",
        "/gradio_api/cancel",
        "/gradio_api/reset",
        "/pwa_icon/99999999999999999999",
    ),
]


def _packed(body: dict[str, Any]) -> bytes:
    """Lone surrogates and unusual numbers as they are."""
    return json.dumps(body).encode("utf-8", "surrogatepass")
