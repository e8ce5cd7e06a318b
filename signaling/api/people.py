"""Routes of participants, their history, and calls. Handlers only: `permissions` decides who may act."""

from aiohttp import web

from signaling.api.people_models import (
    CallsPage,
    CallView,
    HistoryPage,
    HistoryQuery,
    LiveView,
    MediaSessionsPage,
    MediaSessionView,
    PageQuery,
    ParticipantsPage,
    PresenceView,
)
from signaling.call import media
from signaling.http import bearer
from signaling.http.app_keys import DATABASE, GATEWAY
from signaling.http.bearer import asker_of, enter
from signaling.http.problems import read_query, refuse
from signaling.http.routes import Route, json_answer
from signaling.identity.permissions import in_room, may
from signaling.storage import calls, media_sessions, rooms
from signaling.storage.pages import PageRequest

_ROOM = "/api/v1/rooms/{id}"


async def participants(request: web.Request) -> web.StreamResponse:
    """List the participants, from the live rooms."""
    await enter(request, "participant.list")
    room_id = request.match_info["id"]
    people = request.app[GATEWAY].conversation.people(room_id)
    return json_answer(ParticipantsPage.of(people, room_id, read_query(request, PageQuery)))


async def live(request: web.Request) -> web.StreamResponse:
    """Who speaks in a room and what each participant sends, as the media server reads it now."""
    await enter(request, "room.watch")
    return json_answer(LiveView.of(media.live(request.app[GATEWAY].conversation, request.match_info["id"])))


async def past_participants(request: web.Request) -> web.StreamResponse:
    """List past and present participants."""
    asker, _ = await enter(request, "participant.history")
    query, room_id = read_query(request, HistoryQuery), request.match_info["id"]
    async with request.app[DATABASE].reading() as connection:
        page = await calls.past_people(connection, query.wanted(room_id), PageRequest(query.limit, query.cursor))
    full = may(asker.holder, "audit.read", room=room_id)
    return json_answer(
        HistoryPage(items=[PresenceView.of(one, full=full) for one in page.items], next_cursor=page.next_cursor)
    )


async def media_sessions_of(request: web.Request) -> web.StreamResponse:
    """List the peer connections of a participant."""
    asker, _ = await enter(request, "participant.history")
    room_id, participant_id = request.match_info["id"], request.match_info["participant"]
    async with request.app[DATABASE].reading() as connection:
        person = await calls.find_person(connection, participant_id)
        if person is None or person.room_id != room_id:
            refuse("no_such_participant")
        found = await media_sessions.of_participant(connection, participant_id)
    full = may(asker.holder, "audit.read", room=room_id)
    return json_answer(MediaSessionsPage(items=[MediaSessionView.of(one, full=full) for one in found]))


async def past_calls(request: web.Request) -> web.StreamResponse:
    """List the calls of a room, also of a deleted one."""
    await enter(request, "participant.history")
    query = read_query(request, PageQuery)
    async with request.app[DATABASE].reading() as connection:
        page = await calls.past_calls(connection, request.match_info["id"], PageRequest(query.limit, query.cursor))
    return json_answer(CallsPage(items=[CallView.of(one) for one in page.items], next_cursor=page.next_cursor))


async def one_call(request: web.Request) -> web.StreamResponse:
    """Read a call. An asker who may not list all rooms does not learn whether the id exists."""
    asker = await asker_of(request)
    async with request.app[DATABASE].reading() as connection:
        call = await calls.find(connection, request.match_info["id"])
        room = None if call is None else await rooms.find(connection, call.room_id)
    if call is None:
        refuse("not_found" if may(asker.holder, "room.list") else "forbidden")
    there = asker if room is None else in_room(asker, room.id, room.owner)
    if not may(there.holder, "participant.history", room=call.room_id):
        refuse("forbidden")
    return json_answer(CallView.of(call))


_ERRORS = (*bearer.ERRORS, "storage_unavailable")
_WAS, _CALLS = "List past and present participants of a room.", "List the calls of a room."
_MEDIA = "List the peer connections of a participant."
_WHO = f"{_ROOM}/participants"
ROUTES = (
    Route(
        "GET", _WHO, participants, "List the participants in a room.", {200: ParticipantsPage}, None, PageQuery, _ERRORS
    ),
    Route("GET", f"{_ROOM}/live", live, "Watch a room live.", {200: LiveView}, errors=_ERRORS),
    Route("GET", f"{_WHO}/history", past_participants, _WAS, {200: HistoryPage}, None, HistoryQuery, _ERRORS),
    Route(
        "GET",
        f"{_WHO}/{{participant}}/media-sessions",
        media_sessions_of,
        _MEDIA,
        {200: MediaSessionsPage},
        errors=(*_ERRORS, "no_such_participant"),
    ),
    Route("GET", f"{_ROOM}/calls", past_calls, _CALLS, {200: CallsPage}, None, PageQuery, _ERRORS),
    Route("GET", "/api/v1/calls/{id}", one_call, "See a call.", {200: CallView}, errors=(*_ERRORS, "not_found")),
)
