"""The rules of the house that a machine can see. Each exception stands here by name, with its reason.

A rule that finds nothing to look at passes; an exception that is no longer needed fails, so that the lists stay true.
"""

import ast
import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("quality", "sfu", "recorder", "signaling")
"""From the bottom up; one that does not exist yet has no modules."""

SHELLS = {
    "sfu/addresses.py": "lists the machine's network interfaces",
    "sfu/connection.py": "an engine with its DTLS transport; draws its credentials",
    "sfu/dtls.py": "drives aiortc's DTLS transport",
    "sfu/dtls_transport.py": "aiortc's DTLS transport itself",
    "sfu/mmsg.py": "recvmmsg and sendmmsg through cffi",
    "sfu/server.py": "the loop, the timers and the sockets of the media server",
    "sfu/srtp.py": "libsrtp",
    "sfu/udp.py": "the sockets of the media port",
    "signaling/http/app_keys.py": "aiohttp's typed keys of what the application holds",
    "signaling/app.py": "composes the server: aiohttp application and its cleanup contexts",
    "signaling/cli/main.py": "the command line",
    "signaling/clock.py": "the one place where signaling draws chance",
    "signaling/identity/signing_secrets.py": "keeps the secrets that the server makes in their folder",
    "signaling/identity/jwks_source.py": "reads the key set of another issuer from a file or URL",
    "signaling/cli/doctor.py": "looks at the machine: ports, buffers, clock",
    "signaling/carriers/gateway.py": "the tasks and queues behind /ws",
    "signaling/api/config.py": "aiohttp handlers of the API",
    "signaling/http/bearer.py": "reads a header of aiohttp's request",
    "signaling/api/rooms.py": "aiohttp handlers of rooms",
    "signaling/api/tokens.py": "aiohttp handlers of tokens",
    "signaling/api/people.py": "aiohttp handlers of participants and calls",
    "signaling/api/moderation.py": "aiohttp handlers of moderation, bans and the trail",
    "signaling/api/keys.py": "aiohttp handlers of API keys",
    "signaling/cli/server_client.py": "asks a running server over HTTP",
    "signaling/api/messages.py": "aiohttp handlers of the messages that rooms keep",
    "signaling/api/invites.py": "aiohttp handlers of invites",
    "signaling/history/room_sweeper.py": "sweeps up after temporary rooms on a timer",
    "signaling/http/probes.py": "aiohttp handlers of what /ready leaves out",
    "signaling/api/plain_http.py": "aiohttp's requests and event streams as a carrier",
    "signaling/api/whip.py": "aiohttp handlers of WHIP and WHEP",
    "signaling/http/files.py": "serves the page from memory",
    "signaling/http/headers.py": "an aiohttp middleware",
    "signaling/http/limits.py": "an aiohttp middleware",
    "signaling/http/problems.py": "makes aiohttp answers of errors",
    "signaling/http/routes.py": "which aiohttp handler answers which path",
    "signaling/operating/listening.py": "binds the HTTP sockets",
    "signaling/operating/log.py": "configures logging and writes lines",
    "signaling/operating/public_address.py": "asks STUN servers",
    "signaling/identity/passwords.py": "argon2 in threads of its own",
    "signaling/cli/database.py": "runs the questions of `parley db` on a loop",
    "signaling/cli/invite.py": "runs the questions of `parley invite` on a loop",
    "signaling/storage/api_keys.py": "SQL on the connection that it is given",
    "signaling/storage/bans.py": "SQL on the connection that it is given",
    "signaling/storage/calls.py": "SQL on the connection that it is given",
    "signaling/storage/changes.py": "SQL on the connection that it is given",
    "signaling/storage/database.py": "connections, transactions, the file",
    "signaling/storage/invites.py": "SQL on the connection that it is given",
    "signaling/history/writer.py": "the tasks behind what is written while people talk",
    "signaling/storage/media_sessions.py": "SQL on the connection that it is given",
    "signaling/storage/messages.py": "SQL on the connection that it is given",
    "signaling/storage/migrate.py": "runs Alembic",
    "signaling/storage/migrations/env.py": "runs inside Alembic",
    "signaling/storage/migrations/versions/v0001_rooms_and_calls.py": "changes tables",
    "signaling/storage/migrations/versions/v0002_moderation_and_access.py": "changes tables",
    "signaling/storage/migrations/versions/v0003_messages_and_outbox.py": "changes tables",
    "signaling/storage/migrations/versions/v0004_bans_and_withdrawn_tokens.py": "changes tables",
    "signaling/storage/moderation.py": "SQL on the connection that it is given",
    "signaling/storage/outbox.py": "SQL on the connection that it is given",
    "signaling/storage/pages.py": "SQL on the connection that it is given",
    "signaling/storage/rooms.py": "SQL on the connection that it is given",
    "signaling/storage/server_starts.py": "SQL on the connection that it is given",
    "signaling/storage/spool.py": "a file, and a thread for it",
    "signaling/history/rooms.py": "SQL on the connection that it is given",
    "signaling/protocol/schema.py": "writes the JSON Schema into the tree",
    "signaling/settings/settings.py": "the one reader of the environment",
    "signaling/operating/tls.py": "loads certificates and looks whether they changed",
    "signaling/operating/token_keys.py": "reads the files with public keys",
    "signaling/carriers/websocket.py": "aiohttp's WebSocket as a carrier",
    "signaling/api/webhooks.py": "aiohttp handlers of webhooks and events",
    "signaling/storage/deliveries.py": "SQL on the connection that it is given",
    "signaling/storage/migrations/versions/v0005_webhooks.py": "changes tables",
    "signaling/storage/webhooks.py": "SQL on the connection that it is given",
    "signaling/webhooks/courier.py": "the loop that delivers, and its tasks",
    "signaling/webhooks/sender.py": "sends over the network",
}
"""Modules that may do I/O and read clocks. All others are pure."""

