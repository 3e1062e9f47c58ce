"""The disk cache of machine code: whom it trusts, and which files it leaves alone."""

import os
import pwd
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cbpf
from support import cache_permutations
from support.project import Rounds

pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")

from cbpf.engines.llvm import code_cache, compiler, jit, private_directory, pycfunction

ECHO = cbpf.parse("ldb [0]\nret a")
PACKETS = cbpf.Packets(b"\x07", positions=[0], lengths=[1])
CODE = b"\xc3" * 100

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away and mount file systems")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; this process has loaded the code that does not depend on a program."""
    pycfunction._batch_code("verdicts_of_ranges")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "cbpf"


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that LLVM compiles during a test."""
    modules: list[str] = []
    compile = compiler.compile_module
    monkeypatch.setattr(jit, "compile_module", lambda ir: modules.append(ir) or compile(ir))  # type: ignore[func-returns-value]
    return modules


def batch() -> list[int]:
    return list(cbpf.VM(ECHO, engine="llvm").verdicts(PACKETS))


def file_of(key: str) -> str:
    return code_cache._file_name(key)


# -- files --------------------------------------------------------------------------------------------------------


def test_cached_code_is_reused(cache: Path, compilations: list[str]) -> None:
    assert batch() == batch() == [7]
    assert len(compilations) == 1
    (file,) = cache.iterdir()
    assert (file.stat().st_mode & 0o777, cache.stat().st_mode & 0o777) == (0o600, 0o700)


def test_cached_code_is_used_by_the_next_process_without_llvmlite(cache: Path) -> None:
    code = (
        "import sys, cbpf; vm = cbpf.VM(cbpf.parse('ldb [0]\\nret a'), engine='llvm');"
        "print(*vm.verdicts(cbpf.Packets(b'\\x07', positions=[0], lengths=[1])), 'llvmlite' in sys.modules)"
    )
    for imported in ("True", "False"):
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert result.stdout.split() == ["7", imported], result.stderr


def _write_for_others(file: Path) -> None:
    file.chmod(0o620)


def _write_to_directory(file: Path) -> None:
    file.parent.chmod(0o722)


def _link(file: Path) -> None:
    file.rename(file.parent / "elsewhere")
    file.symlink_to("elsewhere")


def _link_directory(file: Path) -> None:
    elsewhere = file.parent.with_name("elsewhere")
    file.parent.rename(elsewhere)
    file.parent.symlink_to(elsewhere)


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _truncate_to_the_header(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: data.index(b"\0") + 1])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _flip_a_byte_of_the_code(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-10] ^= 1
    file.write_bytes(data)


def _other_code(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"match", b"catch", 1))


def _a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "tamper",
    [_write_for_others, _write_to_directory, _link, _link_directory, _truncate, _truncate_to_the_header, _empty,
     _flip_a_byte_of_the_code, _other_code, _a_directory],
    ids=lambda tamper: tamper.__name__.strip("_"),
)  # fmt: skip
def test_untrusted_code_is_not_used(tamper: Any, cache: Path, compilations: list[str]) -> None:
    assert batch() == [7]
    (file,) = cache.iterdir()
    tamper(file)
    assert batch() == [7]
    assert len(compilations) == 2


@needs_root
def test_code_of_another_user_is_not_trusted(cache: Path, compilations: list[str]) -> None:
    assert batch() == [7]
    (file,) = cache.iterdir()
    os.chown(file, 65534, 65534)
    assert batch() == [7]
    assert len(compilations) == 2


@pytest.mark.parametrize("place", ["relative", "/dev/null", "/proc/nowhere"])
def test_nothing_is_cached_without_a_directory(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compilations: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert batch() == batch() == [7]
    assert len(compilations) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", ["", "relative"])
def test_nothing_is_cached_without_a_home(home: str, monkeypatch: pytest.MonkeyPatch, compilations: list[str]) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    assert code_cache.directory() is None
    assert batch() == [7]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["FIFO", "directory"])
def test_a_file_of_another_type_is_neither_read_nor_replaced(make: Callable[[Path], None], cache: Path) -> None:
    cache.mkdir(0o700)
    make(cache / file_of("key"))
    assert code_cache.look_up("key") is None
    code_cache.store("key", CODE)
    assert code_cache.look_up("key") is None
    assert [path.name for path in cache.iterdir()] == [file_of("key")]


def test_a_file_with_two_names_is_not_trusted(cache: Path) -> None:
    code_cache.store("key", CODE)
    (cache / "another name").hardlink_to(cache / file_of("key"))
    assert code_cache.look_up("key") is None


def test_a_file_that_others_can_read_is_replaced(cache: Path) -> None:
    code_cache.store("key", CODE)
    (cache / file_of("key")).chmod(0o644)
    assert code_cache.look_up("key") is None
    code_cache.store("key", CODE)
    assert code_cache.look_up("key") == CODE


@pytest.mark.parametrize("length", [0, 4, 30])
def test_a_file_that_was_not_written_completely_is_replaced(length: int, cache: Path) -> None:
    code_cache.store("key", CODE)
    os.truncate(cache / file_of("key"), length)
    assert code_cache.look_up("key") is None
    code_cache.store("key", CODE)
    assert code_cache.look_up("key") == CODE


def test_a_large_file_is_not_read_completely(cache: Path) -> None:
    code_cache.store("key", CODE)
    os.truncate(cache / file_of("key"), 1 << 40)
    assert code_cache.look_up("key") is None


# -- directories and environments -----------------------------------------------------------------------------------


def test_missing_components_are_created_for_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", f"{tmp_path}/./a//b")
    assert code_cache.look_up("key") is None
    assert not list(tmp_path.iterdir())
    code_cache.store("key", CODE)
    assert code_cache.look_up("key") == CODE
    for path in ("a", "a/b", "a/b/cbpf"):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o700


def test_a_home_directory_is_not_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "missing"))
    code_cache.store("key", CODE)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("HOME", str(tmp_path))
    code_cache.store("key", CODE)
    assert (tmp_path / ".cache" / "cbpf" / file_of("key")).exists()


@pytest.mark.parametrize("link", ["home", "home/cache", "home/cache/cbpf"])
def test_symbolic_links_are_not_followed(link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    code_cache.store("key", CODE)
    (tmp_path / link).rename(tmp_path / "elsewhere")
    (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    assert code_cache.look_up("key") is None
    code_cache.store("another key", CODE)
    assert code_cache.look_up("another key") is None


def test_the_parent_directory_is_not_a_component(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", f"{tmp_path}/a/../b")
    code_cache.store("key", CODE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("function", ["getuid", "getgid"])
def test_a_set_user_id_process_has_no_cache(
    function: str, cache: Path, monkeypatch: pytest.MonkeyPatch, compilations: list[str]
) -> None:
    monkeypatch.setattr(os, function, lambda: 12345)
    assert code_cache.directory() is None
    assert batch() == batch() == [7]
    assert len(compilations) == 2
    assert not cache.exists()


@needs_root
def test_root_does_not_use_the_environment_of_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compilations: list[str]
) -> None:
    """As with `sudo -E`, or where sudo leaves HOME unchanged."""
    os.chown(tmp_path, 65534, 65534)
    own = tmp_path / "cache of root"
    own.mkdir(0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    for place in (own, Path(pwd.getpwuid(0).pw_dir, ".cache"), None):
        monkeypatch.setenv("XDG_CACHE_HOME", str(place)) if place else monkeypatch.delenv("XDG_CACHE_HOME")
        assert code_cache.directory() is None
    assert batch() == batch() == [7]
    assert len(compilations) == 2
    assert [path.name for path in tmp_path.iterdir()] == [own.name]
    assert not list(own.iterdir())


@needs_root
def test_root_does_not_use_a_directory_below_that_of_a_user(cache: Path) -> None:
    code_cache.store("key", CODE)
    os.chown(cache.parent, 65534, 65534)
    assert code_cache.look_up("key") is None
    os.chown(cache.parent, 0, 0)
    assert code_cache.look_up("key") == CODE


@pytest.mark.parametrize("flags", ["ST_NOEXEC", "ST_NOSUID"])
def test_file_systems_that_users_can_mount_are_not_trusted(
    flags: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_cache.store("key", CODE)
    monkeypatch.setattr(os, "fstatvfs", lambda _: SimpleNamespace(f_flag=getattr(os, flags)))
    monkeypatch.setenv("HOME", "/")
    assert code_cache.look_up("key") == (CODE if flags == "ST_NOSUID" and os.geteuid() != 0 else None)


@needs_root
@pytest.mark.parametrize(("options", "is_used"), [("size=64k", True), ("nosuid", False), ("noexec", False)])
def test_caches_on_mounted_file_systems(options: str, is_used: bool, tmp_path: Path) -> None:
    """A namespace of mounts has a tmpfs with these options; a full one only means that nothing is cached."""
    code = (
        "from cbpf.engines.llvm import code_cache as cache\n"
        "cache.store('key', bytes([195]) * 100)\n"
        "for index in range(100): cache.store(str(index), bytes([195]) * 5000)\n"
        "import os; names = os.listdir(os.environ['XDG_CACHE_HOME'] + '/cbpf') if cache.look_up('key') else []\n"
        "print(len(names), [name for name in names if not name.endswith('.code')])"
    )
    script = 'mount -t tmpfs -o "$1" tmpfs "$XDG_CACHE_HOME" && exec "$2" -c "$3"'
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", options, sys.executable, code],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare" in result.stderr or "mount" in result.stderr:
        pytest.skip(f"no namespace of mounts: {result.stderr}")
    assert not result.stderr
    count, _, strays = result.stdout.strip().partition(" ")
    assert (1 <= int(count) < 100) if is_used else int(count) == 0
    assert strays == "[]"


def _make_file(path: Path) -> None:
    path.write_bytes(b"")


def _make_private_folder(path: Path) -> None:
    path.mkdir(mode=0)


def _make_full_device(path: Path) -> None:
    path.symlink_to("/dev/full")


@pytest.mark.parametrize("make", [_make_file, os.mkfifo, _make_private_folder, _make_full_device])
def test_an_odd_cache_costs_the_command_nothing_but_a_compilation(
    make: Callable[[Path], None], cache: Path, traffic: Path
) -> None:
    make(cache)
    command = [sys.executable, "-m", "cbpf", "filter", "--engine", "llvm", "-r", str(traffic), "--count", "udp"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    summary = cbpf.filter_capture(traffic, os.devnull, "udp", engine="python")
    assert (result.returncode, len(result.stderr.splitlines())) == (0, 1)
    assert f"905 packets seen, {summary.packets_accepted} accepted" in result.stderr


# -- races ------------------------------------------------------------------------------------------------------------


class _HookedOS:
    """The module `os`, which calls a function before the call with a certain number; calls are counted from 0."""

    def __init__(self, number: int, hook: Callable[[], None]) -> None:
        self._remaining = number
        self._hook = hook
        self.was_called = False

    def __getattr__(self, name: str) -> Any:
        value = getattr(os, name)
        if not callable(value) or isinstance(value, type):
            return value

        def call(*arguments: Any, **options: Any) -> Any:
            if self._remaining == 0 and not self.was_called:
                self.was_called = True
                self._hook()
            self._remaining -= 1
            return value(*arguments, **options)

        return call


def _many_files(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True)
    for index in range(6):
        (folder / f"{index:08x}.code").write_bytes(content)


@pytest.mark.parametrize("component", ["home", "home/cache", "home/cache/cbpf"])
@pytest.mark.parametrize("operation", ["look_up", pytest.param("store", marks=pytest.mark.slow)])
def test_a_path_that_changes_between_any_two_calls_is_harmless(
    component: str, operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A component is exchanged for a link to a directory of another user, before each system call in turn."""
    monkeypatch.setattr(code_cache, "_MAX_FILES", 4)
    for number in range(1000):
        root = tmp_path / str(number)
        rest = Path("home/cache/cbpf").relative_to(component)
        _many_files(root / "home" / "cache" / "cbpf", code_cache._KIND)
        _many_files(root / "victim" / rest, code_cache._KIND)
        (root / "victim" / rest / file_of("key")).write_bytes(b"not code of this user")
        before = cache_permutations.states(root / "victim")

        def exchange(root: Path = root) -> None:
            (root / component).rename(root / "moved")
            (root / component).symlink_to(root / "victim")

        monkeypatch.setenv("XDG_CACHE_HOME", str(root / "home" / "cache"))
        hooked = _HookedOS(number, exchange)
        with monkeypatch.context() as patches:
            patches.setattr(code_cache, "os", hooked)
            patches.setattr(private_directory, "os", hooked)
            code_cache.store("key", CODE) if operation == "store" else code_cache.look_up("key")
        assert cache_permutations.states(root / "victim") == before
        if not hooked.was_called:
            break
    assert 10 < number < 1000


