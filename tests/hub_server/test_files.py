"""Files up and down, through the real client."""

import os
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, HfFileSystem
from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError

from tests.hub_server import HubServer


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    hub.create("alice/digits")
    return HfApi(endpoint=hub.url, token=hub.token)


def add(api: HfApi, files: dict[str, bytes], parent: str | None = None) -> str:
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    return api.create_commit(
        "alice/digits", operations, commit_message="Add", repo_type="dataset", parent_commit=parent
    ).oid


def test_a_commit_takes_small_and_large_files_at_once(hub: HubServer, api: HfApi) -> None:
    files = {"notes.txt": b"small", "data/a.parquet": b"large by name", "empty.bin": b""}
    oid = add(api, files)
    commit = hub.commits("alice/digits")[-1]
    assert (commit.id, commit.title, commit.author, commit.size) == (oid, "Add", "alice", 18)
    assert sorted(commit.added) == sorted(files)
    assert hub.files("alice/digits").items() >= files.items()
    assert commit.files["data/a.parquet"].large is not None
    assert commit.files["empty.bin"].large is None  # the client sends empty files as small ones


def test_one_commit_of_one_large_file_is_five_requests(hub: HubServer, api: HfApi) -> None:
    add(api, {"data/a.parquet": b"large by name"})
    stages = [seen.stage for seen in hub.requests]
    assert stages == ["preupload", "lfs-batch", "lfs-upload", "lfs-verify", "commit"]
    assert [seen.received for seen in hub.requests if seen.stage == "lfs-upload"] == [13]


@pytest.mark.parametrize("name", ["a.parquet", "a.safetensors", "a.bin", "a.png", "deep/er/a.jpg"])
def test_these_names_are_large_files_in_a_dataset(hub: HubServer, api: HfApi, name: str) -> None:
    add(api, {name: b"x"})
    assert hub.commits("alice/digits")[-1].files[name].large is not None


