"""State tables of sessions and participants: which messages and events each state allows. Pure.

`step_session` and `step_participant` are the only readers; `mermaid` draws the manual's diagrams from the same tables.
"""

from collections.abc import Mapping

from signaling.errors import ClientMistake, OurMistake

Table = Mapping[str, Mapping[str, str]]

_IN_ROOM = (
    "offer",
    "ice-candidate",
    "mute",
    "unmute",
    "deafen",
    "undeafen",
    "hold",
    "unhold",
    "dtmf",
    "participants",
    "message",
    "signal",
    "moderate",
    "ping",
)

SESSION: Table = {
    "opened": {
        "ping": "opened",
        "auth": "authenticated",
        "resume": "opened",
        "lost": "closed",
        "expired": "closed",
        "replaced": "closed",
    },
    "authenticated": {
        "ping": "authenticated",
        "join": "joined",
        "resume": "authenticated",
        "lost": "closed",
        "replaced": "closed",
        "removed": "closed",
    },
    "joined": {
        **dict.fromkeys(_IN_ROOM, "joined"),
        "leave": "authenticated",
        "taken": "joined",
        "lost": "away",
        "removed": "closed",
    },
    "away": {"taken": "joined", "expired": "closed", "removed": "closed"},
    "closed": {},
}
"""State of a session x what comes -> next state. Names with a message type are that message; the others happen to it:
`lost` the connection ended, `taken` a new connection resumed this session, `replaced` its own connection resumed
another, `expired` a time limit passed, `removed` somebody else ended it."""

EVENTS = frozenset({"lost", "taken", "replaced", "expired", "removed"})
"""What is not a message."""

PARTICIPANT: Table = {
    "joining": {"admitted": "joined", "left": "disconnected"},
    "joined": {"media_up": "active", "media_down": "joined", "lost": "reconnecting", "left": "disconnected"},
    "active": {
        "media_up": "active",
        "media_down": "reconnecting",
        "lost": "reconnecting",
        "left": "disconnected",
    },
    "reconnecting": {
        "media_up": "active",
        "media_down": "reconnecting",
        "lost": "reconnecting",
        "returned": "joined",
        "left": "disconnected",
    },
    "disconnected": {},
}
"""State of a participant x what happens -> next state. `lost` and `returned` are the signaling connection's,
`media_up` and `media_down` the peer connection's."""


def step_session(state: str, event: str) -> str:
    """The next state. Raises ClientMistake (`unexpected_message`) for what the table does not have."""
    try:
        return SESSION[state][event]
    except KeyError:
        raise ClientMistake("unexpected_message", f"{event} is not allowed while {state}") from None


def step_participant(state: str, event: str) -> str:
    """The next state. Raises OurMistake for what the table does not have, as no client can cause it."""
    try:
        return PARTICIPANT[state][event]
    except KeyError:
        raise OurMistake(f"{event} for a participant that is {state}") from None


def mermaid(table: Table) -> str:
    """The table as a Mermaid state diagram: one arrow for each pair of states, with what leads along it."""
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(table))}"]
    for state, row in table.items():
        arrows: dict[str, list[str]] = {}
        for event, target in row.items():
            arrows.setdefault(target, []).append(event)
        lines += [f"    {state} --> {target}: {', '.join(events)}" for target, events in arrows.items()]
        if not row:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)