# -- the number of files ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_number_of_cached_files_is_bounded(cache: Path) -> None:
    for index in range(1000):
        code_cache.store(f"program {index}", b"code")
        if index % 100 == 0:
            assert code_cache.look_up(f"program {index}") == b"code"
    assert 200 <= len(list(cache.iterdir())) <= 402
    assert code_cache.look_up("program 999") == b"code"
    assert code_cache.look_up("program 0") is None


def test_code_with_a_long_key_is_not_cached(cache: Path) -> None:
    code_cache.store("x" * 2**16 + "x", b"code")
    assert not cache.exists()


def test_code_depends_on_the_source_files_that_were_imported() -> None:
    files = code_cache._imported_files()
    assert {"__init__.py", "engines/llvm/code_cache.py", "engines/llvm/jit.py"} <= set(files)
    assert all((Path(cbpf.__file__).parent / file).is_file() for file in files)


def test_a_change_of_an_imported_source_file_invalidates_the_code(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    module = package / "inner" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text("a = 1\n")
    monkeypatch.setattr(code_cache, "_PACKAGE", str(package))
    monkeypatch.setattr(code_cache, "_imported_files", lambda: ["inner/module.py"])
    monkeypatch.setattr(code_cache, "_STARTED", time.time_ns() + 10**12)

    def is_found() -> bool:
        return code_cache.look_up("key") == CODE

    code_cache.store("key", CODE)
    assert is_found()
    (package / "other.py").write_text("")
    assert is_found()
    module.write_text("a = 12\n")
    assert not is_found()
    code_cache.store("key", CODE)
    assert is_found()
    monkeypatch.setattr(code_cache, "_PACKAGE", str(tmp_path / "other"))
    assert not is_found()
    package.rename(tmp_path / "other")
    assert not is_found()
    module.parent.mkdir(parents=True)
    assert not is_found()
    assert len(list(cache.iterdir())) == 1


def test_a_process_whose_source_has_changed_since_its_start_uses_no_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_cache.store("before", CODE)
    assert code_cache.look_up("before") == CODE
    monkeypatch.setattr(code_cache, "_STARTED", Path(code_cache.__file__).stat().st_ctime_ns)
    code_cache.store("after", CODE)
    assert code_cache.look_up("before") is None
    assert len(list(cache.iterdir())) == 1


def test_foreign_files_are_neither_counted_nor_removed(cache: Path) -> None:
    cache.mkdir(0o700)
    for index in range(410):
        (cache / f"note{index}.txt").write_text("mine")
        (cache / f"{index:08x}.code").write_text("mine as well")
    (cache / "subdirectory").mkdir()
    (cache / "ffffffff.code").mkdir()
    for path in cache.iterdir():
        os.utime(path, (1, 1))
    before = cache_permutations.states(cache)
    for index in range(10):
        code_cache.store(f"program {index}", CODE)
        assert code_cache.look_up(f"program {index}") == CODE
    after = cache_permutations.states(cache)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 10


def test_the_oldest_files_are_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_cache, "_MAX_FILES", 4)
    for index in range(5):
        code_cache.store(f"program {index}", CODE)
        os.utime(cache / file_of(f"program {index}"), (1000 + index, 1000 + index))
    code_cache.store("the newest", CODE)
    remaining = {path.name for path in cache.iterdir()}
    assert remaining == set(map(file_of, ["program 2", "program 3", "program 4", "the newest"]))


