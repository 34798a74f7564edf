"""What is to be done on the Hub, step by step: planned from what is there, then carried out in this order.

The repositories first, the code last: a Space without code does not start, so its first start finds all it needs.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, SpaceHardware

from flagging.home import MIN_KEY_LENGTH, kept_key
from flagging.hub import HubUnavailable, add, checked_repository, delete, set_up_client
from space import files, tokens
from space.there import FREE_HARDWARE, has_drawings, look_at_space, look_up, must_be_writable, reaching
from space.tokens import HOW_TO_MAKE_ONE, Repo

DATASET, MODEL, QUORUM = "HOODWINK_HUB_DATASET", "HOODWINK_HUB_MODEL", "HOODWINK_QUORUM"
KEY, TOKEN = "HOODWINK_ANNOTATOR_KEY", "HF_TOKEN"
ASK_TIMES = 3


@dataclass(frozen=True)
class Wanted:
    """What was asked for; None: as it is, or the default."""

    space: str
    dataset: str | None = None
    model: str | None = None
    hardware: str | None = None
    private: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    space_token: str | None = field(default=None, repr=False)
    annotator_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for repo_id in filter(None, (self.space, self.dataset, self.model)):
            checked_repository(repo_id)
        if self.hardware and self.hardware.startswith("zero"):
            raise ValueError(
                f"{self.hardware} runs only functions made for ZeroGPU, and Hoodwink has none; use cpu-basic"
            )
        if self.annotator_key and len(self.annotator_key) < MIN_KEY_LENGTH:
            raise ValueError(
                f"the annotator key has {len(self.annotator_key)} characters; use {MIN_KEY_LENGTH} or more"
            )


@dataclass(frozen=True)
class Step:
    what: str  # dataset, model, space, hardware, secret, variable, code
    name: str
    action: str
    do: Callable[[], object] | None = None  # None: it is left alone


class Plan:
    """Reads what the Hub has, and writes nothing before `carry_out`. Raises ValueError and HubUnavailable.

    keys: the folder where annotator keys made here are kept, by dataset: a second Space of that dataset needs the same.
    ask: for the Space's token, should one be needed; None: nobody is there to be asked.
    """

    def __init__(self, wanted: Wanted, api: HfApi, root: Path, keys: Path, ask: Callable[[str], str] | None) -> None:
        set_up_client()
        self._wanted, self._api, self._ask = wanted, api, ask
        self.steps: list[Step] = []
        self.warnings: list[str] = []
        self.late_warnings: list[str] = []  # of them, those about a token that was asked for
        with reaching("who are you"):
            self._me = api.whoami()
        self._there = look_at_space(api, wanted.space, self._me["name"])
        self._hardware = wanted.hardware or self._there.hardware
        self._set = self._there.variables
        self.dataset = wanted.dataset or self._set.get(DATASET) or f"{wanted.space}-drawings"
        self.model = wanted.model or self._set.get(MODEL) or f"{wanted.space}-weights"
        self._repositories: list[Repo] = [("dataset", self.dataset), ("model", self.model)]
        self._missing = [repo for repo in self._repositories if not self._plan_repository(repo)]
        self._plan_space()
        self._plan_token()
        self._plan_key(keys / self.dataset.replace("/", "--"))
        self._plan_code(root)  # checks the names of variables too, against what the code knows
        self._warn()

    @property
    def space(self) -> str:
        return self._wanted.space

    @property
    def endpoint(self) -> str:
        return str(self._api.endpoint)

    @property
    def url(self) -> str:
        return f"{self.endpoint}/spaces/{self.space}"

    @property
    def updates(self) -> bool:
        """Whether the Space is there already."""
        return self._there.info is not None

    @property
    def to_do(self) -> list[Step]:
        return [step for step in self.steps if step.do]

    def carry_out(self, tell: Callable[[str], None]) -> None:
        """Do every step. Raises HubUnavailable; what is done by then stays done, and a new plan goes on from there."""
        steps = [(step, step.do) for step in self.steps if step.do]
        for number, (step, do) in enumerate(steps, 1):
            tell(f"[{number}/{len(steps)}] {step.what} {step.name}: {step.action}")
            try:
                with reaching(f"{step.what} {step.name}"):
                    do()
            except HubUnavailable as error:
                raise HubUnavailable(
                    f"{error}; {number - 1} of {len(steps)} steps are done, run it again for the rest"
                ) from error

    # -- the plan ---------------------------------------------------------------------------------------------

    def _plan(self, what: str, name: str, action: str, do: Callable[[], object] | None = None) -> None:
        self.steps.append(Step(what, name, action, do))

    def _plan_repository(self, repo: Repo) -> bool:
        """Whether it is there."""
        kind, repo_id = repo
        info = self._there.info if kind == "space" else look_up(self._api, repo)
        if info:
            if self._wanted.private and not info.private:
                self.warnings.append(f"{kind} {repo_id} is public and stays so; make it private in its settings")
            self._plan(kind, repo_id, f"is there, {'private' if info.private else 'public'}")
            return True
        namespace, user = repo_id.split("/")[0], self._me["name"]
        if not tokens.may_create(self._me, namespace):
            raise ValueError(
                f"the {kind} {repo_id} is not there, and this token of {user} cannot make it; log in (`hf auth login`) with a "
                f"token that may write in {namespace}, or choose a name in {' or '.join(sorted(tokens.namespaces(self._me)))}"
            )
        self._plan(
            kind, repo_id, f"create, {'private' if self._wanted.private else 'public'}", partial(self._create, repo)
        )
        return False

    def _create(self, repo: Repo) -> None:
        kind, repo_id = repo
        space: dict[str, Any] = {}
        if kind == "space":
            space = {"space_sdk": "gradio"}
            if self._hardware != FREE_HARDWARE:
                space["space_hardware"] = SpaceHardware(self._hardware)
        self._api.create_repo(repo_id, repo_type=kind, private=self._wanted.private, exist_ok=True, **space)

    def _plan_space(self) -> None:
        space, hardware = self._wanted.space, self._hardware
        if not self._plan_repository(("space", space)):
            self._plan("hardware", hardware, "comes with the Space")
        elif hardware == self._there.hardware:
            self._plan("hardware", hardware, "unchanged")
        else:
            ask = partial(self._api.request_space_hardware, space, SpaceHardware(hardware))
            self._plan("hardware", hardware, f"{self._there.hardware} -> {hardware}", ask)

    def _plan_variables(self, known: set[str]) -> None:
        for name in self._wanted.variables:
            if name not in known:
                raise ValueError(f"there is no setting {name}; there are {', '.join(sorted(known))}")
        wanted = {
            DATASET: self.dataset,
            MODEL: self.model,
            QUORUM: self._set.get(QUORUM, "2"),
            **self._wanted.variables,
        }
        for name, value in wanted.items():
            before = self._set.get(name)
            if before == value:
                self._plan("variable", name, f"is {value}")
            else:
                do = partial(self._api.add_space_variable, self._wanted.space, name, value)
                self._plan("variable", name, f"{'' if before is None else before + ' -> '}{value}", do)
        for name in sorted(self._set.keys() - wanted.keys()):
            self._plan("variable", name, f"is {self._set[name]}, left alone")

    def _plan_token(self) -> None:
        moved = any(self._set.get(n, v) != v for n, v in ((DATASET, self.dataset), (MODEL, self.model)))
        if token := self._wanted.space_token:
            self._check_token(token)
            if self._there.secrets.get(TOKEN) == self._mark(token):
                self._plan("secret", TOKEN, "is this token already")
            else:
                self._plan(
                    "secret",
                    TOKEN,
                    "replace" if TOKEN in self._there.secrets else "set",
                    partial(self._set_token, token),
                )
        elif TOKEN in self._there.secrets and not moved:
            self._plan("secret", TOKEN, "is set, kept")
        else:
            self._plan("secret", TOKEN, "set, you will be asked for it", self._ask_and_set_token)

    @property
    def needs_a_token(self) -> str | None:
        """How to make the token that is still wanted; None if there is one."""
        if not any(step.do == self._ask_and_set_token for step in self.steps):
            return None
        return HOW_TO_MAKE_ONE.format(endpoint=self._api.endpoint, dataset=self.dataset, model=self.model)

    def _ask_and_set_token(self) -> None:
        if not self._ask or not self.needs_a_token:
            raise ValueError("nobody is there to be asked for the Space's token; give it as HOODWINK_SPACE_TOKEN")
        self._missing = []  # they have been made by now
        said, before = self.needs_a_token, len(self.warnings)
        for _ in range(ASK_TIMES):
            token = self._ask(said)
            try:
                self._check_token(token)
            except (ValueError, HubUnavailable) as error:
                said = f"{error}."
                continue
            self._set_token(token)
            self.late_warnings = self.warnings[before:]
            return
        raise HubUnavailable("no token for the Space that can write its repositories")

    def _set_token(self, token: str) -> None:
        self._api.add_space_secret(self._wanted.space, TOKEN, token, description=self._mark(token))

    def _mark(self, token: str) -> str:
        """What tells later that it is the same token; tokens are long and random, so this gives nothing away."""
        return f"writes {self.dataset} and {self.model}; {hashlib.sha256(token.encode()).hexdigest()[:12]}"

    def _check_token(self, token: str) -> None:
        """Raises ValueError if it cannot write both repositories; a warning if it can do more."""
        with reaching("the Space's token", {401: "the Hub does not know this token; paste the whole of it"}):
            profile = self._api.whoami(token)
        for repo in self._repositories:
            if repo not in self._missing:
                must_be_writable(self._api, repo, token, "the Space's token")
            elif not tokens.may_write(profile, repo):
                raise ValueError(
                    f"the Space's token cannot write {repo[0]} {repo[1]}, which is not there yet; leave the token out and "
                    "run this in a terminal: it makes the repositories, then asks for it"
                )
        if more := tokens.reaches_beyond(profile, self._repositories):
            self.warnings.append(
                f"the Space's token can do more than it must: {more}; better make one for these two alone"
            )

    def _plan_key(self, folder: Path) -> None:
        given, made = self._wanted.annotator_key, folder / "annotator.key"
        if KEY in self._there.secrets:
            self._plan("secret", KEY, "is set, never overwritten: people would lose what they drew")
        elif given:
            self._plan("secret", KEY, "set, as given", partial(self._set_key, given))
        elif made.exists():
            self._plan("secret", KEY, f"set, from {made}", partial(self._set_kept_key, folder))
        elif has_drawings(self._api, self.dataset):
            raise ValueError(
                f"{self.dataset} holds drawings already, and whose they are shows only with the key they were collected with: "
                f"give it by {KEY} (if it is lost for good, a new one: nobody can then withdraw what they drew before)"
            )
        else:
            self._plan("secret", KEY, f"set, random, and kept in {made}", partial(self._set_kept_key, folder))

    def _set_key(self, key: str) -> None:
        self._api.add_space_secret(
            self._wanted.space, KEY, key, description=f"annotators of {self.dataset}; never change it"
        )

    def _set_kept_key(self, folder: Path) -> None:
        self._set_key(kept_key(folder).decode())

    def _plan_code(self, root: Path) -> None:
        ours = files.space_files(root, self._hardware)
        self._plan_variables(files.settings_of(ours))
        delta = files.compare(ours, self._there.files)
        if not delta.upload and not delta.delete:
            self._plan("code", self._wanted.space, f"{delta.unchanged} files unchanged")
            return
        operations = [add(name, content) for name, content in delta.upload.items()]
        commit = partial(
            self._api.create_commit,
            self._wanted.space,
            [*operations, *map(delete, delta.delete)],
            commit_message=f"Hoodwink {files.revision(root)}".strip(),
            repo_type="space",
            parent_commit=self._there.info.sha if self._there.info else None,
        )
        self._plan("code", self._wanted.space, str(delta), commit)
        if left := files.not_in_git(root):
            self.warnings.append(f"{len(left)} files are not in git and are not sent: {', '.join(left[:5])}")

    def _warn(self) -> None:
        if self._wanted.annotator_key and KEY in self._there.secrets:
            self.warnings.append(f"the Space has its annotator key already and keeps it; the one in {KEY} is not used")
        if (
            not self._there.info
            and has_drawings(self._api, self.dataset)
            and self._wanted.variables.get("HOODWINK_AUTO_RETRAIN") != "0"
        ):
            self.warnings.append(
                f"{self.dataset} holds drawings already; if another Space retrains from them, use --collect-only: "
                "only one may close rounds"
            )
