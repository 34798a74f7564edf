"""The server as a test holds it: starting, stopping, being away, and the environment of the clients."""

import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from http.client import HTTPConnection
from threading import Thread
from types import TracebackType
from urllib.parse import urlsplit

from .connections import Server
from .hub import Hub
from .routes.sign_in import CLIENT_ID, CLIENT_SECRET, SCOPES


class HubServer(Hub):
    """A Hub on 127.0.0.1 for the real clients; see the package for how to use it."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(clock)
        self._server = Server(self)
        self._thread: Thread | None = None
        self._homes: list[str] = []
        self._environment: dict[str, str] | None = None
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "HubServer":
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None and self.errors:
            raise AssertionError("the hub server made a mistake:\n" + "\n".join(self.errors))

    def stop(self) -> None:
        """Close the server and every connection, and delete the folders of the clients' caches."""
        self._end()
        for home in self._homes:
            shutil.rmtree(home, ignore_errors=True)

    def _begin(self) -> None:
        self._server.server_activate()
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="hub", daemon=True)
        self._thread.start()

    def _end(self) -> None:
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.close_everything()

    @property
    def unreachable(self) -> bool:
        """Whether connections are refused, as when nothing listens; `offline` accepts them and closes them.

        The clients tell the two apart: only a refused connection makes a download use the cache instead.
        """
        return self._thread is None

    @unreachable.setter
    def unreachable(self, away: bool) -> None:
        if away and not self.unreachable:
            self._end()
            self._server = Server(self, self.port)  # bound, so that nobody else gets the port, but not listening
        elif not away and self.unreachable:
            self._begin()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach this server as alice; the same cache folder at every call."""
        if self._environment is None:
            self._environment = self.environment_of(self.token)
        return dict(self._environment)

    def environment_of(self, token: str | None) -> dict[str, str]:
        """The same for another token, or none, with an empty cache folder of its own.

        A client answers a README from its cache even after a 404, so a test that deletes needs a fresh one.
        """
        home = tempfile.mkdtemp(prefix="hub-home-")
        self._homes.append(home)
        found = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": home,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "GRADIO_ANALYTICS_ENABLED": "False",  # Gradio sends its telemetry to HF_ENDPOINT
            "NO_PROXY": "127.0.0.1,localhost",
        }
        return found if token is None else found | {"HF_TOKEN": token}

    def sign_in_environment(self, app_port: int, space_id: str = "alice/hoodwink") -> dict[str, str]:
        """What a Space sets beside `environment` so that Gradio offers to sign in, for an app on 127.0.0.1:app_port.

        The session cookie is Secure and SameSite=None. Chromium takes and sends such a cookie over plain http to
        127.0.0.1 and localhost, so that a browser test only needs to press the button; httpx and requests keep it
        to themselves, for them there is `sign_in`. Gradio builds its own address from SPACE_HOST, with https; the
        provider here sends the browser back to a local host with http. A page opened under localhost ends up
        under 127.0.0.1, after one more round because the cookie of the other name is missing.
        """
        return {
            "SYSTEM": "spaces",
            "SPACE_ID": space_id,
            "SPACE_AUTHOR_NAME": space_id.split("/")[0],
            "SPACE_REPO_NAME": space_id.split("/")[1],
            "SPACE_TITLE": space_id.split("/")[1],
            "SPACE_HOST": f"127.0.0.1:{app_port}",
            "OAUTH_CLIENT_ID": CLIENT_ID,
            "OAUTH_CLIENT_SECRET": CLIENT_SECRET,
            "OAUTH_SCOPES": SCOPES,
            "OPENID_PROVIDER_URL": self.url,
        }

    def sign_in(self, app_url: str, user: str = "alice") -> str:
        """Sign in to an app that runs with `sign_in_environment`, without a browser: the Cookie header to send.

        Raises RuntimeError if the app does not take the sign-in.
        """
        self.signing_in, before = user, self.signing_in
        try:
            to_provider, cookie = _visit(app_url.rstrip("/") + "/login/huggingface?_target_url=/", "")
            back, _ = _visit(to_provider, "")
            target, cookie = _visit(back, cookie)
        finally:
            self.signing_in = before
        if "/login" in target or not cookie:
            raise RuntimeError(f"signing in as {user} ended at {target!r}, not at the page")
        return cookie


def _visit(url: str, cookie: str) -> tuple[str, str]:
    """Where one request is redirected to, and the cookie that it sets."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        answer.read()
        return answer.headers.get("Location", ""), answer.headers.get("Set-Cookie", "").split(";")[0]
    finally:
        connection.close()