IMPURE_IMPORTS = re.compile(
    r"OpenSSL|aiohttp|aioice|aiortc|aiosqlite|alembic|asyncio|asyncpg|av|cffi|concurrent|http|ifaddr|multiprocessing|pylibsrtp"
    r"|redis|select|selectors|shutil|socket|socketserver|sqlalchemy|ssl|subprocess|tempfile|threading|time|typer|uvloop"
)

ALLOWED_IMPORTS = {
    ("signaling/cli/apikey.py", "typer"): "declares commands; what they do is elsewhere",
    ("signaling/cli/config.py", "typer"): "declares commands; what they do is elsewhere",
    ("signaling/cli/room.py", "typer"): "declares commands; what they do is elsewhere",
    ("signaling/cli/token.py", "typer"): "declares commands; what they do is elsewhere",
    ("signaling/cli/command_line.py", "typer"): "declares flags, and says what went wrong",
    ("signaling/cli/invite.py", "typer"): "declares commands; what they do is elsewhere",
    ("signaling/cli/live.py", "typer"): "declares commands; what they do is elsewhere",
    ("signaling/cli/webhook.py", "typer"): "declares commands; what they do is elsewhere",
    ("signaling/storage/access_tables.py", "sqlalchemy"): "declares tables, opens nothing",
    ("signaling/storage/columns.py", "sqlalchemy"): "declares types of columns, opens nothing",
    ("signaling/storage/room_tables.py", "sqlalchemy"): "declares tables, opens nothing",
    ("signaling/storage/webhook_tables.py", "sqlalchemy"): "declares tables, opens nothing",
}
"""(module, what it imports): I/O libraries of which a pure module uses only arithmetic."""

IMPURE_NAMES = re.compile(
    r"(datetime\.)?datetime\.(now|utcnow|today)|date\.today|(loop|get_running_loop\(\))\.time|os\.(urandom|environ|getenv)"
    r"|uuid\.uuid[1457]|secrets\.(?!compare_digest)\w+|random\.(?!Random$)[a-z]\w*|Path\.(cwd|home)"
)
"""Reads of clocks and of chance. A mention is enough: what is handed on is read later."""

IMPURE_CALLS = re.compile(r"open|input|print|.*\.(read|write)_(text|bytes)")

