"""Other paths of the same routes, as similar services name them: one table. Pure.

Each is routed to the same handlers. docs/mapping.md explains the table, and a test compares the two.
"""

ALIASES = {
    "/api/v1/voice-channels": "/api/v1/rooms",
    "/calls": "/api/v1/calls",
}
"""Alias -> path; the rest of the path is the same in both."""


def other_names(path: str) -> tuple[str, ...]:
    """The other paths of what is reached by `path`."""
    return tuple(
        alias + path.removeprefix(ours)
        for alias, ours in ALIASES.items()
        if path == ours or path.startswith(f"{ours}/")
    )
