"""A form from a recipe's fields, and back: the recipe is the one definition of a job's settings."""

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, Literal, TypedDict, TypeVar, get_args, get_origin

import gradio as gr
import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from engine.core import recipe as recipes
from engine.core.errors import UserError
from engine.core.json_object import JsonObject
from engine.core.recipe import Recipe, TrainRecipe
from engine.core.yaml_values import read_yaml
from engine.services import registered_plugins

R = TypeVar("R", bound=Recipe)

LABELS = {
    "model": "Start from",
    "dataset": "Train on",
    "reward": "Reward",
    "tuning": "Fine-tuning",
    "early_stopping_patience": "Early stopping patience",
    "keep_best": "Keep the best checkpoint",
    "samples": "Sample answers",
    "evaluate_after": "Evaluate afterwards",
    "num_generations": "Answers per prompt",
    "max_completion_length": "Longest answer, in tokens",
    "num_train_epochs": "Epochs",
    "max_steps": "Maximum steps",
    "per_device_train_batch_size": "Batch size",
    "max_length": "Longest row, in tokens",
    "num_evals": "Held-out measurements",
    "trackers": "Experiment trackers",
    "replay_rows": "Replayed examples in each batch",
    "replay_weight": "Weight of replayed examples",
    "replay_dataset": "Dataset of replayed examples",
    "lora": "LoRA options",
    "trl": "Trainer options",
}
AS_LIBRARY = "library default"
EMPTY = {
    "max_steps": "no limit",
    "early_stopping_patience": "never",
    "replay_dataset": "that of the start model",
}  # where left empty
INSTALLED = {
    "trackers": registered_plugins.trackers_installed
}  # names of plug-ins: those that can be had here
CHOSEN = ("model", "dataset", "reward")  # ids and names: their choices come from the services
OPTIONAL = ("replay_dataset",)  # the same, but empty stands for the default
OFFERED = (*CHOSEN, *OPTIONAL)


FormValue = str | bool | int | float | list[str]


class BoxWords(TypedDict, total=False):
    """What a box is called, its id on the page, and the help below it."""

    label: str
    elem_id: str
    info: str


def names(
    recipe: type[Recipe], only: Sequence[str] | None = None, skip: Sequence[str] = ()
) -> list[str]:
    """The fields of a form, in the recipe's order."""
    return [n for n in recipe.model_fields if n not in skip and (only is None or n in only)]


def boxes_of_yaml(recipe: type[Recipe]) -> list[str]:
    """The fields that hold a library's own options; they take more room than the others."""
    return [n for n, f in recipe.model_fields.items() if get_origin(_type(f)[0]) is dict]


def build(
    recipe: type[Recipe],
    only: Sequence[str] | None = None,
    skip: Sequence[str] = (),
    prefix: str = "",
) -> list[gr.components.Component]:
    """One component for each of `names`, made in the layout that is open; ids start with prefix."""
    return [
        _component(name, recipe.model_fields[name], f"{prefix or recipe.KIND}-{name}")
        for name in names(recipe, only, skip)
    ]


def read(recipe: type[R], values: Mapping[str, Any]) -> R:
    """The recipe that a filled form means; an emptied field is the recipe's default."""
    given: dict[str, object] = {}
    for name, value in values.items():
        kept = _kept(name, recipe.model_fields[name], value)
        if kept is not None:
            given[name] = kept
    return recipes.read_exact(recipe, given)


def filled(recipe: Recipe) -> dict[str, FormValue]:
    """What the form holds that means `recipe`, by field."""
    return {
        name: _filled(name, field, getattr(recipe, name))
        for name, field in type(recipe).model_fields.items()
    }


def as_yaml(recipe: Recipe, **shown: str) -> str:
    """The recipe as YAML for `tuneloop training start`; `shown` holds names for ids."""
    values = {"kind": recipe.KIND, **recipe.model_dump(mode="json", exclude_none=True), **shown}
    if isinstance(recipe, TrainRecipe):  # a default that the form does not have is taken away
        default = _default(type(recipe).model_fields["lora"])
        values["lora"] = {**dict.fromkeys(default), **recipe.lora}
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def label(name: str) -> str:
    """What a field is called in the form."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def _component(name: str, field: FieldInfo, elem_id: str) -> gr.components.Component:
    base, optional = _type(field)
    shared: BoxWords = {"label": label(name), "elem_id": elem_id}
    info: BoxWords = {"info": field.description or "", **shared}
    default = _default(field)
    if name in OFFERED:
        first = [(EMPTY[name], "")] if name in OPTIONAL else []
        return gr.Dropdown(first, value="" if first else None, min_width=270, **info)
    if get_origin(base) is Literal:
        choices = [(AS_LIBRARY, ""), *get_args(base)] if optional else get_args(base)
        return gr.Dropdown(list(choices), value=default or ("" if optional else choices[0]), **info)
    if base is bool:
        return gr.Checkbox(bool(default), **info)
    if base in (int, float) and not optional:
        return _number(base, field, default, info)
    if get_origin(base) is dict:
        return _yaml_box(default, field, shared)
    if name in INSTALLED:
        return _plug_ins(name, INSTALLED[name](), default, info)
    if get_origin(base) is list:
        return _several(base, optional, default, info)
    # an optional number too: a number box that was left empty comes back as 0
    empty = EMPTY.get(name, AS_LIBRARY) if optional else None
    return gr.Textbox(str(default or ""), placeholder=empty, **info)


def _filled(name: str, field: FieldInfo, value: Any) -> FormValue:
    base, optional = _type(field)
    if name in INSTALLED:
        return [each for each in value if each in INSTALLED[name]()]
    if get_origin(base) is dict:
        return _yaml(value)
    if get_origin(base) is list:
        written = get_origin(get_args(base)[0]) is not Literal
        return ", ".join(map(str, value or [])) if written else list(value or [])
    if base in (int, float) and optional:
        return "" if value is None else str(value)
    filled_in: FormValue = "" if value is None else value
    return filled_in


def _number(base: type, field: FieldInfo, default: Any, info: BoxWords) -> gr.Number:
    """A box without limits of its own: its error would not name the field, the recipe's does."""
    whole = base is int
    info["info"] += _limits(field)
    return gr.Number(
        default, precision=0 if whole else None, step=1 if whole else _step(default), **info
    )