DECLARATIONS = {
    "sfu/participant.py": "a record of the room; tested by way of it",
    "sfu/peer.py": "a record and a protocol; tested by way of the switchboard",
    "signaling/storage/migrations/env.py": "what Alembic runs; tested by way of migrate",
    "signaling/storage/migrations/versions/v0001_rooms_and_calls.py": "a step; tested by way of migrate",
    "signaling/storage/migrations/versions/v0002_moderation_and_access.py": "a step; tested by way of migrate",
    "signaling/storage/migrations/versions/v0003_messages_and_outbox.py": "a step; tested by way of migrate",
    "signaling/storage/migrations/versions/v0004_bans_and_withdrawn_tokens.py": "a step; tested by way of migrate",
    "signaling/storage/migrations/versions/v0005_webhooks.py": "a step; tested by way of migrate",
    "signaling/version.py": "one constant",
}
"""Modules without a test file of their own."""

LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
"""`module:function` over FUNCTION_LINES."""
MANY_ARGUMENTS = {
    "signaling/cli/main.py:doctor": "one argument for each flag",
    "signaling/cli/room.py:room_create": "one argument for each flag",
    "signaling/cli/main.py:serve": "one argument for each flag",
    "signaling/cli/token.py:token_create": "one argument for each flag",
    "signaling/cli/invite.py:invite_create": "one argument for each flag",
    "signaling/cli/webhook.py:webhook_create": "one argument for each flag",
    "signaling/cli/apikey.py:apikey_create": "one argument for each flag",
    "signaling/cli/live.py:_server_flags": "one argument for each flag",
}
"""`module:function` over ARGUMENTS."""
WIDE_CLASSES: dict[str, str] = {}
"""`module:Class` over PUBLIC_METHODS."""

MODULE_LINES = 400
FUNCTION_LINES = 50
ARGUMENTS = 6
PUBLIC_METHODS = 12
PURE_SHARE = 0.6
SDK_BYTES = 12_000
README_LINES = 3
DECISION_LINES = 40

ENVIRONMENT_READER = "signaling/settings/settings.py"

TASK_OWNERS = {
    "sfu/dtls.py": "one handshake each; close() cancels it, wait_closed() awaits it",
    "sfu/server.py": "the ends of handshakes, and the import of aiortc; close() awaits them",
    "signaling/app.py": "watcher of certificates, question for the public address, key set; cleanup contexts end them",
    "signaling/carriers/gateway.py": "the keeper of time limits; close() ends it",
    "signaling/history/writer.py": "the spool and the sign of life; close() ends them",
    "signaling/storage/spool.py": "one write, awaited before the next",
    "signaling/storage/database.py": "one question whether it is there; close() cancels and awaits it",
    "signaling/operating/public_address.py": "one question to each STUN server; awaited before it returns",
    "signaling/carriers/websocket.py": "one writer for each socket; awaited before the handler returns",
    "signaling/webhooks/courier.py": "one for each room that a target is being told of; run() owns and awaits them",
}
"""Modules that may start asyncio tasks, and how each of theirs ends."""

CATCH_ALL = {
    "sfu/listener.py": "one listener of a room: logged and detached, and the room goes on",
    "signaling/call/media.py": "one report from the SFU: logged, and the media goes on",
    "signaling/carriers/gateway.py": "one session's time limit: logged, and the others go on",
    "signaling/http/problems.py": "the root of an HTTP request: logged, answered with 500",
    "signaling/carriers/websocket.py": "the root of a client's session: logged, ended, and no other",
    "signaling/webhooks/courier.py": "the root of one room of one target: logged, and the others go on",
}
"""Modules that may catch Exception: the roots of one client's work, where a mistake of ours must not end a room."""

WAITING_TESTS: dict[str, str] = {}
"""Test files that may sleep: where nothing is to happen in some time, and no clock can be given."""

