"""The base of every model that checks what YAML or the command line gives, and the one-line errors it raises."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from stages.lib.errors import InputError

#: Ids reach file paths and shell commands: letters, digits, dot, underscore and dash, at most 80 of them.
ID_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79}"
Id = Annotated[str, StringConstraints(pattern=rf"^{ID_PATTERN}\z")]


class Strict(BaseModel):
    """Unknown keys, infinities and NaN are errors; instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def check_model(model: type[Model], content: Any, where: str) -> Model:
    """Validate; raises InputError with one line that names the key, the value and what is allowed."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            allowed = ", ".join(model.model_fields)
            raise InputError(f"{where}: unknown key {key!r}; allowed are {allowed}") from None
        if first["type"] == "missing":
            raise InputError(f"{where}: {key!r} is missing") from None
        shown = repr(first["input"])
        value = f"{key} = {shown if len(shown) <= 200 else shown[:200] + '…'}: " if key else ""
        raise InputError(f"{where}: {value}{first['msg'].removeprefix('Value error, ')}") from None


def check_id(name: Any, what: str) -> str:
    """`name` if it is a plain name; raises InputError, naming `what` it is the id of."""
    import re

    if not isinstance(name, str) or not re.fullmatch(ID_PATTERN, name):
        shown = repr(name if not isinstance(name, str) or len(name) <= 90 else name[:87] + "…")
        allowed = "letters, digits, '.', '_' and '-', at most 80, and does not start with '.' or '-'"
        raise InputError(f"{what} {shown}: an id has {allowed}")
    return name
