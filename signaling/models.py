"""What the models of requests, answers and messages share."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A model that refuses unknown fields.

    pydantic builds its validator and its serializer at the first use, not at the import: a start needs few of them.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)


def unbuilt(of: type[Model] = Model) -> Iterator[type[Model]]:
    """The models that are not built yet. `model_rebuild` builds one, in a few milliseconds."""
    for model in of.__subclasses__():
        if not model.__pydantic_complete__:
            yield model
        yield from unbuilt(model)
