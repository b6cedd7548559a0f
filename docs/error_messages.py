"""Update the page of error messages after the source: ``python docs/error_messages.py``.

The page `reference/error-messages.md` has one entry for each text with which `mxtvhf` or the plugins
raise an error. The advice below an entry is written by hand and stays; that of a reworded message goes to
the most similar new one. `tests/project/test_error_messages.py` compares page and source.
"""

from __future__ import annotations

import ast
import difflib
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).parent / "reference" / "error-messages.md"

ANY = "…"
"""Stands for the part of a message that differs from case to case, e.g. the name of the input."""

ERRORS = {
    "MxtVhfError",
    "ValueError",  # the cause in a longer message: pydantic's validators raise it
    "HTTPException",
    "AirflowException",
    "AirflowFailException",
    "AirflowSkipException",
}
"""The error classes whose texts a user can meet; their subclasses in the source are found."""

SECTIONS = {
    "Input files and the archive": ["mxtvhf/archive", "mxtvhf/models", "mxtvhf/cli/arguments.py"],
    "Notices": ["mxtvhf/notices", "mxtvhf/sky_notices"],
    "VHF telemetry": ["mxtvhf/telemetry"],
    "Event files, attitude files and on-board files": ["mxtvhf/events"],
    "Calibration, attitude and pointing": ["mxtvhf/instrument"],
    "Catalogues of known sources": ["mxtvhf/catalogues", "mxtvhf/cli/catalogue.py"],
    "Localisation": ["mxtvhf/localisation"],
    "Flux and spectrum": ["mxtvhf/analysis"],
    "Line of sight and visibility": ["mxtvhf/followup", "mxtvhf/cli/followup.py"],
    "Cross-check": ["mxtvhf/crosscheck", "mxtvhf/workflow/steps/crosscheck_positions.py"],
    "Listener and inbox": ["mxtvhf/intake"],
    "Runs in Airflow": ["mxtvhf/workflow", "mxtvhf/cli/runs.py", "plugins/mxtvhf_airflow"],
    "General Program (GP)": [
        "mxtvhf/workflow/gp",
        "mxtvhf/workflow/steps/wait_mxt_gp.py",
        "mxtvhf/simulator/gp",
        *(f"plugins/mxtvhf_airflow/{room}/gp.py" for room in ("hooks", "operators", "sensors", "triggers")),
    ],
    "Replay": [
        "mxtvhf/workflow/replay.py",
        "mxtvhf/workflow/replay_request.py",
        "mxtvhf/cli/replay.py",
        "plugins/mxtvhf_airflow/operators/replay.py",
    ],
    "Announcements": ["mxtvhf/reporting", "plugins/mxtvhf_airflow/operators/decision.py"],
    "NATS messages": ["mxtvhf/reporting/messages", "mxtvhf/cli/messages.py"],
    "Notifications and duty": ["mxtvhf/notification", "mxtvhf/cli/duty.py"],
    "Desk and REST API": ["mxtvhf/desk", "plugins/mxtvhf_airflow/web"],
    "Configuration": ["mxtvhf/settings.py", "mxtvhf/operation/deployment"],
    "Operation, backup and restore": ["mxtvhf/operation", "mxtvhf/cli"],
    "Simulator": ["mxtvhf/simulator"],
}
"""The page's sections, and the files and folders whose messages they hold; the longest path decides."""


Assigned = dict[str, list[ast.expr]]


@dataclass
class Section:
    """A section of the page: its introduction, and the advice below each message."""

    introduction: str = ""
    advice: dict[str, str] = field(default_factory=dict)


def messages() -> dict[str, set[str]]:
    """Return the texts of all errors in the source, by section; what differs from case to case is ANY."""
    sources = [*ROOT.glob("mxtvhf/**/*.py"), *ROOT.glob("plugins/**/*.py")]
    modules = {path: ast.parse(path.read_text()) for path in sources}
    errors = _with_subclasses(list(modules.values()))
    found: dict[str, set[str]] = {heading: set() for heading in SECTIONS}
    for path, module in modules.items():
        texts = {text for text in raised(module, errors) if re.search("[A-Za-z]{2}", text)}
        if texts:
            found[_section(path.relative_to(ROOT).as_posix())] |= texts
    return found


def read_page() -> tuple[str, dict[str, Section]]:
    """Return what the page says before its first section, and its sections."""
    head, *parts = re.split("^## ", PAGE.read_text(), flags=re.MULTILINE)
    sections = {}
    for part in parts:
        heading, _, text = part.partition("\n")
        introduction, *entries = re.split(r"^- (?=`)", text, flags=re.MULTILINE)
        section = sections[heading] = Section(introduction.strip())
        for entry in entries:
            first, _, advice = entry.partition("\n")
            section.advice[re.sub("^(`+)(.+)\\1$", r"\2", first)] = advice.strip()
    return head.strip(), sections


