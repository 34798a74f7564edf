"""Who may do what, through the real client."""

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from tests.hub_server import HubServer


def upload(api: HfApi, repo_id: str) -> None:
    api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo_id, repo_type="dataset")


def test_whoami_tells_the_role_of_the_token(hub: HubServer) -> None:
    reading = hub.add_token(user="bob", role="read", orgs=["team"], name="reading")
    found = HfApi(endpoint=hub.url, token=reading).whoami()
    assert (found["type"], found["name"], [org["name"] for org in found["orgs"]]) == ("user", "bob", ["team"])
    assert found["auth"]["accessToken"]["role"] == "read"
    assert found["auth"]["accessToken"]["displayName"] == "reading"


def test_whoami_tells_the_scopes_of_a_fine_grained_token_and_hides_the_email(hub: HubServer) -> None:
    found = HfApi(endpoint=hub.url, token=hub.add_token_for("alice/digits")).whoami()
    scope = found["auth"]["accessToken"]["fineGrained"]["scoped"][0]
    assert found["auth"]["accessToken"]["role"] == "fineGrained"
    assert (scope["entity"]["type"], scope["entity"]["name"]) == ("dataset", "alice/digits")
    assert scope["permissions"] == ["repo.content.read", "repo.write"]
    assert "email" not in found


def test_a_wrong_or_revoked_token_is_refused(hub: HubServer) -> None:
    hub.create("alice/digits")
    token = hub.add_token(user="alice")
    hub.revoke(token)
    api = HfApi(endpoint=hub.url, token=token)
    with pytest.raises(HfHubHTTPError, match="Invalid user token") as refused:
        api.whoami()
    assert refused.value.response.status_code == 401
    with pytest.raises(HfHubHTTPError, match="Invalid credentials in Authorization header"):
        api.dataset_info("alice/digits")


def test_without_a_token_only_public_things_can_be_read(hub: HubServer) -> None:
    hub.create("alice/public", files={"a.txt": b"x"})
    hub.create("alice/private", private=True)
    api = HfApi(endpoint=hub.url, token=False)
    assert "a.txt" in api.list_repo_files("alice/public", repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError) as refused:
        api.dataset_info("alice/private")
    assert refused.value.response.status_code == 401
    with pytest.raises(HfHubHTTPError, match="Invalid username or password") as no_writing:
        upload(api, "alice/public")
    assert no_writing.value.response.status_code == 401


def test_a_private_repository_looks_missing_to_others(hub: HubServer) -> None:
    hub.create("alice/private", private=True)
    with pytest.raises(RepositoryNotFoundError) as refused:
        HfApi(endpoint=hub.url, token=hub.add_token(user="bob")).dataset_info("alice/private")
    assert refused.value.response.status_code == 404


def test_a_read_token_cannot_write(hub: HubServer) -> None:
    hub.create("alice/digits")
    api = HfApi(endpoint=hub.url, token=hub.add_token(user="alice", role="read"))
    with pytest.raises(HfHubHTTPError, match="you must use a write token") as refused:
        upload(api, "alice/digits")
    assert refused.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError, match="You don't have the rights") as refused:
        api.create_repo("alice/more", repo_type="dataset")
    assert refused.value.response.status_code == 403


def test_somebody_elses_repository_cannot_be_written(hub: HubServer) -> None:
    hub.create("alice/digits")
    with pytest.raises(HfHubHTTPError, match="Pull Request") as refused:
        upload(HfApi(endpoint=hub.url, token=hub.add_token(user="bob")), "alice/digits")
    assert refused.value.response.status_code == 403


def test_a_token_for_one_dataset_writes_there_and_nowhere_else(hub: HubServer) -> None:
    hub.create("alice/digits")
    hub.create("alice/letters")
    api = HfApi(endpoint=hub.url, token=hub.add_token_for("alice/digits"))
    upload(api, "alice/digits")
    with pytest.raises(HfHubHTTPError):
        upload(api, "alice/letters")
    with pytest.raises(HfHubHTTPError, match="You don't have the rights"):
        api.create_repo("alice/more", repo_type="dataset")
    # The client turns the 403 into success when the repository is there already.
    assert api.create_repo("alice/digits", repo_type="dataset", exist_ok=True).repo_id == "alice/digits"


def test_a_token_of_a_member_writes_to_the_organization(hub: HubServer) -> None:
    api = HfApi(endpoint=hub.url, token=hub.add_token(user="bob", orgs=["team"]))
    api.create_repo("team/digits", repo_type="dataset", private=True)
    upload(api, "team/digits")
    assert hub.commits("team/digits")[-1].author == "bob"


def test_auth_check_tells_reading_from_writing(hub: HubServer) -> None:
    hub.create("alice/digits", private=True)
    api = HfApi(endpoint=hub.url, token=hub.add_token(user="alice", role="read"))
    api.auth_check("alice/digits", repo_type="dataset")
    with pytest.raises(HfHubHTTPError):
        api.auth_check("alice/digits", repo_type="dataset", write=True)
    HfApi(endpoint=hub.url, token=hub.token).auth_check("alice/digits", repo_type="dataset", write=True)
    with pytest.raises(RepositoryNotFoundError):
        HfApi(endpoint=hub.url, token=hub.add_token(user="bob")).auth_check("alice/digits", repo_type="dataset")