VAGUE = re.compile(r"(utils?|helpers?|managers?|base|common|misc|core)")
SYNONYMS = re.compile(
    r"\b(?<!slow )(attendees?|conferences?|mountpoints?|downtracks?|producers?|consumers?)\b", re.IGNORECASE
)
RFC = re.compile(r"RFC[ _]?(\d{4,5})", re.IGNORECASE)
PARSER = re.compile(r"(parse|decode|unpack|from_bytes)\w*")
UNFINISHED = re.compile(
    "|".join((r"\bTO" + "DO", r"\bFIX" + "ME", r"\bXX" + "X\\b", r"\bHA" + "CK\\b", "NotImplemented" + "Error"))
)
REGISTRIES = (
    "pypi.org",
    "pythonhosted.org",
    "npmjs.org",
    "npmjs.com",
    "crates.io",
    "deb.debian.org",
    "archive.ubuntu.com",
    "maven.org",
)
MACHINE_PATH = re.compile(r"(?<![\w./-])/(work|root|home/\w+|Users/\w+)/")

SKIPPED_FOLDERS = re.compile(
    r"\..*cache|\.git|\.venv|\.parley|\.hypothesis|__pycache__|.*\.egg-info|data|dist|build|node_modules"
)
TEXT_SUFFIXES = re.compile(r"(\.(py|js|md|toml|html|css|ya?ml|sh|svg|json|txt))?")


# -- what there is --------------------------------------------------------------------------------------------------


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not SKIPPED_FOLDERS.fullmatch(path.name):
                yield from _walk(path)
        else:
            yield path


FILES = [str(path.relative_to(ROOT)) for path in _walk(ROOT) if TEXT_SUFFIXES.fullmatch(path.suffix)]
SOURCES = [name for name in FILES if name.endswith(".py") and name.partition("/")[0] in PACKAGES]
MODULES = [name for name in SOURCES if not name.endswith("__init__.py")]
PURE = [name for name in MODULES if name not in SHELLS]
TESTS = [name for name in FILES if name.endswith(".py") and name.startswith("tests/") and name != "tests/test_house.py"]
BENCHES = [name for name in FILES if name.endswith(".py") and name.startswith("bench/")]
PAGES = [name for name in FILES if name.endswith(".md") and name.startswith("docs/")]
DECISIONS = [name for name in PAGES if name.startswith("docs/decisions/")]


@cache
def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def _tree(name: str) -> ast.Module:
    return ast.parse(_text(name))


def _manual(name: str) -> str:
    """A page of the manual; an absent page says nothing."""
    return _text(name) if (ROOT / name).exists() else ""


@cache
def _by_kind(name: str) -> dict[type[ast.AST], list[Any]]:
    found: dict[type[ast.AST], list[Any]] = {}
    for node in ast.walk(_tree(name)):
        found.setdefault(type(node), []).append(node)
    return found


def _nodes(name: str, *kinds: type[ast.AST]) -> Iterator[Any]:
    return (node for kind in kinds for node in _by_kind(name).get(kind, ()))


def _written(node: ast.AST) -> str:
    """An expression as it stands in the source; names with dots, which most are, without the cost of `unparse`."""
    parts: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    return ".".join([inner.id, *reversed(parts)]) if isinstance(inner, ast.Name) else ast.unparse(node)


