"""The fixture; conftest.py imports it: `from tests.hub_server.fixtures import hub`."""

import warnings
from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from . import HubServer

# huggingface_hub 2.4.0 sends large files in a way that its HTTP client has deprecated.
DEPRECATED = "Use 'content=<...>' to upload raw bytes/text content"


@pytest.fixture
def hub(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A fresh Hub, with the user alice and her write token.

    huggingface_hub reads its environment when it is imported, which is before this. So what hub.environment
    says is also set here, for an HfApi(endpoint=hub.url, token=hub.token) of this process.
    """
    request.node.add_marker(pytest.mark.filterwarnings(f"ignore:{DEPRECATED}:DeprecationWarning"))  # in the test
    warnings.filterwarnings("ignore", DEPRECATED, DeprecationWarning)  # in the fixtures that come after this one
    with HubServer() as server:
        home = server.environment["HF_HOME"]
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        address = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", f"{home}/hub")
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        yield server