def _several(base: Any, optional: bool, default: Any, info: BoxWords) -> gr.components.Component:
    (item,) = get_args(base)
    if get_origin(item) is Literal:
        return gr.Dropdown(list(get_args(item)), value=default, multiselect=True, **info)
    text = ", ".join(map(str, default or []))
    return gr.Textbox(text, placeholder=AS_LIBRARY if optional else None, **info)


def _plug_ins(
    family: str, found: list[str], default: Any, info: BoxWords
) -> gr.components.Component:
    """A choice among the plug-ins that can be had here; where there is none it says what to do."""
    if not found:
        all_of = " or ".join(registered_plugins.names(family))
        info["info"] += f". Not possible yet: none of them is installed here ({all_of})"
    return gr.Dropdown(found, value=default, multiselect=True, interactive=bool(found), **info)


def _yaml(value: Any) -> str:
    return yaml.safe_dump(to_jsonable_python(value), sort_keys=False) if value else ""


def _yaml_box(default: Any, field: FieldInfo, shared: BoxWords) -> gr.Code:
    text = _yaml(default)
    shared["label"] = f"{field.description or shared['label']} (YAML)"  # a box of code has no info
    return gr.Code(
        text, language="yaml", lines=4, max_lines=12, interactive=True, min_width=300, **shared
    )


def _step(default: Any) -> float:
    """The arrows of a number box change its last digit but one: 0.0002 by 0.00001."""
    return float(f"1e{int(f'{default:e}'.split('e')[1]) - 1}") if default else 0.1


def largest(field: FieldInfo) -> int:
    """The largest value of a number field, or the most entries of a list field."""
    for rule in field.metadata:
        if isinstance(rule, Le):
            return int(rule.le)  # type: ignore[call-overload]
        if isinstance(rule, MaxLen):
            return rule.max_length
    raise ValueError("The field has no upper limit.")


def _limits(field: FieldInfo) -> str:
    """The smallest and largest value in words: " (1 to 512)", " (above 0, up to 1)"."""
    words = []
    for rule in field.metadata:
        match rule:
            case Ge(ge=value):
                words.append(f"from {value}")
            case Gt(gt=value):
                words.append(f"above {value}")
            case Le(le=value):
                words.append(f"up to {value:,}")
            case Lt(lt=value):
                words.append(f"below {value:,}")
    return f" ({', '.join(words)})" if words else ""


def _type(field: FieldInfo) -> tuple[Any, bool]:
    """The type without None, and whether None was in it."""
    parts = get_args(field.annotation)
    if NoneType not in parts:
        return field.annotation, False
    (base,) = (part for part in parts if part is not NoneType)
    return base, True


def _default(field: FieldInfo) -> Any:
    found = field.get_default(call_default_factory=True)
    return None if found is PydanticUndefined else found


def _kept(name: str, field: FieldInfo, value: Any) -> Any:
    base, _ = _type(field)
    if get_origin(base) is dict:
        return _mapping(name, value or "")
    if get_origin(base) is list and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()] or None
    if isinstance(value, str):
        return value.strip() or None
    return value


def _mapping(name: str, text: str) -> JsonObject:
    try:
        parsed = read_yaml(text)
    except yaml.YAMLError as error:
        raise UserError(
            f"{label(name)}: {_where(error)}", "Write one option a line, such as r: 16."
        ) from None
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise UserError(
            f"{label(name)}: this is not a list of options.",
            "Write one option a line, such as r: 16.",
        )
    return {str(key): value for key, value in parsed.items()}


def _where(error: yaml.YAMLError) -> str:
    """The line and what is wrong there, without the parser's inner words."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1} is not YAML: {error.problem}."
    return "this is not YAML."