def _functions(name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Each function with its name, methods as `Class.method`."""
    owners = {id(item): f"{node.name}." for node in _nodes(name, ast.ClassDef) for item in node.body}
    for node in _nodes(name, ast.FunctionDef, ast.AsyncFunctionDef):
        yield f"{name}:{owners.get(id(node), '')}{node.name}", node


def _imports(name: str) -> Iterator[tuple[int, str]]:
    """(line, module) of each import; those that only the type checker sees are left out."""
    for_types = {
        id(inner)
        for node in _nodes(name, ast.If)
        if ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in _nodes(name, ast.Import, ast.ImportFrom):
        if id(node) not in for_types:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from ((node.lineno, module) for module in names)


@cache
def _calls(name: str) -> list[tuple[int, str]]:
    """(line, callee as written) of each call."""
    return [(node.lineno, _written(node.func)) for node in _nodes(name, ast.Call)]


def _own_test(name: str) -> str:
    package, _, rest = name.partition("/")
    folder, _, file = rest.rpartition("/")
    return "/".join(part for part in ("tests", package, folder, f"test_{file}") if part)


def _none(found: Iterable[object], but: Iterable[str] = ()) -> None:
    """Fail with a line for each thing found but those excepted, and for each exception that was not found."""
    seen, excepted = set(map(str, found)), set(but)
    lines = sorted(seen - excepted) + [f"{name} is excepted and need not be" for name in sorted(excepted - seen)]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)


def _none_in(names: Iterable[str], find: Callable[[str], Iterable[object]]) -> None:
    """Fail with a line for each thing that `find` finds in each of these files."""
    _none(f"{name}: {found}" for name in names for found in find(name))


# -- names, sizes, tests --------------------------------------------------------------------------------------------


def test_each_module_is_tested_in_the_folder_of_its_package() -> None:
    """A test file is for a concept: a module with none of its own is imported by one beside."""
    imported: dict[str, set[str]] = {}
    for name in TESTS:
        for node in _nodes(name, ast.ImportFrom):
            for alias in node.names:
                imported.setdefault(str(Path(name).parent), set()).update(
                    (node.module or "", f"{node.module}.{alias.name}")
                )
    _none(
        (
            name
            for name in MODULES
            if not (ROOT / _own_test(name)).exists()
            and name[:-3].replace("/", ".") not in imported.get(str(Path(_own_test(name)).parent), ())
        ),
        but=DECLARATIONS,
    )


def test_every_test_folder_is_a_package() -> None:
    # Without it `tests/sfu` would stand before the real `sfu` on the import path.
    folders = {str(Path(name).parent) for name in TESTS}
    _none([folder for folder in folders if not (ROOT / folder / "__init__.py").exists()])


def test_file_names_say_what_is_in_them() -> None:
    named = [*SOURCES, *BENCHES, *TESTS]
    vague = [name for name in named if any(VAGUE.fullmatch(part) for part in Path(name).with_suffix("").parts)]
    _none(vague)


def test_one_word_for_one_thing() -> None:
    _none_in(MODULES, lambda module: SYNONYMS.findall(_text(module)))


def test_modules_are_short() -> None:
    long = [name for name in [*SOURCES, *BENCHES] if len(_text(name).splitlines()) > MODULE_LINES]
    _none(long, but=LONG_MODULES)


def test_functions_are_short() -> None:
    long = [
        where
        for name in [*SOURCES, *BENCHES]
        for where, node in _functions(name)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    ]
    _none(long, but=LONG_FUNCTIONS)


def test_functions_take_few_arguments() -> None:
    many = [
        where
        for name in [*SOURCES, *BENCHES]
        for where, node in _functions(name)
        if len([one for one in _arguments(node.args) if one not in ("self", "cls")]) > ARGUMENTS
    ]
    _none(many, but=MANY_ARGUMENTS)


def _arguments(arguments: ast.arguments) -> list[str]:
    return [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def test_classes_are_narrow() -> None:
    wide = [
        f"{name}:{node.name}"
        for name in [*SOURCES, *BENCHES]
        for node in _nodes(name, ast.ClassDef)
        if len({item.name for item in node.body if hasattr(item, "args") and item.name[0] != "_"}) > PUBLIC_METHODS
    ]
    _none(wide, but=WIDE_CLASSES)


def test_nothing_private_is_imported() -> None:
    _none(
        f"{module}, line {node.lineno}: {alias.name}"
        for module in MODULES
        for node in _nodes(module, ast.ImportFrom)
        if (node.module or "").partition(".")[0] in PACKAGES
        for alias in node.names
        if alias.name.startswith("_")
    )


def _arrows() -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports, those that only the type checker sees included."""
    names = {name: name[:-3].replace("/", ".").removesuffix(".__init__") for name in SOURCES}
    arrows: dict[str, set[str]] = {}
    for file, name in names.items():
        arrows[name] = set()
        for node in _nodes(file, ast.Import):
            arrows[name].update(alias.name for alias in node.names)
        for node in _nodes(file, ast.ImportFrom):
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                arrows[name].add(submodule if submodule in names.values() else node.module or "")
        arrows[name] = {target for target in arrows[name] if target in names.values() and target != name}
    return arrows


def test_no_files_import_each_other_in_a_circle() -> None:
    arrows = _arrows()
    on_top = True
    while on_top:  # what nothing imports, or what imports nothing, is in no circle
        imported = {target for targets in arrows.values() for target in targets}
        on_top = {name for name, targets in arrows.items() if not targets & arrows.keys() or name not in imported}
        arrows = {name: targets - on_top for name, targets in arrows.items() if name not in on_top}
    _none(f"{name} -> {', '.join(sorted(targets))}" for name, targets in arrows.items())


def test_the_index_lists_the_floors_of_the_contract() -> None:
    import tomllib

    from scripts.module_index import FLOORS

    contracts = tomllib.loads(_text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (floors,) = [one["layers"] for one in contracts if one.get("containers") == ["signaling"]]
    folders = [name for name in floors if (ROOT / "signaling" / name).is_dir()]
    assert folders == [name for name in FLOORS if name]


# -- pure code ------------------------------------------------------------------------------------------------------


@cache
def _impurities(module: str) -> list[str]:
    imported = [
        f"line {line}: imports {name}"
        for line, name in _imports(module)
        if IMPURE_IMPORTS.fullmatch(name.partition(".")[0]) and (module, name.partition(".")[0]) not in ALLOWED_IMPORTS
    ]
    whole_modules = {alias.name for node in _nodes(module, ast.Import) for alias in node.names}
    read = [
        f"line {node.lineno}: reads {name}"
        for node in _nodes(module, ast.Attribute)
        if IMPURE_NAMES.fullmatch(name := _written(node))
        # `random` may be the name of an argument.
        and (name.partition(".")[0] in whole_modules or name.partition(".")[0] not in ("random", "secrets", "uuid"))
    ]
    called = [f"line {line}: calls {name}" for line, name in _calls(module) if IMPURE_CALLS.fullmatch(name)]
    return imported + read + called


def test_pure_code_does_no_io_and_reads_no_clock() -> None:
    _none_in(PURE, _impurities)


def test_each_shell_is_there_and_is_one() -> None:
    _none(f"{name} is not there: strike it from SHELLS" for name in SHELLS if name not in MODULES)
    _none(f"{name} is pure: strike it from SHELLS" for name in SHELLS if not _impurities(name))


def test_each_allowed_import_is_used() -> None:
    used = {(module, name.partition(".")[0]) for module in MODULES for _, name in _imports(module)}
    _none(f"{module}: {library}" for module, library in ALLOWED_IMPORTS if (module, library) not in used)


def test_all_of_quality_is_pure() -> None:
    _none([module for module in SHELLS if module.startswith("quality/")])


def test_most_code_is_pure() -> None:
    lines = {name: len(_text(name).splitlines()) for name in MODULES}
    share = sum(lines[name] for name in PURE) / sum(lines.values())
    assert share >= PURE_SHARE, f"{share:.0%} of the lines"


def test_one_module_reads_the_environment() -> None:
    pattern = re.compile(r"\bos\.(environ|getenv)\b|\bfrom os import .*\b(environ|getenv)\b|\bBaseSettings\b")
    readers = [name for name in [*SOURCES, *BENCHES] if pattern.search(_text(name))]
    assert readers == [name for name in (ENVIRONMENT_READER,) if name in MODULES]


# -- errors and tasks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", [name for name in PACKAGES if (ROOT / name).is_dir()])
def test_errors_are_one_tree_per_package(package: str) -> None:
    home = f"{package}/errors.py"
    classes = {name: list(_nodes(name, ast.ClassDef)) for name in SOURCES if name.startswith(f"{package}/")}
    roots, elsewhere = [], []
    for name, nodes in classes.items():
        for node in nodes:
            bases = [ast.unparse(base) for base in node.bases]
            if name == home and "Exception" in bases:
                roots.append(node.name)
            if name != home and any(re.search(r"(Error|Exception)$", base) for base in bases):
                elsewhere.append(f"{name}:{node.name}")
    _none(elsewhere)
    assert len(roots) == (1 if home in classes else 0), roots


def test_tasks_have_owners() -> None:
    starters = {
        name
        for name in MODULES
        for _, callee in _calls(name)
        if re.search(r"(^|\.)(create_task|ensure_future)$", callee)
    }
    _none(starters, but=TASK_OWNERS)


def test_only_roots_catch_everything() -> None:
    catchers = {
        name
        for name in MODULES
        for node in _nodes(name, ast.ExceptHandler)
        if (node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)))
        and ast.unparse(node.body[-1]) != "raise"
    }
    _none(catchers, but=CATCH_ALL)


