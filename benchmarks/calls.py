"""Calls of what the page calls, over HTTP, as cheap for who calls as Python can make them."""

import http.client
import json
from typing import Any

from benchmarks.server import RunningApp


class Caller:
    """One browser: a connection that is kept open, and the token of an annotator."""

    def __init__(self, app: RunningApp, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=600)
        self._token = token
        components = json.loads(self._answer("GET", "/config"))["components"]
        self._components = {c["props"].get("elem_id"): c["id"] for c in components}

    def call(self, component: str, name: str, **data: Any) -> dict[str, Any]:
        """component: its element id. Raises RuntimeError with the sentence of a refusal."""
        sent = {
            "session_hash": self._token,
            "component_id": self._components[component],
            "fn_name": name,
            "data": data | {"token": self._token},
        }
        answer: dict[str, Any] = json.loads(self._answer("POST", "/gradio_api/component_server", json.dumps(sent)))
        if "error" in answer:
            raise RuntimeError(f"{name} was refused: {answer['error']}")
        return answer

    def look(self, strokes: Any, try_id: str) -> dict[str, Any]:
        """The live prediction."""
        sent = {"token": self._token, "try_id": try_id, "strokes": strokes}
        answer: dict[str, Any] = json.loads(self._answer("POST", "/gradio_api/look", json.dumps(sent)))
        return answer

    def close(self) -> None:
        """The next call opens a connection again."""
        self._connection.close()

    def _answer(self, method: str, path: str, body: str | None = None) -> bytes:
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}: {text[:200]!r}")
        return text
