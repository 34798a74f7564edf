"""The app as its users run it: a process of its own, on a free port, with a data folder of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

REPOSITORY = Path(__file__).parents[1]
MAINTAINER_TOKEN = "a-token-for-measuring"
MNIST = Path(__file__).parents[2] / "shared/data/mnist"


def mnist_folder() -> Path:
    """HOODWINK_MNIST_DIR, else the folder beside the repository."""
    return Path(os.environ.get("HOODWINK_MNIST_DIR") or MNIST)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Raises RuntimeError if the process ends, or `seconds` pass, before the address answers."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing answered on {url}")


class RunningApp:
    """`with RunningApp(home) as app:` starts `python app.py` and waits until it answers.

    Settings of the calling environment reach it only through `settings`, but for HOODWINK_MNIST_DIR.
    words: what Python is told to run; another page is started in the same way.
    """

    def __init__(
        self,
        home: Path,
        settings: Mapping[str, str] | None = None,
        start_seconds: float = 60,
        words: Sequence[str] = ("app.py",),
    ) -> None:
        self.home = home
        self._words = words
        self.log = home / "app.log"
        self._start_seconds = start_seconds
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOODWINK_", "GRADIO_"))}
        mnist = os.environ.get("HOODWINK_MNIST_DIR") or (str(MNIST) if MNIST.is_dir() else "")
        self.environment = kept | {
            "HOODWINK_HOME": str(home),
            "HOODWINK_MNIST_DIR": mnist,
            "HOODWINK_MAINTAINER_TOKEN": MAINTAINER_TOKEN,
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(self.port),
            **(settings or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "RunningApp":
        self.start()
        return self.wait()

    @property
    def pid(self) -> int:
        """Raises RuntimeError before it was started."""
        if self.process is None:
            raise RuntimeError("the app was not started")
        return self.process.pid

    def start(self) -> None:
        """Start it, without waiting for an answer."""
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self._words],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that its worker can be ended with it
            )

    def wait(self) -> "RunningApp":
        """Wait until what was started answers. Raises RuntimeError, with what it said, if it does not."""
        if self.process is None:
            raise RuntimeError("the app was not started")
        try:
            wait_until_it_answers(self.url, self.process, self._start_seconds)
        except RuntimeError as error:
            self.stop()
            raise RuntimeError(f"{error}; it said: {self.log.read_text()[-2000:]}") from error
        return self

    def stop(self) -> None:
        """End the app, and its worker if one is at work, and wait for it."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)  # it may have something to publish still
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.kill()

    def kill(self) -> None:
        """End the app and its worker without asking."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextlib.contextmanager
def both(one: RunningApp, other: RunningApp) -> Iterator[tuple[RunningApp, RunningApp]]:
    """Two processes, started at once."""
    try:
        for app in (one, other):
            app.start()
        yield one.wait(), other.wait()
    finally:
        for app in (one, other):
            app.stop()
