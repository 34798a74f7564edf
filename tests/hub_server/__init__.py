"""A local server that speaks the Hugging Face Hub's protocol to the unmodified clients.

    with HubServer() as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)  # in this process
        subprocess.run([...], env=os.environ | hub.environment)  # in another, where datasets reads HF_ENDPOINT

Prepare state with `hub.create`, `hub.commit`, `hub.add_token`; look with `hub.files`, `hub.commits`,
`hub.requests`, `hub.everything`, `hub.space`; order faults with `hub.fail` (kinds in faults.py) or
`hub.offline = True`. Leaving the block raises if the server itself made a mistake.
"""

from .hub import Hub, Seen
from .repositories import Commit, Entry, Repository
from .server import HubServer
from .spaces import Setting, Space

__all__ = ["Commit", "Entry", "Hub", "HubServer", "Repository", "Seen", "Setting", "Space"]
