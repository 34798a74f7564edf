"""Forgetting: what remains after deleting, squashing and clearing the large file storage."""

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import RemoteEntryNotFoundError

from tests.hub_server import HubServer

DRAWING = b"the drawing of somebody"


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    hub.create("alice/digits")
    return HfApi(endpoint=hub.url, token=hub.token)


def commit(api: HfApi, *operations: CommitOperationAdd | CommitOperationDelete, message: str = "Commit") -> None:
    api.create_commit("alice/digits", operations, commit_message=message, repo_type="dataset")


def test_deleting_a_file_leaves_it_in_history(hub: HubServer, api: HfApi) -> None:
    commit(api, CommitOperationAdd("a.txt", DRAWING), CommitOperationAdd("b.parquet", DRAWING))
    commit(api, CommitOperationDelete("a.txt"), CommitOperationDelete("b.parquet"))
    assert [place.split(",")[1].split()[0] for place in hub.where(DRAWING)] == ["small", "large"]


def test_a_squash_drops_small_files_and_leaves_large_ones(hub: HubServer, api: HfApi) -> None:
    commit(api, CommitOperationAdd("a.txt", DRAWING), CommitOperationAdd("b.parquet", DRAWING))
    commit(api, CommitOperationDelete("a.txt"), CommitOperationDelete("b.parquet"))
    api.super_squash_history("alice/digits", repo_type="dataset")
    assert len(hub.where(DRAWING)) == 1
    found = list(api.list_lfs_files("alice/digits", repo_type="dataset"))
    assert [(file.filename, file.size) for file in found] == [("b.parquet", len(DRAWING))]


def test_nothing_is_left_after_delete_squash_and_clearing_the_storage(hub: HubServer, api: HfApi) -> None:
    commit(
        api, CommitOperationAdd("a.txt", DRAWING), CommitOperationAdd("b.parquet", DRAWING), message=DRAWING.decode()
    )
    commit(api, CommitOperationAdd("kept.parquet", b"kept"))
    commit(api, CommitOperationDelete("a.txt"), CommitOperationDelete("b.parquet"))
    api.super_squash_history("alice/digits", repo_type="dataset")
    gone = [file for file in api.list_lfs_files("alice/digits", repo_type="dataset") if file.filename == "b.parquet"]
    api.permanently_delete_lfs_files("alice/digits", gone, repo_type="dataset")
    assert hub.where(DRAWING) == []
    assert hub.where(b"kept") != []
    assert hub.files("alice/digits")["kept.parquet"] == b"kept"


def test_an_upload_that_no_commit_followed_is_held_and_listed_and_can_be_deleted(hub: HubServer, api: HfApi) -> None:
    api.preupload_lfs_files("alice/digits", [CommitOperationAdd("a.parquet", DRAWING)], repo_type="dataset")
    assert len(hub.where(DRAWING)) == 1
    found = list(api.list_lfs_files("alice/digits", repo_type="dataset"))
    assert [file.ref for file in found] == [None]
    api.permanently_delete_lfs_files("alice/digits", found, repo_type="dataset")
    assert hub.where(DRAWING) == []


def test_deleting_a_large_file_rewrites_history_without_it(hub: HubServer, api: HfApi) -> None:
    commit(api, CommitOperationAdd("a.parquet", DRAWING))
    commit(api, CommitOperationAdd("b.txt", b"b"), message="After")
    api.create_tag("alice/digits", tag="v1", repo_type="dataset")
    before = hub.commits("alice/digits")
    found = list(api.list_lfs_files("alice/digits", repo_type="dataset"))
    api.permanently_delete_lfs_files("alice/digits", found, repo_type="dataset")
    after = hub.commits("alice/digits")
    assert [commit.title for commit in after] == ["initial commit", "Commit", "After"]
    assert after[0].id == before[0].id
    assert after[2].id != before[2].id
    assert (
        set(hub.files("alice/digits")) == set(hub.files("alice/digits", revision="v1")) == {".gitattributes", "b.txt"}
    )


def test_without_rewriting_the_name_stays_and_the_content_is_gone(hub: HubServer, api: HfApi) -> None:
    commit(api, CommitOperationAdd("a.parquet", DRAWING))
    found = list(api.list_lfs_files("alice/digits", repo_type="dataset"))
    api.permanently_delete_lfs_files("alice/digits", found, rewrite_history=False, repo_type="dataset")
    assert "a.parquet" in api.list_repo_files("alice/digits", repo_type="dataset")
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download("alice/digits", "a.parquet", repo_type="dataset")


def test_large_files_are_listed_page_by_page(hub: HubServer, api: HfApi) -> None:
    hub.commit("alice/digits", {f"{number}.bin": str(number).encode() for number in range(5)})
    hub.page_size = 2
    assert len(list(api.list_lfs_files("alice/digits", repo_type="dataset"))) == 5
    assert hub.count("lfs-list") == 3
