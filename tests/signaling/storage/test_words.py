from signaling.identity.grants import RANK
from signaling.identity.names import LONGEST_IDENTITY, LONGEST_NAME
from signaling.storage import words


def test_the_words_are_those_of_the_rest_of_signaling():
    assert set(words.PERSON_ROLES) == set(RANK)
    assert set(words.ROOM_ROLES) == set(RANK) - {"operator"}
    assert words.LEAVE_REASONS
    assert words.NAME_LENGTH == LONGEST_NAME
    assert words.IDENTITY_LENGTH == LONGEST_IDENTITY


def test_room_types_are_those_of_the_field():
    assert set(words.ROOM_TYPES) == {"group", "party", "raid", "guild", "private", "global", "proximity"}
