"""The fixture; conftest.py imports it: `from tests.hub_server.fixtures import hub`."""

from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from . import HubServer


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A fresh Hub, with the user alice and her write token.

    huggingface_hub reads its environment when it is imported, which is before this. So what hub.environment
    says is also set here, for an HfApi(endpoint=hub.url, token=hub.token) of this process.
    """
    with HubServer() as server:
        home = server.environment["HF_HOME"]
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", f"{home}/hub")
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        yield server
