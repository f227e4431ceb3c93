"""Why an event has no answer."""


class RefusedError(Exception):
    """An event that cannot be scored; the message says why and shows no value of it.

    ``certain`` is false where a scorer may have known more, such as a schema that is gone since:
    then neither a prediction nor a dead letter of the event is wrong.
    """

    def __init__(self, reason: str, *, certain: bool = True) -> None:
        super().__init__(reason)
        self.certain = certain
