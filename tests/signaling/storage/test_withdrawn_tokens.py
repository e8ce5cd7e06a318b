from signaling.storage import withdrawn_tokens
from signaling.storage.withdrawn_tokens import WithdrawnToken
from tests.signaling.storage.samples import at


async def test_a_token_is_known_until_it_would_have_expired(database):
    short, long = (WithdrawnToken(token_hash=letter * 64, until=at(until)) for letter, until in (("a", 60), ("b", 90)))
    async with database.transaction() as connection:
        assert [await withdrawn_tokens.add(connection, one) for one in (long, short, short)] == [True, True, False]

        async def known(seconds):
            return [one async for one in withdrawn_tokens.holding(connection, at(seconds))]

        assert await known(59) == [short, long]
        assert await withdrawn_tokens.tally(connection) == 2
        assert await known(60) == [long]
        assert await withdrawn_tokens.forget(connection, at(60)) == 1
        assert await withdrawn_tokens.forget(connection, at(60)) == 0
        assert await known(0) == [long]
