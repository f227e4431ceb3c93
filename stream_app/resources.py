"""Where the files that come with the package are: the Avro schemas and the example.

Decides only where to look: inside the installed package (a wheel), or in the repository around it
(an editable install). Refuses to read them.
"""

from pathlib import Path

from stream_app.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent
_ROOTS = (_PACKAGE / "_data", _PACKAGE.parent)


def schema_path(name: str) -> Path:
    """The file of one of our Avro schemas, such as ``prediction``.

    Raises:
        ConfigError: it is not there.
    """
    return _find(Path("schemas", f"{name}.avsc"))


def example_dir(name: str) -> Path:
    """The folder of an example, such as ``car_loan``.

    Raises:
        ConfigError: it is not there.
    """
    return _find(Path("examples", name))


def _find(relative: Path) -> Path:
    for root in _ROOTS:
        if (root / relative).exists():
            return root / relative
    looked = " and ".join(str(root) for root in _ROOTS)
    raise ConfigError(
        f"{relative} does not come with this installation (looked in {looked}); install "
        "stream-app again from its wheel, or run it from a complete checkout"
    )
