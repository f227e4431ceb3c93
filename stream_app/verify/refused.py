"""Why an event has no answer, and how far it got."""

from stream_app.verify.codes import Place


class RefusedError(Exception):
    """An event that cannot be scored; the message says why and shows no value of it.

    ``certain`` is false where a scorer may have known more, such as a schema that is gone since:
    then neither a prediction nor a dead letter of the event is wrong. ``place`` is how far it got.
    """

    def __init__(self, reason: str, *, certain: bool = True, place: Place = Place.VALUES) -> None:
        super().__init__(reason)
        self.certain = certain
        self.place = place
