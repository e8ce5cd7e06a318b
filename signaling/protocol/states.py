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
"""State of a session x event -> next state. An event named like a message type is that message. The others:
`lost`: the connection ended; `taken`: a new connection resumed this session; `replaced`: its own connection resumed
another; `expired`: a time limit passed; `removed`: another party ended it."""

EVENTS = frozenset({"lost", "taken", "replaced", "expired", "removed"})
"""The events that are not messages."""

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
"""State of a participant x event -> next state. `lost` and `returned` are the signaling connection's,
`media_up` and `media_down` the peer connection's."""


def step_session(state: str, event: str) -> str:
    """Return the next state. Raises ClientMistake (`unexpected_message`) for a transition not in the table."""
    try:
        return SESSION[state][event]
    except KeyError:
        raise ClientMistake("unexpected_message", f"{event} is not allowed while {state}") from None


def step_participant(state: str, event: str) -> str:
    """Return the next state. Raises OurMistake for a transition not in the table, as no client can cause it."""
    try:
        return PARTICIPANT[state][event]
    except KeyError:
        raise OurMistake(f"{event} for a participant that is {state}") from None


def mermaid(table: Table) -> str:
    """Return the table as a Mermaid state diagram: one arrow for each pair of states, labelled with its events."""
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(table))}"]
    for state, row in table.items():
        arrows: dict[str, list[str]] = {}
        for event, target in row.items():
            arrows.setdefault(target, []).append(event)
        lines += [f"    {state} --> {target}: {', '.join(events)}" for target, events in arrows.items()]
        if not row:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)