def test_nothing_is_swallowed() -> None:
    # `except KeyError: pass` may be right; without a type, or with everything, it never is. Cancellation always passes.
    _none(
        f"{module}, line {node.lineno}"
        for module in MODULES
        for node in _nodes(module, ast.ExceptHandler)
        if all(isinstance(statement, ast.Pass) for statement in node.body)
        and (node.type is None or re.search(r"\b((Base)?Exception|CancelledError)\b", ast.unparse(node.type)))
    )


@pytest.mark.skipif("sfu/forward.py" not in MODULES, reason="the packet step is not there")
def test_the_packet_step_is_bare() -> None:
    module = "sfu/forward.py"
    awaits = [node.lineno for node in _nodes(module, ast.Await, ast.AsyncFor, ast.AsyncWith)]
    texts = [node.lineno for node in _nodes(module, ast.JoinedStr)]
    classes = [
        node.name
        for node in _nodes(module, ast.ClassDef)
        if any("dataclass" in ast.unparse(one) for one in node.decorator_list)
    ]
    logs = [line for line, callee in _calls(module) if re.match(r"(logging|structlog|log|logger)\.", callee)]
    assert (awaits, texts, classes, logs) == ([], [], [], [])


# -- tests ----------------------------------------------------------------------------------------------------------