def test_abandoned_temporary_files_are_removed_after_an_hour(cache: Path) -> None:
    cache.mkdir(0o700)
    contents = {
        "0badcafe.code.0123456789abcdef": (b"", 3700, False),
        "1badcafe.code.0123456789abcdef": (code_cache._MAGIC + b"a part", 3700, False),
        "2badcafe.code.0123456789abcdef": (code_cache._MAGIC, 3500, True),
        "3badcafe.code.0123456789abcdef": (b"of the user", 3700, True),
        "4badcafe.code.0123456789abcde": (code_cache._MAGIC, 3700, True),
        "5badcafe.note.0123456789abcdef": (b"", 3700, True),
    }
    for name, (content, age, _) in contents.items():
        (cache / name).write_bytes(content)
        os.utime(cache / name, (time.time() - age, time.time() - age))
    code_cache.store("key", CODE)
    remaining = {path.name for path in cache.iterdir()} - {file_of("key")}
    assert remaining == {name for name, (_, _, remains) in contents.items() if remains}


def test_a_failed_write_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    code_cache.store("key", CODE)
    assert not list(cache.iterdir())


# -- all of it, at random -----------------------------------------------------------------------------------------


def _store_and_look_up() -> bytes:
    """Return whether code was cached before and after it was stored, as two characters."""
    before = code_cache.look_up("key")
    code_cache.store("key", CODE)
    results = (before, code_cache.look_up("key"))
    assert set(results) <= {None, CODE}
    return b"".join(b"n" if result is None else b"y" for result in results)


