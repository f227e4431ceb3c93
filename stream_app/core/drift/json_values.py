"""Values of a JSON document that was read again, each of the type that it must have.

Decides that a value of another type is an error, at once: what is restored is believed only as far
as it was looked at.
"""


def mapping(found: object) -> dict[str, object]:
    """An object.

    Raises:
        TypeError: it is another value; so do the others here.
    """
    if not isinstance(found, dict):
        raise TypeError(found)
    return found


def items(found: object) -> list[object]:
    """An array."""
    if not isinstance(found, list):
        raise TypeError(found)
    return found


def text(found: object) -> str:
    """A string."""
    if not isinstance(found, str):
        raise TypeError(found)
    return found


def integer(found: object) -> int:
    """A whole number."""
    if not isinstance(found, int):
        raise TypeError(found)
    return found


def number(found: object) -> float:
    """Any number."""
    if not isinstance(found, float | int):
        raise TypeError(found)
    return float(found)