def test_tests_wait_for_things_and_never_for_time() -> None:
    sleepers = {
        name
        for name in TESTS
        if re.search(r"\b(sleep|wait_for_timeout)\(", _text(name))
        for node in _nodes(name, ast.Call)
        if re.search(r"(^|\.)(sleep|wait_for_timeout)$", _written(node.func))
        and [ast.unparse(one) for one in node.args] != ["0"]
    }
    _none(sleepers, but=WAITING_TESTS)


def _standards(names: Iterable[str]) -> set[str]:
    return {number for name in names for number in RFC.findall(_text(name))}


def test_each_standard_of_the_code_is_named_in_a_test() -> None:
    _none(f"RFC {number}" for number in _standards(SOURCES) - _standards(TESTS))


def test_each_parser_is_tested_with_any_bytes() -> None:
    parsers = [
        name
        for name in MODULES
        if any(PARSER.fullmatch(where.rpartition(":")[2].rpartition(".")[2]) for where, _ in _functions(name))
    ]
    assert parsers
    _none(f"{own} has no @given" for own in map(_own_test, parsers) if "@given" not in _manual(own))


# -- the manual -----------------------------------------------------------------------------------------------------


def _settings() -> list[str]:
    from signaling.settings.settings import Settings

    return list(Settings.model_fields)


def _message_types() -> list[str]:
    from signaling.protocol.client_messages import CLIENT_MESSAGES
    from signaling.protocol.server_messages import SERVER_MESSAGES

    return [*CLIENT_MESSAGES, *SERVER_MESSAGES]


def _error_codes() -> list[str]:
    from signaling.errors import ERRORS

    return list(ERRORS)


def _metrics() -> list[str]:
    from signaling.operating.metrics import TABLE

    return list(TABLE)


def _exported(module: str, read: Callable[[], list[str]]) -> list[str]:
    """What `read` finds, once the module that it looks in exists; one that then finds nothing is broken."""
    if module not in MODULES:
        pytest.skip(f"{module} is not there")
    found = read()
    assert found, f"{module} has none"
    return found


def test_every_setting_is_in_the_manual() -> None:
    page = _manual("docs/settings.md")
    names = [f"`PARLEY_{name.upper()}`" for name in _exported("signaling/settings/settings.py", _settings)]
    _none([name for name in names if name not in page])


