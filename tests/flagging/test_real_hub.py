"""The same against the real Hub: private repositories that are deleted again. Runs when HOODWINK_TEST_HUB_TOKEN is given."""

import os
import secrets
from collections.abc import Iterator

import pytest
from huggingface_hub import HfApi

from flagging.home import Home
from flagging.settings import HubSettings
from flagging.sync import MARKS, UNSWEPT, Sync
from model.weights import install_shipped
from tests.conftest import TEST_KEY, random_weights
from tests.flagging.test_sync import state
from tests.made import add_fooling, close

TOKEN = os.environ.get("HOODWINK_TEST_HUB_TOKEN")
pytestmark = [
    pytest.mark.skipif(
        not TOKEN, reason="set HOODWINK_TEST_HUB_TOKEN to a token that may make and delete repositories"
    ),
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


@pytest.fixture
def repositories() -> Iterator[tuple[HfApi, HubSettings]]:
    api = HfApi(token=TOKEN)
    name = f"{api.whoami()['name']}/hoodwink-test-{secrets.token_hex(4)}"
    settings = HubSettings(f"{name}-drawings", f"{name}-weights")
    api.create_repo(settings.dataset, repo_type="dataset", private=True)
    api.create_repo(str(settings.model), private=True)
    yield api, settings
    api.delete_repo(settings.dataset, repo_type="dataset")
    api.delete_repo(str(settings.model))


def test_published_restored_and_withdrawn(repositories, tmp_path):
    api, settings = repositories
    ledgers = []
    for name in ("first", "second"):
        home = Home(tmp_path / name, TEST_KEY)
        ledger = home.open_ledger(create=True)
        sync = Sync(ledger, home, settings, api)
        sync.pull()
        ledger.start(install_shipped(home.weights))
        if name == "first":
            add_fooling(ledger, 3, "ann")
            add_fooling(ledger, 2, "bea")
            close(ledger, weights_id=random_weights(home.weights, 1).id)
            sync.push()
        ledgers.append((ledger, sync))
    (first, first_sync), (second, _) = ledgers
    assert state(second) == state(first)
    assert {tag.name for tag in api.list_repo_refs(str(settings.model)).tags} == {"round-0", "round-1"}
    first.withdraw(first.annotator("bea"))
    first_sync.pull()
    first_sync.push()
    files = set(api.list_repo_files(settings.dataset, repo_type="dataset"))
    assert not any(path == UNSWEPT or path.startswith(MARKS) for path in files)
    assert len(api.list_repo_commits(settings.dataset, repo_type="dataset")) == 2  # what is left, and the end of it
    kept = {f.path for f in api.list_repo_tree(settings.dataset, recursive=True, repo_type="dataset")}
    assert {f.filename for f in api.list_lfs_files(settings.dataset, repo_type="dataset")} <= kept
    for ledger, _ in ledgers:
        ledger.close()
