"""`parley room`: manages rooms directly in the database, with or without a running server."""

from datetime import datetime
from typing import Annotated

import typer

from signaling.api.room_models import RoomView
from signaling.cli.command_line import ConfigFlag, DataDirFlag, JsonFlag, SetFlag, settings_of, telling_refusals
from signaling.cli.database import do
from signaling.cli.live import room_participants
from signaling.clock import SYSTEM_CHANCE, SYSTEM_CLOCK
from signaling.history.rooms import delete_room, make_room
from signaling.identity.names import clean_title
from signaling.settings.settings import Settings
from signaling.storage import rooms
from signaling.storage.database import Database
from signaling.storage.pages import MOST, PageRequest
from signaling.storage.room_record import Room, RoomFields

room_app = typer.Typer(
    help="Stored rooms, in the database, with or without a running server; participants of a running server.",
    no_args_is_help=True,
)
room_app.command("participants")(room_participants)


def create(settings: Settings, chosen: RoomFields, room_id: str | None, utc: datetime) -> RoomView:
    """Make a room; what it is. Raises Refusal."""

    async def work(database: Database) -> Room:
        async with database.transaction() as connection:
            return await make_room(connection, chosen, rooms.Creation(None, utc, SYSTEM_CHANCE, room_id))

    return RoomView.of(do(settings, work))


def delete(settings: Settings, room_id: str, utc: datetime) -> RoomView:
    """Delete a room and return it. A running server is not notified: its participants stay. Raises Refusal."""

    async def work(database: Database) -> Room:
        async with database.transaction() as connection:
            return await delete_room(connection, room_id, None, by=None, utc=utc, random=SYSTEM_CHANCE)

    return RoomView.of(do(settings, work))


def listing(settings: Settings, search: str | None = None) -> list[RoomView]:
    """All rooms, or those whose name contains `search`; the newest first. Raises Refusal."""

    async def work(database: Database) -> list[Room]:
        found: list[Room] = []
        request = PageRequest(MOST)
        while True:
            async with database.reading() as connection:
                page = await rooms.page(connection, rooms.RoomFilter(search=search), request)
            found += page.items
            if page.next_cursor is None:
                return found
            request = PageRequest(MOST, page.next_cursor)

    return [RoomView.of(room) for room in do(settings, work)]


@room_app.command("list")
@telling_refusals
def room_list(
    *,
    search: Annotated[str | None, typer.Option(help="Text that the name contains.", show_default=False)] = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List the stored rooms, newest first."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    for row in listing(settings, search):
        typer.echo(row.model_dump_json() if as_json else row.as_text())


@room_app.command("create")
@telling_refusals
def room_create(
    *,
    name: Annotated[str, typer.Option(help="The name shown to participants.")],
    room: Annotated[
        str | None, typer.Option(help="The id of the room. Default: Parley makes one.", show_default=False)
    ] = None,
    owner: Annotated[str | None, typer.Option(help="The identity of the owner.", show_default=False)] = None,
    max_participants: Annotated[int, typer.Option(help="Maximum number of participants.")] = 200,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a room."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    chosen = RoomFields(name=clean_title(name), owner=owner, max_participants=max_participants)
    made = create(settings, chosen, room, SYSTEM_CLOCK.utc())
    typer.echo(made.model_dump_json() if as_json else made.as_text())


@room_app.command("delete")
@telling_refusals
def room_delete(
    *,
    room: Annotated[str, typer.Argument(help="Its id.")],
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Delete a room with its bans and invites; the call history stays."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    deleted = delete(settings, room, SYSTEM_CLOCK.utc())
    typer.echo(deleted.model_dump_json() if as_json else deleted.as_text())