def test_a_png_is_small_in_a_model_and_anything_above_ten_megabytes_is_large(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/network", "model")
    hub.commit("alice/network", {"a.png": b"x", "a.txt": bytes(11_000_000)}, repo_type="model")
    files = hub.commits("alice/network", "model")[-1].files
    assert files["a.png"].large is None
    assert files["a.txt"].large is not None


def test_what_has_not_changed_makes_no_commit(hub: HubServer, api: HfApi, caplog: pytest.LogCaptureFixture) -> None:
    files = {"notes.txt": b"small", "data/a.parquet": b"large"}
    first = add(api, files)
    hub.requests.clear()
    assert add(api, files) == first
    assert len(hub.commits("alice/digits")) == 2
    assert hub.count("commit") == hub.count("lfs-upload") == 0
    assert hub.overwritten("alice/digits") == []


def test_a_path_written_twice_is_known_as_overwritten(hub: HubServer, api: HfApi) -> None:
    add(api, {"a.parquet": b"one"})
    add(api, {"a.parquet": b"two", "b.parquet": b"three"})
    assert hub.overwritten("alice/digits") == ["a.parquet"]
    assert hub.commits("alice/digits")[-1].added == ("b.parquet",)


def test_large_content_that_is_there_is_not_uploaded_again(hub: HubServer, api: HfApi) -> None:
    add(api, {"a.parquet": b"the same"})
    add(api, {"b.parquet": b"the same"})
    assert hub.count("lfs-upload") == 1
    assert hub.files("alice/digits")["b.parquet"] == b"the same"


def test_files_and_folders_are_deleted_and_copied(hub: HubServer, api: HfApi) -> None:
    add(api, {"a.parquet": b"a", "folder/b.txt": b"b", "folder/in/c.txt": b"c"})
    operations: list[CommitOperationCopy | CommitOperationDelete] = [
        CommitOperationCopy("a.parquet", "copy.parquet"),
        CommitOperationCopy("folder/b.txt", "copy.txt"),
        CommitOperationDelete("a.parquet"),
        CommitOperationDelete("folder/"),
    ]
    api.create_commit("alice/digits", operations, commit_message="Tidy", repo_type="dataset")
    assert set(hub.files("alice/digits")) == {".gitattributes", "copy.parquet", "copy.txt"}
    assert hub.commits("alice/digits")[-1].deleted == ("a.parquet", "folder/b.txt", "folder/in/c.txt")


def test_deleting_what_is_not_there_is_refused(hub: HubServer, api: HfApi) -> None:
    with pytest.raises(RemoteEntryNotFoundError, match="A file with this name doesn't exist"):
        api.delete_file("none.txt", "alice/digits", repo_type="dataset")
    assert len(hub.commits("alice/digits")) == 1


def test_a_commit_on_an_old_parent_is_refused(hub: HubServer, api: HfApi) -> None:
    parent = hub.commits("alice/digits")[-1].id
    add(api, {"a.txt": b"a"}, parent=parent)
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as refused:
        add(api, {"b.txt": b"b"}, parent=parent)
    assert refused.value.response.status_code == 412
    assert "b.txt" not in hub.files("alice/digits")


def test_a_large_file_that_was_not_uploaded_cannot_be_committed(hub: HubServer, api: HfApi) -> None:
    lines = (
        b'{"key": "header", "value": {"summary": "x", "description": ""}}\n'
        b'{"key": "lfsFile", "value": {"path": "a.bin", "algo": "sha256", "oid": "%s", "size": 3}}\n' % (b"0" * 64)
    )
    url = f"{hub.url}/api/datasets/alice/digits/commit/main"
    answer = httpx2.post(url, content=lines, headers={"Authorization": f"Bearer {hub.token}"})
    assert answer.status_code == 400
    assert "LFS pointer pointed to a file that does not exist" in answer.json()["error"]


def test_the_ignore_file_keeps_paths_out(hub: HubServer, api: HfApi, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name, text in ((".gitignore", "*.tmp\nlogs/\n"), ("a.tmp", "a"), ("logs/b.txt", "b"), ("c.txt", "c")):
        (tmp_path / name).write_text(text)
    api.upload_folder(folder_path=tmp_path, repo_id="alice/digits", repo_type="dataset")
    assert set(hub.files("alice/digits")) == {".gitattributes", ".gitignore", "c.txt"}


def test_an_upload_is_taken_in_parts(hub: HubServer, api: HfApi) -> None:
    hub.multipart_above, hub.part_bytes = 100, 40
    content = os.urandom(130)
    add(api, {"a.bin": content})
    assert hub.count("lfs-upload") == 4
    assert hub.files("alice/digits")["a.bin"] == content
    assert not hub.repository("alice/digits").parts


def test_trees_are_listed_by_folder_or_whole_and_page_by_page(hub: HubServer, api: HfApi) -> None:
    hub.commit("alice/digits", {f"data/day {day}/{part}.txt": b"x" for day in range(3) for part in range(3)})
    hub.page_size = 4
    top = list(api.list_repo_tree("alice/digits", repo_type="dataset"))
    assert [entry.path for entry in top] == [".gitattributes", "data"]
    whole = [entry.path for entry in api.list_repo_tree("alice/digits", repo_type="dataset", recursive=True)]
    assert len(whole) == 2 + 3 + 9
    assert whole[:4] == [".gitattributes", "data", "data/day 0", "data/day 0/0.txt"]
    inside = api.list_repo_tree("alice/digits", "data/day 1", repo_type="dataset", expand=True)
    assert [(entry.path, entry.last_commit.title) for entry in inside if entry.last_commit] == [
        (f"data/day 1/{part}.txt", "A commit of somebody else") for part in range(3)
    ]
    assert hub.count("tree") == 1 + 4 + 1


def test_paths_info_leaves_out_what_is_missing(hub: HubServer, api: HfApi) -> None:
    hub.commit("alice/digits", {"data/a b.txt": b"xyz"})
    found = api.get_paths_info("alice/digits", ["data", "data/a b.txt", "none"], repo_type="dataset", expand=True)
    assert [entry.path for entry in found] == ["data", "data/a b.txt"]
    assert api.file_exists("alice/digits", "data/a b.txt", repo_type="dataset")
    assert not api.file_exists("alice/digits", "none", repo_type="dataset")


@pytest.mark.parametrize("name", ["a.txt", "a.parquet", "deep/ä ö#?.txt"])
@pytest.mark.parametrize("redirect", [False, True])
def test_a_file_is_downloaded_at_a_branch_a_tag_and_a_commit(
    hub: HubServer, api: HfApi, name: str, redirect: bool
) -> None:
    hub.redirect_large = redirect
    old = hub.commit("alice/digits", {name: b"old"})
    api.create_tag("alice/digits", tag="v1", repo_type="dataset")
    hub.commit("alice/digits", {name: b"new"})
    for revision, content in (("main", b"new"), ("v1", b"old"), (old.id, b"old")):
        path = api.hf_hub_download("alice/digits", name, repo_type="dataset", revision=revision)
        assert Path(path).read_bytes() == content


def test_a_download_is_a_head_and_a_get_and_then_only_a_head(hub: HubServer, api: HfApi) -> None:
    for _ in range(2):
        api.hf_hub_download("alice/digits", ".gitattributes", repo_type="dataset")
    assert [seen.method for seen in hub.requests] == ["HEAD", "GET", "HEAD"]


def test_a_snapshot_holds_every_file(hub: HubServer, api: HfApi) -> None:
    hub.commit("alice/digits", {"data/a.parquet": b"a", "b.txt": b"b"})
    folder = Path(api.snapshot_download("alice/digits", repo_type="dataset"))
    assert (folder / "data/a.parquet").read_bytes() == b"a"
    assert (folder / "b.txt").read_bytes() == b"b"


def test_a_part_of_a_file_can_be_asked_for(hub: HubServer, api: HfApi) -> None:
    hub.commit("alice/digits", {"a.bin": b"0123456789"})
    url = f"{hub.url}/datasets/alice/digits/resolve/main/a.bin"

    def part(asked: str) -> tuple[int, bytes]:
        answer = httpx2.get(url, headers={"Range": asked})
        return answer.status_code, answer.content

    assert part("bytes=2-4") == (206, b"234")
    assert part("bytes=7-") == (206, b"789")
    assert part("bytes=-2") == (206, b"89")
    assert part("bytes=20-")[0] == 416
    files = HfFileSystem(endpoint=hub.url, token=hub.token, skip_instance_cache=True)
    with files.open("datasets/alice/digits/a.bin", "rb", block_size=4) as opened:
        opened.seek(3)
        assert opened.read(2) == b"34"
    assert files.glob("datasets/alice/digits/*.bin") == ["datasets/alice/digits/a.bin"]


def test_a_large_file_is_verified_by_its_content(hub: HubServer, api: HfApi) -> None:
    answer = httpx2.put(f"{hub.url}/lfs-storage/dataset/alice/digits/{'0' * 64}", content=b"not it")
    assert answer.status_code == 400
    assert hub.where(b"not it") == []
