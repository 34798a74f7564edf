"""Which repositories on the Hub a data folder is kept the same with."""

from collections.abc import Mapping
from dataclasses import dataclass

from flagging import hub

HUB_COMMITS_PER_HOUR = 128  # of a repository, as the Hub allows
LEAST = 4  # a withdrawal takes three


@dataclass(frozen=True)
class HubSettings:
    """dataset: the repository that is the durable home of everything. model: of the weights; None: the dataset's.

    space: where this runs, if it is a Space: cards tell that the code is there.
    """

    dataset: str
    model: str | None = None
    commits_per_hour: int = HUB_COMMITS_PER_HOUR // 4
    space: str | None = None

    def __post_init__(self) -> None:
        for repo_id in filter(None, (self.dataset, self.model)):
            hub.checked_repository(repo_id)
        if self.commits_per_hour < LEAST:
            raise ValueError(
                f"commits_per_hour is {self.commits_per_hour}; set HOODWINK_HUB_COMMITS_PER_HOUR to {LEAST} or more"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "HubSettings | None":
        """HOODWINK_HUB_DATASET, HOODWINK_HUB_MODEL, HOODWINK_HUB_COMMITS_PER_HOUR; None without a dataset."""
        dataset, model = environment.get("HOODWINK_HUB_DATASET"), environment.get("HOODWINK_HUB_MODEL")
        if not dataset:
            if model:
                raise ValueError("HOODWINK_HUB_MODEL is set but HOODWINK_HUB_DATASET is not; set both, or neither")
            return None
        commits = environment.get("HOODWINK_HUB_COMMITS_PER_HOUR") or str(cls.commits_per_hour)
        if not commits.isdecimal():
            raise ValueError(f"HOODWINK_HUB_COMMITS_PER_HOUR is {commits!r}; use a whole number")
        return cls(dataset, model or None, int(commits), environment.get("SPACE_ID"))