def test_every_message_is_in_the_manual() -> None:
    page = _manual("docs/protocol.md")
    _none(
        [name for name in _exported("signaling/protocol/client_messages.py", _message_types) if f"`{name}`" not in page]
    )


def test_every_error_code_is_in_the_manual() -> None:
    page = _manual("docs/protocol.md")
    _none([code for code in _exported("signaling/errors.py", _error_codes) if f"`{code}`" not in page])


def test_every_metric_is_in_the_manual() -> None:
    manual = "".join(map(_text, PAGES))
    _none(name for name in _exported("signaling/operating/metrics.py", _metrics) if f"`{name}`" not in manual)


def test_the_index_of_modules_is_the_generated_one() -> None:
    from scripts.module_index import index

    page = index()
    assert page in _manual("docs/modules.md"), "run python scripts/write_reference.py"
    _none(name for name in MODULES if f"`{name}`" not in page and "/migrations/" not in name)


def test_pages_name_no_module_that_is_gone() -> None:
    named = re.compile(rf"`((?:{'|'.join(PACKAGES)})/[\w/]+\.py)`")
    gone = {
        f"{page}: {name}"
        for page in ["README.md", *PAGES]
        for name in named.findall(_text(page))
        if not (ROOT / name).exists()
    }
    _none(sorted(gone))


def test_links_between_pages_lead_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
    broken = [
        f"{page}: {target}"
        for page in [name for name in FILES if name.endswith(".md")]
        for target in link.findall(_text(page))
        if not (ROOT / page).parent.joinpath(target).exists()
    ]
    _none(broken)


def test_decisions_are_short_and_have_their_three_parts() -> None:
    def faults(page: str) -> Iterator[str]:
        text = _text(page)
        if len(text.splitlines()) > DECISION_LINES:
            yield f"more than {DECISION_LINES} lines"
        parts = re.findall(r"^#+ *(context|decision|consequences)\b", text, re.IGNORECASE | re.MULTILINE)
        if parts != ["Context", "Decision", "Consequences"]:
            yield f"its parts are {parts}"

    _none_in(DECISIONS, faults)


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(Path(page).name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


def test_readme_opens_with_a_call() -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```", _text("README.md"), re.DOTALL | re.MULTILINE)
    commands = [line for line in blocks[0].splitlines() if line.strip() and not line.startswith("#")]
    assert len(commands) <= README_LINES
    assert any("make run" in line for line in commands)
    assert any("make test" in block for block in blocks)


def test_ci_runs_the_linters_and_the_command_of_the_readme() -> None:
    commands = [line for line in _text(".ci/run").splitlines() if line.startswith("make ")]
    assert commands == ["make lint", "make test"]
    assert "lint-imports" in _text("Makefile")


# -- what has no place here -----------------------------------------------------------------------------------------


def test_nothing_is_unfinished_or_of_one_machine_only() -> None:
    def faults(name: str) -> Iterator[str]:
        text = _text(name)
        yield from UNFINISHED.findall(text)
        yield from (host for host in REGISTRIES if host in text)
        yield from (match[0] for match in MACHINE_PATH.finditer(text))

    _none_in([name for name in FILES if name != "tests/test_house.py"], faults)


def test_nothing_on_the_page_comes_from_elsewhere() -> None:
    loaded = re.compile(r"""(?:src|href|action)=["']?(?:https?:)?//|@import|url\(["']?(?:https?:)?//""")
    pages = [name for name in FILES if name.startswith("signaling/web/") and name.endswith((".html", ".css"))]
    _none([name for name in pages if loaded.search(_text(name))])
    imported = re.compile(r"""\b(?:from|import|importScripts|fetch)\b\s*\(?\s*["'`](?:https?:)?//""")
    scripts = [name for name in FILES if name.startswith("signaling/web/") and name.endswith(".js")]
    _none([name for name in scripts if imported.search(_text(name))])


def test_the_sdk_is_small() -> None:
    for path in (ROOT / "signaling" / "web").rglob("parley.js"):
        assert len(gzip.compress(path.read_bytes(), 9, mtime=0)) <= SDK_BYTES
