import asyncio
import threading

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from signaling.errors import ClientMistake
from signaling.identity.passwords import LONGEST, Passwords
from tests.support.patience import PATIENCE

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def passwords():
    made = Passwords(CHEAP)
    yield made
    made.close()


async def test_rfc_9106_section_4_the_recommended_parameters():
    made = Passwords()
    found = extract_parameters(await made.hash("x"))
    made.close()
    assert (found.type, found.time_cost, found.memory_cost, found.parallelism) == (Type.ID, 3, 65536, 4)


@pytest.mark.parametrize("password", ["x", "sésame 🐉", "a\0b", "\ud800", "x" * LONGEST])
async def test_a_password_is_known_again(passwords, password):
    kept = await passwords.hash(password)
    assert kept.startswith("$argon2id$")
    assert password not in kept or len(password) < 3
    assert await passwords.verify(password, kept)
    assert not await passwords.verify(password + "!", kept)
    assert await passwords.hash(password) != kept


@pytest.mark.parametrize("password", ["", "x" * (LONGEST + 1)])
async def test_what_is_no_password_is_refused(passwords, password):
    with pytest.raises(ClientMistake, match="1 to"):
        await passwords.hash(password)
    assert not await passwords.verify(password, await passwords.hash("x"))


@pytest.mark.parametrize("kept", ["", "plain", "$argon2id$v=19$m=8,t=1,p=1$x$y", "$argon2id$\0", "ü"])
async def test_nothing_matches_what_is_no_hash(passwords, kept):
    assert not await passwords.verify("x", kept)


class Stuck:
    """A hasher that waits until it is let go."""

    def __init__(self):
        self.go = threading.Event()
        self.at_once = 0

    def verify(self, kept, password):
        del kept, password
        self.at_once += 1
        self.go.wait(PATIENCE)
        return True


async def test_so_many_at_once_and_no_more():
    stuck = Stuck()
    made = Passwords(stuck, threads=2, waiting=3)
    asked = [asyncio.create_task(made.verify("x", "y")) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(ClientMistake) as caught:
        await made.verify("x", "y")
    assert (caught.value.code, caught.value.details) == ("overloaded", {"retry_after": 1})
    # A caller that goes away frees no thread.
    asked[0].cancel()
    asked[1].cancel()
    await asyncio.wait(asked[:2])
    with pytest.raises(ClientMistake):
        await made.verify("x", "y")
    assert stuck.at_once <= 2
    stuck.go.set()
    assert await asyncio.gather(*asked[2:]) == [True] * 3
    assert await made.verify("x", "y")
    made.close()
