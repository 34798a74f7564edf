"""Shared fixtures: small data made here, real data where it is at hand, a running app, a browser."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from benchmarks.pen_digits import PenDigit, load_pen_digits
from benchmarks.server import MNIST, RunningApp
from flagging.home import Home
from flagging.ledger import Ledger
from model.clean_digits import CleanDigits, load_clean_digits
from model.network import Network
from model.weights import Card, Weights, install_shipped, save_weights
from tests.hub_server.fixtures import hub  # noqa: F401  # a fixture
from tests.made import made_digits

# Fixed, so that which drawings are held out does not depend on chance.
TEST_KEY = b"the key of the tests"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", TEST_KEY)


@pytest.fixture
def ledger(home: Home) -> Iterator[Ledger]:
    """A ledger serving the shipped round-0 weights."""
    ledger = home.open_ledger(create=True)
    ledger.start(install_shipped(home.weights))
    yield ledger
    ledger.close()


@pytest.fixture
def small_digits() -> CleanDigits:
    return made_digits()


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    folder = Path(os.environ.get("HOODWINK_MNIST_DIR") or MNIST)
    if not folder.is_dir():
        pytest.skip(f"MNIST is not in {folder}; set HOODWINK_MNIST_DIR to run this test")
    return folder


@pytest.fixture(scope="session")
def mnist(mnist_folder: Path) -> CleanDigits:
    return load_clean_digits(mnist_folder, Path("unused"))


@pytest.fixture(scope="session")
def pen_digits() -> list[PenDigit]:
    try:
        return load_pen_digits("natural")
    except FileNotFoundError as error:
        pytest.skip(str(error))


def random_weights(folder: Path, seed: int) -> Weights:
    """Weights of a network that was never trained: they answer, and differ from all others."""
    torch.manual_seed(seed)
    return save_weights(Network(), Card(None, 0, seed, {}, {}), folder)


class Spares:
    """Apps with fresh data folders; the next one starts while the last one is in use: that takes some seconds each."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._environment = folder, dict(os.environ)  # of now: tests change theirs
        self._made = 0
        self._next = self._start()

    def take(self) -> RunningApp:
        taken, self._next = self._next, self._start()
        return taken.wait()

    def _start(self) -> RunningApp:
        self._made += 1
        with mock.patch.dict(os.environ, self._environment, clear=True):
            app = RunningApp(self._folder / str(self._made) / "data")
        app.start()
        return app

    def end(self) -> None:
        self._next.kill()


@pytest.fixture(scope="session")
def spares(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spares]:
    spares = Spares(tmp_path_factory.mktemp("apps"))
    yield spares
    spares.end()


@pytest.fixture
def app(spares: Spares) -> Iterator[RunningApp]:
    """The app as a process of its own, with a fresh data folder."""
    app = spares.take()
    yield app
    app.kill()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real Chromium. Missing: a failure where CI=true, elsewhere a skip."""
    from benchmarks import browser  # here, as it needs playwright

    try:
        with browser.chromium() as running:
            yield running
    except RuntimeError as error:
        pytest.fail(str(error)) if os.environ.get("CI") == "true" else pytest.skip(str(error))
