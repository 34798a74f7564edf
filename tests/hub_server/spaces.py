"""What a Space is set to beside its files."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Setting:
    value: str
    description: str | None
    updated_at: datetime


@dataclass
class Space:
    """A test reads here what a client has set; secrets with their values, which the Hub never answers."""

    sdk: str = "gradio"
    variables: dict[str, Setting] = field(default_factory=dict)
    secrets: dict[str, Setting] = field(default_factory=dict)
    hardware: str = "cpu-basic"
    requested_hardware: str = "cpu-basic"
    sleep_after_seconds: int | None = 48 * 60 * 60
    stage: str = "RUNNING"
    restarts: int = 0
    factory_restarts: int = 0

    def first_readme(self, name: str) -> bytes:
        """The card a new Space starts with."""
        return (
            f"---\ntitle: {name}\nemoji: 🚀\ncolorFrom: blue\ncolorTo: green\nsdk: {self.sdk}\n"
            "app_file: app.py\npinned: false\n---\n"
        ).encode()
