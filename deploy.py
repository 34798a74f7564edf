"""Make or update the Space of a Hoodwink: `python deploy.py USER/NAME`. Nothing is written before it has shown what."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from huggingface_hub import HfApi, SpaceHardware
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flagging.hub import HubUnavailable
from space.plan import DATASET, KEY, MODEL, Plan, Wanted

ROOT = Path(__file__).parent
AUTO_RETRAIN, MAINTAINERS = "HOODWINK_AUTO_RETRAIN", "HOODWINK_MAINTAINERS"
# What --set does not take, and what does instead.
ELSEWHERE = {
    DATASET: "--dataset",
    MODEL: "--model",
    MAINTAINERS: "--maintainer",
    KEY: f"--annotator-key or the environment's {KEY}",
    "HOODWINK_MAINTAINER_TOKEN": "the Space's settings on the Hub: it is a secret, and --set makes what everybody can read",  # nosec B105
}
app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def deploy(
    space: Annotated[str, typer.Argument(metavar="USER/NAME", help="The Space.")],
    dataset: Annotated[
        str | None,
        typer.Option(metavar="USER/NAME", help="Where drawings are published; USER/NAME-drawings if not given."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="USER/NAME", help="Where weights are published; USER/NAME-weights if not given."),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="What is made is private.")] = False,
    hardware: Annotated[
        SpaceHardware | None,
        typer.Option(help="What the Space runs on; without, as it is, or cpu-basic, which is free."),
    ] = None,
    maintainer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USER", help="Who may retrain and roll back beside the owner, once signed in; may be repeated."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Another HOODWINK_ setting of the README; may be repeated."),
    ] = None,
    collect_only: Annotated[
        bool,
        typer.Option(
            "--collect-only", help="Does not retrain by itself: for a second Space that collects into the same dataset."
        ),
    ] = False,
    space_token: Annotated[
        str | None,
        typer.Option(
            envvar="HOODWINK_SPACE_TOKEN",
            help="The Space's own token, which can write the two repositories and nothing else; without, it is asked for.",
        ),
    ] = None,
    annotator_key: Annotated[
        str | None,
        typer.Option(
            envvar=KEY,
            help="The key that tells annotators apart, 16 random characters or more; without, made once and kept for this "
            "dataset. A second Space that collects into it needs the same: with another, everybody would be somebody else "
            "there. A key the Space has is never overwritten.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before writing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and write nothing.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The plan and its result as JSON; needs --yes or --dry-run.")
    ] = False,
) -> None:
    """Make or update a Space, and the dataset and the model repository it publishes to.

    Shows what it would do and asks first. Running it again does only what is missing or has changed.
    """
    show = Console(stderr=as_json, soft_wrap=True)
    try:
        if as_json and not (yes or dry_run):
            raise ValueError("--json asks no questions; add --yes or --dry-run")
        variables = wanted_variables(settings or [], maintainer or [], collect_only)
        wanted = Wanted(
            space,
            dataset,
            model,
            hardware and hardware.value,
            private,
            variables,
            space_token or None,
            annotator_key or None,
        )
        plan = Plan(wanted, HfApi(), ROOT, keys_folder(os.environ), ask_for_token if somebody_is_there() else None)
        show_plan(plan, show)
        if not dry_run and plan.to_do:
            carry_out(plan, show, yes)
    except (ValueError, HubUnavailable, OSError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    state = "nothing to do" if not plan.to_do else "planned" if dry_run else "done"
    if as_json:
        print(json.dumps(described(plan, state)))
    else:
        show_end(plan, state, show)


def wanted_variables(settings: Sequence[str], maintainers: Sequence[str], collect_only: bool) -> dict[str, str]:
    """Raises ValueError for what makes no sense; whether the code knows a name is asked later."""
    variables = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if not value:
            raise ValueError(f"--set got {setting!r}; write NAME=VALUE")
        if name in ELSEWHERE:
            raise ValueError(f"--set does not take {name}; use {ELSEWHERE[name]}")
        variables[name] = value
    if collect_only and variables.setdefault(AUTO_RETRAIN, "0") != "0":
        raise ValueError(f"--collect-only and --set {AUTO_RETRAIN}={variables[AUTO_RETRAIN]} contradict each other")
    if maintainers:
        variables[MAINTAINERS] = ",".join(maintainers)
    if settings:  # torch comes along with this: only where there is something to check
        from flagging.settings import HubSettings
        from retrain.settings import RoundSettings

        RoundSettings.from_environment(variables)
        HubSettings.from_environment({DATASET: "some/dataset", **variables})
    return variables


def keys_folder(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOODWINK_HOME") or "data") / "keys"


def somebody_is_there() -> bool:
    return sys.stdin.isatty()


def ask_for_token(how: str) -> str:
    typer.echo(f"\n{how}\n", err=True)
    return str(typer.prompt("Token (not shown)", hide_input=True, err=True)).strip()


def carry_out(plan: Plan, show: Console, yes: bool) -> None:
    if plan.needs_a_token and not somebody_is_there():
        raise ValueError(
            "the Space needs a token; run this in a terminal, where it makes the repositories and then asks for it, or give "
            f"it as HOODWINK_SPACE_TOKEN. {plan.needs_a_token}"
        )
    if not yes and not typer.confirm("Do this? The Space restarts." if plan.updates else "Do this?", err=True):
        raise ValueError("nothing was written")
    plan.carry_out(lambda line: show.print(escape(line)))
    show_warnings(plan.late_warnings, show)


def show_plan(plan: Plan, show: Console) -> None:
    table = Table("", "", "", title=f"{plan.space} on {plan.endpoint}", show_header=False)
    for step in plan.steps:
        style = "bold green" if step.do else "dim"
        table.add_row(step.what, escape(step.name), escape(step.action), style=style)
    show.print(table)
    show_warnings(plan.warnings, show)


def show_warnings(warnings: Sequence[str], show: Console) -> None:
    for warning in warnings:
        show.print(f"[bold yellow]warning:[/] {escape(warning)}")


def show_end(plan: Plan, state: str, show: Console) -> None:
    if state == "nothing to do":
        show.print(f"Nothing to do: {plan.url} is as it should be.")
    elif state == "planned":
        show.print(f"{len(plan.to_do)} steps; nothing was written.")
    else:
        show.print(f"\nDone. The Space builds now: {plan.url}")
        show.print(
            "Next: open it once it runs, sign in, and look at the Maintain tab; its owner and the maintainers may retrain."
        )
        show.print(
            f"Drawings appear in {plan.endpoint}/datasets/{plan.dataset}, weights in {plan.endpoint}/{plan.model}."
        )


def described(plan: Plan, state: str) -> dict[str, object]:
    steps = [{"what": s.what, "name": s.name, "action": s.action, "to_do": s.do is not None} for s in plan.steps]
    names = {"space": plan.space, "url": plan.url, "dataset": plan.dataset, "model": plan.model}
    return {"state": state, **names, "steps": steps, "warnings": plan.warnings}


if __name__ == "__main__":
    app()
