"""Repositories as wholes, through the real client."""

from datetime import UTC, datetime, timedelta

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import KernelInfo

from tests.hub_server import HubServer


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token)


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return error.value.response.status_code


@pytest.mark.parametrize(
    ("repo_type", "first_files"),
    [
        ("model", [".gitattributes"]),
        ("dataset", [".gitattributes"]),
        ("space", [".gitattributes", "README.md"]),
    ],
)
def test_a_new_repository_starts_with_one_commit(api: HfApi, repo_type: str, first_files: list[str]) -> None:
    url = api.create_repo("alice/first", repo_type=repo_type, space_sdk="gradio" if repo_type == "space" else None)
    assert (url.repo_id, url.repo_type) == ("alice/first", repo_type)
    info = api.repo_info("alice/first", repo_type=repo_type)
    assert not isinstance(info, KernelInfo)
    commits = api.list_repo_commits("alice/first", repo_type=repo_type)
    assert [sibling.rfilename for sibling in info.siblings or []] == first_files
    assert [(commit.title, commit.commit_id) for commit in commits] == [("initial commit", info.sha)]
    assert (info.private, info.gated, info.disabled) == (False, False, False)


def test_a_name_without_an_owner_belongs_to_the_caller(api: HfApi) -> None:
    assert api.create_repo("digits", repo_type="dataset").repo_id == "alice/digits"


def test_creating_what_exists_is_a_conflict_unless_that_is_allowed(api: HfApi) -> None:
    api.create_repo("alice/digits", repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="You already created this dataset repo") as refused:
        api.create_repo("alice/digits", repo_type="dataset")
    assert status(refused) == 409
    assert api.create_repo("alice/digits", repo_type="dataset", exist_ok=True).repo_id == "alice/digits"