@pytest.fixture
def complete_file(cache: Path) -> bytes:
    """The content of a complete file for `_store_and_look_up`."""
    code_cache.store("key", CODE)
    return (cache / file_of("key")).read_bytes()


@pytest.mark.fuzz
def test_random_directories(rounds: Rounds, complete_file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code is found and stored exactly where `cache_permutations` permits it, and no foreign file changes."""
    with cache_permutations.accessible_folder() as parent:
        for index, random in enumerate(rounds(400, min_checked=0.15)):
            folder, name = parent / str(index), file_of("key")
            user = random.choice([0, cache_permutations.USER]) if os.geteuid() == 0 else os.geteuid()
            content = random.choice([complete_file] * 4 + [complete_file[:50], b"", b"of the user"])
            folder.mkdir()
            cache_permutations.build(random, folder, user, name, content)
            monkeypatch.setenv("HOME", str(folder))
            monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "home" / "cache"))
            file = folder.joinpath(*cache_permutations.PATH, name)
            before = cache_permutations.states(folder)

            is_own = cache_permutations.is_own(before.get(file), user)
            is_complete = is_own and content == complete_file and not before[file].mode & 0o077
            was_found = cache_permutations.may_trust(folder, user) and is_complete
            is_replaceable = file not in before or (is_own and content != b"of the user")
            is_stored = cache_permutations.may_create(folder, user) and is_replaceable
            if user == os.geteuid():
                result = _store_and_look_up()
            else:
                result = cache_permutations.run_as(user, _store_and_look_up)
            assert result.decode() == "ny"[was_found] + "ny"[was_found or is_stored]

            after = cache_permutations.states(folder)
            if is_stored:
                before.pop(file, None)
            assert before.items() <= after.items()
            created = {path for path in after.keys() - before.keys() if not path.is_dir()}
            assert created == ({file} if is_stored else set())
            if is_stored:
                rounds.checked()