def update() -> None:
    """Write the page with the messages of the source, and print what was added and removed."""
    head, old = read_page()
    parts = [head]
    for heading, texts in messages().items():
        before = old.get(heading, Section())
        advice = {text: before.advice.get(text, "") for text in texts}
        added = sorted(texts - before.advice.keys())
        for gone in sorted(before.advice.keys() - texts):
            print(f"{heading}: removed {gone!r}")
            if before.advice[gone]:
                similar = difflib.get_close_matches(gone, added, n=1)
                print(f"  its advice {f'goes to {similar[0]!r}' if similar else 'is dropped'}")
                advice.update(dict.fromkeys(similar, before.advice[gone]))
        for text in added:
            print(f"{heading}: added {text!r}")
        entries = (_entry(text, advice[text]) for text in sorted(texts, key=_first_words))
        parts.append("\n\n".join(filter(None, [f"## {heading}", before.introduction, "\n".join(entries)])))
    PAGE.write_text("\n\n".join(parts) + "\n")


def _entry(text: str, advice: str) -> str:
    quote = "``" if "`" in text else "`"
    return f"- {quote}{text}{quote}" + (f"\n  {advice}" if advice else "")


def _first_words(text: str) -> tuple[str, str]:
    """Return the words by which an entry is sorted, and its text, which decides between equal words."""
    return re.sub("[^a-z0-9]+", " ", text.lower()).strip(), text


def _section(path: str) -> str:
    roots = [(root, heading) for heading, roots in SECTIONS.items() for root in roots]
    fitting = [(root, heading) for root, heading in roots if path == root or path.startswith(root + "/")]
    if not fitting:
        raise SystemExit(f"{path}: raises errors, but belongs to no section; add it to SECTIONS")
    return max(fitting, key=lambda pair: len(pair[0]))[1]


def _with_subclasses(modules: list[ast.Module]) -> set[str]:
    classes = [node for module in modules for node in module.body if isinstance(node, ast.ClassDef)]
    errors = set(ERRORS)
    while found := {c.name for c in classes if {_name(base) for base in c.bases} & errors} - errors:
        errors |= found
    return errors


def raised(module: ast.Module, errors: set[str]) -> Iterator[str]:
    """Yield the texts of the errors that a module makes, whether it raises or returns them."""
    constants = _assigned(module.body)
    functions = [n for n in ast.walk(module) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for scope in [module, *functions]:
        nodes = list(_own(scope))
        local = constants if scope is module else _assigned(nodes)
        for node in nodes:
            match node:
                case ast.Call(func=made) as call if _name(made) in errors:
                    arguments = _message(call)
                case ast.Raise(exc=ast.Call(func=made) as call) if _name(made).islower():
                    arguments = _message(call)  # a function that makes the error: `raise given_up(text)`
                case _:
                    continue
            for argument in arguments:
                for text in _texts(argument, local, constants):
                    yield re.sub(rf"{ANY}+", ANY, " ".join(text.split()))


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a module or function without those of the functions within."""
    nodes = [*ast.iter_child_nodes(scope)]
    while nodes:
        node = nodes.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            nodes.extend(ast.iter_child_nodes(node))


def _assigned(nodes: Iterable[ast.AST]) -> Assigned:
    """Return the values that are given to each name."""
    values: Assigned = {}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value):
                values.setdefault(name, []).append(value)
            case ast.AugAssign(target=ast.Name(id=name), value=ast.expr() as value):
                values.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                values.setdefault(name, []).append(value)
    return values


def _message(call: ast.Call) -> list[ast.expr]:
    """Return the argument with the text: the first, of an HTTPException the one after the status."""
    detail = [keyword.value for keyword in call.keywords if keyword.arg == "detail"]
    place = 1 if _name(call.func) == "HTTPException" else 0
    return detail or call.args[place : place + 1]


def _texts(value: ast.expr, local: Assigned, constants: Assigned) -> list[str]:
    """Return the texts that an expression can have."""
    match value:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            choices = [_texts(part, local, constants) for part in parts]
            return ["".join(choice) for choice in itertools.product(*choices)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            pairs = itertools.product(_texts(left, local, constants), _texts(right, local, constants))
            return ["".join(pair) for pair in pairs]
        case ast.IfExp(body=yes, orelse=no):
            return _texts(yes, local, constants) + _texts(no, local, constants)
        case ast.Call(func=ast.Attribute(value=ast.JoinedStr() as text, attr="rstrip")):
            return _texts(text, local, constants)
        case ast.FormattedValue(value=ast.Name(id=name)) if name in constants:
            return [text for given in constants[name] for text in _texts(given, {}, {})]
        case ast.Name(id=name) if name in local:
            return [text for given in local[name] for text in _texts(given, {}, constants)]
    return [ANY]


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


if __name__ == "__main__":
    update()