def test_a_deleted_repository_is_not_found(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits")
    api.delete_repo("alice/digits", repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        api.repo_info("alice/digits", repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo("alice/digits", repo_type="dataset")
    api.delete_repo("alice/digits", repo_type="dataset", missing_ok=True)


def test_the_card_of_a_readme_is_parsed(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits", files={"README.md": b"---\nlicense: mit\ntags: [digits]\n---\nText"})
    info = api.dataset_info("alice/digits")
    assert info.card_data is not None
    assert info.card_data["license"] == "mit"
    assert info.tags == ["digits"]


def test_a_readme_whose_metadata_is_broken_is_refused_before_the_commit(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits")
    with pytest.raises(ValueError, match=r"Invalid metadata in README.md"):
        api.upload_file(
            path_or_fileobj=b"---\na: [\n---\n", path_in_repo="README.md", repo_id="alice/digits", repo_type="dataset"
        )
    assert len(hub.commits("alice/digits")) == 1


def test_information_tells_sizes_and_expands_what_is_asked_for(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits", files={"a.txt": b"four", "b.parquet": b"eleven byte"})
    siblings = api.dataset_info("alice/digits", files_metadata=True).siblings or []
    sizes = {sibling.rfilename: sibling.size for sibling in siblings}
    assert (sizes["a.txt"], sizes["b.parquet"]) == (4, 11)
    assert [sibling.rfilename for sibling in siblings if sibling.lfs] == ["b.parquet"]
    expanded = api.dataset_info("alice/digits", expand=["sha"])
    assert expanded.sha == hub.commits("alice/digits")[-1].id
    assert expanded.siblings is None


def test_private_and_gated_can_be_changed(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits")
    api.update_repo_settings("alice/digits", repo_type="dataset", private=True, gated="auto")
    info = api.dataset_info("alice/digits")
    assert (info.private, info.gated) == (True, "auto")


def test_repositories_are_listed_by_author_and_only_to_those_who_may_see_them(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits", private=True)
    hub.create("alice/letters")
    hub.create("bob/digits", private=True)
    assert [found.id for found in api.list_datasets(author="alice")] == ["alice/digits", "alice/letters"]
    assert [found.id for found in api.list_datasets(search="digits")] == ["alice/digits"]


def test_commits_are_listed_newest_first_over_several_pages(api: HfApi) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with HubServer(clock=lambda: now) as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        hub.create("alice/digits")
        for day in range(5):
            now += timedelta(days=1)
            hub.commit("alice/digits", {"a.txt": str(day).encode()}, message=f"Day {day}")
        hub.page_size = 2
        commits = api.list_repo_commits("alice/digits", repo_type="dataset", formatted=True)
        assert hub.count("commits") == 3
    titles = ["Day 4", "Day 3", "Day 2", "Day 1", "Day 0", "initial commit"]
    assert [commit.title for commit in commits] == titles
    assert [commit.formatted_title for commit in commits] == titles
    assert [commit.created_at.day for commit in commits] == [6, 5, 4, 3, 2, 1]


def test_tags_are_made_once_and_name_a_revision(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits", files={"a.txt": b"old"})
    api.create_tag("alice/digits", tag="round-1", tag_message="The first", repo_type="dataset")
    hub.commit("alice/digits", {"a.txt": b"new"})
    assert hub.files("alice/digits", revision="round-1")["a.txt"] == b"old"
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_tag("alice/digits", tag="round-1", repo_type="dataset")
    assert status(refused) == 409
    api.create_tag("alice/digits", tag="round-1", repo_type="dataset", exist_ok=True)
    refs = api.list_repo_refs("alice/digits", repo_type="dataset")
    assert [(tag.name, tag.ref) for tag in refs.tags] == [("round-1", "refs/tags/round-1")]
    assert refs.branches[0].target_commit == hub.commits("alice/digits")[-1].id
    api.delete_tag("alice/digits", tag="round-1", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag("alice/digits", tag="round-1", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.create_tag("alice/digits", tag="later", revision="no-such", repo_type="dataset")


def test_a_branch_goes_its_own_way(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits")
    api.create_branch("alice/digits", branch="try", repo_type="dataset")
    api.upload_file(
        path_or_fileobj=b"x", path_in_repo="a.txt", repo_id="alice/digits", repo_type="dataset", revision="try"
    )
    assert "a.txt" in hub.files("alice/digits", revision="try")
    assert "a.txt" not in hub.files("alice/digits")
    api.delete_branch("alice/digits", branch="try", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.list_repo_files("alice/digits", revision="try", repo_type="dataset")


def test_squashing_leaves_one_commit_with_the_same_files(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits", files={"a.txt": b"first words"})
    hub.commit("alice/digits", {"a.txt": b"second words"})
    before = hub.files("alice/digits")
    old = hub.commits("alice/digits")[1].id
    api.super_squash_history("alice/digits", repo_type="dataset", commit_message="Begin again")
    assert [commit.title for commit in hub.commits("alice/digits")] == ["Begin again"]
    assert hub.files("alice/digits") == before
    assert hub.where(b"first words") == []
    assert len(hub.commits_ever("alice/digits")) == 4
    with pytest.raises(RevisionNotFoundError):
        api.list_repo_files("alice/digits", revision=old, repo_type="dataset")


def test_a_tag_keeps_old_history_through_a_squash(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits", files={"a.txt": b"first words"})
    api.create_tag("alice/digits", tag="round-1", repo_type="dataset")
    hub.commit("alice/digits", {"a.txt": b"second words"})
    api.super_squash_history("alice/digits", repo_type="dataset")
    assert hub.where(b"first words") != []
    assert hub.files("alice/digits", revision="round-1")["a.txt"] == b"first words"


def test_what_is_missing_is_named_by_kind(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits")
    with pytest.raises(RepositoryNotFoundError):
        api.list_repo_files("alice/none", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        api.list_repo_files("alice/digits", revision="none", repo_type="dataset")
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download("alice/digits", "none.txt", repo_type="dataset")
    with pytest.raises(RemoteEntryNotFoundError):
        list(api.list_repo_tree("alice/digits", "none", repo_type="dataset"))
    with pytest.raises(RepositoryNotFoundError):
        api.create_tag("alice/none", tag="x", repo_type="dataset")


def test_pull_requests_are_refused_in_words(hub: HubServer, api: HfApi) -> None:
    hub.create("alice/digits")
    with pytest.raises(BadRequestError, match="keeps no pull requests"):
        api.upload_file(
            path_or_fileobj=b"x", path_in_repo="a.txt", repo_id="alice/digits", repo_type="dataset", create_pr=True
        )
