"""What tests of the media path ask for."""

from collections.abc import AsyncIterator

import pytest

from tests.support.house import MediaHouse, media_house


@pytest.fixture
async def house(quiet_loop: list[object]) -> AsyncIterator[MediaHouse]:
    """A media server on 127.0.0.1; at the end everybody leaves and it closes."""
    async with media_house() as running:
        yield running
