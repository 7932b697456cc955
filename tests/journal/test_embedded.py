"""The embedded server against the real programs: it starts, is shared, survives kills, and says what is damaged.

Not in pytest's tmp_path: root's is closed to the account that PostgreSQL runs as, which is a test of its own below.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from voucherswitch.journal.embedded import EmbeddedPostgres, EmbeddedPostgresError, programs

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another account")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only there a server's deleted directory can be seen")

# Starts the server, tells what it got, and holds it until its standard input ends.
HOLDER = """
import sys
from pathlib import Path
from voucherswitch.journal.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), server.owned, flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory of mode 0700 under /tmp; whatever server a test leaves there is stopped."""
    path = Path(tempfile.mkdtemp(prefix="vs-embedded-", dir="/tmp"))
    yield path
    kill_postmaster(path)
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A data directory with a stopped cluster, made once: initdb takes longest."""
    path = Path(tempfile.mkdtemp(prefix="vs-embedded-", dir="/tmp"))
    with EmbeddedPostgres(path):
        pass
    yield path
    shutil.rmtree(path)


@pytest.fixture
def used_dir(cluster: Path) -> Iterator[Path]:
    """A data directory with a cluster in it; whatever server a test leaves there is stopped."""
    yield cluster
    kill_postmaster(cluster)


@pytest.fixture
def place_below(data_dir: Path, cluster: Path) -> Iterator[Callable[[str], Path]]:
    """Moves the cluster to a data directory of the given name, for one test."""
    moved: list[Path] = []

    def place(name: str) -> Path:
        data_dir.chmod(0o711)
        (data_dir / name).mkdir()
        moved.append(data_dir / name)
        (cluster / "postgres").rename(data_dir / name / "postgres")
        return data_dir / name

    yield place
    for below in moved:
        kill_postmaster(below)
        (below / "postgres").rename(cluster / "postgres")


def postmaster_pid(data_dir: Path) -> int | None:
    """The process number in postmaster.pid, None when there is no such file or process."""
    try:
        pid = int((data_dir / "postgres/data/postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return None
    return pid


def kill_postmaster(data_dir: Path) -> None:
    """Kill the server as a crash would and wait until it is gone."""
    server = EmbeddedPostgres(data_dir)
    pid = postmaster_pid(data_dir)
    if pid is not None and server.running:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not server.running)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def hold(data_dir: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def told(holder: "subprocess.Popen[str]") -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().strip()


def release(holder: "subprocess.Popen[str]") -> None:
    holder.communicate("")
    assert holder.returncode == 0


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def refusal(data_dir: Path) -> str:
    with pytest.raises(EmbeddedPostgresError) as caught:
        EmbeddedPostgres(data_dir).start()
    message = str(caught.value)
    assert "\n" not in message
    return message


async def test_the_server_is_durable_and_private(used_dir: Path) -> None:
    """Checksums, UTF-8, every commit on disk, no TCP, and a socket that only its account can open."""
    with EmbeddedPostgres(used_dir) as server:
        connection = await asyncpg.connect(server.url)
        names = ["data_checksums", "fsync", "full_page_writes", "synchronous_commit", "listen_addresses", "jit"]
        values = [await connection.fetchval("select current_setting($1)", name) for name in names]
        locale = await connection.fetchrow(
            "select pg_encoding_to_char(encoding) as encoding, datlocprovider, datlocale from pg_database "
            "where datname = 'voucherswitch'"
        )
        await connection.close()
        socket_dir = used_dir / "postgres/socket"

        assert values == ["on", "on", "on", "on", "", "off"]
        assert locale is not None
        assert tuple(locale) == ("UTF8", b"b", "C.UTF-8")
        assert mode(socket_dir) == 0o700
        assert mode(socket_dir / ".s.PGSQL.5432") == 0o700
        assert mode(server.log_file) == 0o600
    assert not server.running
    assert postmaster_pid(used_dir) is None


async def test_a_long_path_with_a_space_gets_a_short_socket_and_one_url_for_all_clients(
    data_dir: Path, place_below: Callable[[str], Path]
) -> None:
    """A socket's path has 107 bytes; the URL must work for asyncpg, psql and SQLAlchemy."""
    below = place_below("a long way, " + "x" * 100)
    with EmbeddedPostgres(below) as server:
        socket_dir = str(make_url(server.url).query["host"])
        assert not socket_dir.startswith(str(data_dir))
        assert mode(socket_dir) == 0o700
        assert await fetch(server.url, "select 1") == 1
        assert psql(server.url) == "1"
        engine = create_async_engine(make_url(server.url).set(drivername="postgresql+asyncpg"))
        async with engine.connect() as connection:
            assert (await connection.execute(text("select 1"))).scalar() == 1
        await engine.dispose()
    os.rmdir(socket_dir)


@pytest.mark.parametrize("name", ["it's a space", "per%cent+plus", "ünï"])
async def test_the_url_quotes_what_a_path_may_hold(place_below: Callable[[str], Path], name: str) -> None:
    """Each client takes the URL apart by itself."""
    below = place_below(name)
    with EmbeddedPostgres(below) as server:
        assert await fetch(server.url, "select 1") == 1
        assert psql(server.url) == "1"
        assert make_url(server.url).query["host"] == str(below / "postgres/socket")


def mode(path: Path | str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def psql(url: str) -> str:
    answer = subprocess.run(
        [programs.find_programs() / "psql", "-X", "-A", "-t", "-c", "select 1", url], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_the_server_is_out_of_reach_of_our_terminal(used_dir: Path) -> None:
    """Ctrl-C goes to the terminal's process group; the server must still be there while we drain."""
    with EmbeddedPostgres(used_dir):
        pid = postmaster_pid(used_dir)
        assert pid is not None
        assert os.getsid(pid) != os.getsid(0)


def test_only_the_owner_stops_the_server(used_dir: Path) -> None:
    """A command that finds the server running uses it and leaves it running."""
    owner = hold(used_dir)
    url, owned = told(owner).rsplit(" ", 1)
    with EmbeddedPostgres(used_dir) as guest:
        assert (owned, guest.owned) == ("True", False)
        assert guest.url == url
    assert guest.running
    release(owner)
    assert not guest.running


async def test_processes_that_start_at_once_make_one_server(data_dir: Path) -> None:
    """Two initdb in one directory would destroy it."""
    holders = [hold(data_dir) for _ in range(3)]
    lines = [told(holder) for holder in holders]

    assert sorted(line.rsplit(" ", 1)[1] for line in lines) == ["False", "False", "True"]
    assert len({line.rsplit(" ", 1)[0] for line in lines}) == 1
    assert await fetch(lines[0].rsplit(" ", 1)[0], "select 1") == 1
    for holder in holders:
        release(holder)
    assert not EmbeddedPostgres(data_dir).running


def test_a_server_whose_owner_was_killed_is_taken_over(used_dir: Path) -> None:
    """kill -9 of `voucherswitch up` leaves PostgreSQL running; the next `up` uses it and stops it in the end."""
    owner = hold(used_dir)
    told(owner)
    pid = postmaster_pid(used_dir)
    owner.kill()
    owner.communicate()

    server = EmbeddedPostgres(used_dir)
    assert server.running
    with server:
        assert postmaster_pid(used_dir) == pid
        assert server.owned
    assert not server.running


async def test_a_killed_server_starts_again_with_all_it_had_committed(used_dir: Path) -> None:
    """Also when its last children are still there to hold the shared memory for a moment."""
    server = EmbeddedPostgres(used_dir)
    url = server.start()
    await fetch(url, "create table kept as select 7 as value")
    pid = postmaster_pid(used_dir)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    url = server.start()
    assert await fetch(url, "select value from kept") == 7
    server.stop()
    assert not server.running


async def test_a_guest_does_not_start_a_second_server_beside_an_owner_it_cannot_see(used_dir: Path) -> None:
    """The owner's server may run in another container on the same directory: two servers would destroy it."""
    owner = hold(used_dir)
    told(owner)
    kill_postmaster(used_dir)
    assert "not to be seen from here" in refusal(used_dir)
    release(owner)


@pytest.fixture
def deleted(data_dir: Path, cluster: Path) -> Callable[[str], int]:
    """Deletes what is at this path of a data directory whose server runs, and returns that server's process number."""

    def delete(what: str) -> int:
        pid = postmaster_pid(data_dir)
        assert pid is not None
        shutil.rmtree(data_dir / what)
        return pid

    shutil.copytree(cluster, data_dir, dirs_exist_ok=True, ignore=shutil.ignore_patterns("socket", "postmaster.pid"))
    return delete


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].startswith("Z")
    except OSError:
        return True


@on_linux
@pytest.mark.parametrize("what", ["", "postgres", "postgres/data"])
def test_a_directory_that_was_deleted_under_its_server_is_begun_again(
    data_dir: Path, deleted: Callable[[str], int], what: str
) -> None:
    """The old server would run on for up to a minute and then remove the new one's socket."""
    owner = hold(data_dir)
    told(owner)
    owner.kill()
    owner.communicate()
    pid = deleted(what)

    with EmbeddedPostgres(data_dir) as server:
        assert gone(pid)
        assert server.owned
        assert psql(server.url) == "1"


@on_linux
def test_a_server_whose_data_was_deleted_is_ended_by_its_owner(data_dir: Path, deleted: Callable[[str], int]) -> None:
    """And what was started on the path since is not the owner's to stop."""
    owner = EmbeddedPostgres(data_dir)
    owner.start()
    pid = deleted("")
    assert not owner.owned
    with EmbeddedPostgres(data_dir) as server:
        owner.stop()
        assert server.running
    assert gone(pid)

    owner.start()
    pid = deleted("")
    owner.stop()
    assert gone(pid)
    data_dir.mkdir()


@on_linux
def test_a_guest_is_told_that_the_data_was_deleted_under_the_owner(
    data_dir: Path, deleted: Callable[[str], int]
) -> None:
    with EmbeddedPostgres(data_dir):
        deleted("postgres/data")
        message = refusal(data_dir)
    assert "was deleted while its server ran" in message
    assert "end that program, then start again" in message


@pytest.mark.parametrize(
    "content", ["", "no number\n", "{other}\n{data}\n1700000000\n5432\n/nowhere\n\n  1 1\nready\n"]
)
def test_a_stale_pid_file_is_seen_through(used_dir: Path, content: str) -> None:
    """After a power cut the file may be empty, and its number may be another process's by now."""
    data = used_dir / "postgres/data"
    server = EmbeddedPostgres(used_dir)
    server.start()
    server.stop()
    account = data.stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], user=account) as other:
        (data / "postmaster.pid").write_text(content.format(other=other.pid, data=data))
        shutil.copystat(data / "PG_VERSION", data / "postmaster.pid")
        if account is not None:
            os.chown(data / "postmaster.pid", account, -1)
        assert not server.running
        with server:
            assert psql(server.url) == "1"
        assert other.poll() is None
        other.kill()


def test_a_first_start_that_was_cut_off_is_begun_again(data_dir: Path) -> None:
    """A half-made cluster never stands where a whole one belongs."""
    (data_dir / "postgres/new/base").mkdir(parents=True)
    with EmbeddedPostgres(data_dir) as server:
        assert server.running
    assert not (data_dir / "postgres/new").exists()


def remove(path: Path) -> None:
    """Leave nothing in its place."""


def garbage(path: Path) -> None:
    path.write_bytes(b"\xff\x00garbage" * 1000)


def empty_file(path: Path) -> None:
    path.write_text("")


def older(path: Path) -> None:
    path.write_text("16\n")


def closed(path: Path) -> None:
    path.mkdir(mode=0)


@pytest.fixture
def put_in_place_of(used_dir: Path) -> Iterator[Callable[[Path, Callable[[Path], None]], None]]:
    """Moves a path of the cluster away, puts something else there, and moves it back after the test."""
    away = used_dir / "away"
    paths: list[Path] = []

    def put(path: Path, something: Callable[[Path], None]) -> None:
        path.rename(away)
        paths.append(path)
        something(path)
        if path.exists():  # the server's account must be able to read it
            os.chown(path, away.stat().st_uid, away.stat().st_gid)

    yield put
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        away.rename(path)


@pytest.mark.parametrize(
    ("damage", "where", "said"),
    [
        (remove, "PG_VERSION", "PG_VERSION is missing"),
        (garbage, "PG_VERSION", "PG_VERSION does not hold a version"),
        (older, "PG_VERSION", "made by PostgreSQL 16, and this is 18"),
        (remove, "global/pg_control", "pg_control"),
        (garbage, "global/pg_control", "incompatible with server"),
        (empty_file, "global", "global"),
        (empty_file, "base", "base"),
        (empty_file, ".", "not a directory"),
        (empty_file, "..", "not a directory"),
        (garbage, "postgresql.conf", "postgresql.conf"),
        (remove, "pg_hba.conf", "pg_hba.conf"),
        (closed, "pg_wal", "ermission"),
    ],
)
def test_damage_is_told_in_one_line(
    used_dir: Path,
    put_in_place_of: Callable[[Path, Callable[[Path], None]], None],
    damage: Callable[[Path], None],
    where: str,
    said: str,
) -> None:
    """The line names the directory, what the server said, and what to do; no server is left running."""
    put_in_place_of(Path(os.path.normpath(used_dir / "postgres/data" / where)), damage)
    message = refusal(used_dir)
    assert said in message
    assert str(used_dir) in message
    assert "--data-dir" in message
    assert postmaster_pid(used_dir) is None


def test_a_file_in_place_of_the_data_directory_is_refused(data_dir: Path) -> None:
    (data_dir / "file").write_text("")
    assert "is not a directory" in refusal(data_dir / "file")


def test_a_path_that_a_shell_would_take_apart_is_refused(data_dir: Path) -> None:
    """pg_ctl builds a shell command from the path."""
    assert "'$'" in refusal(data_dir / "$(id)")


def test_a_server_that_does_not_run_has_no_url(data_dir: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="start it first"):
        _ = EmbeddedPostgres(data_dir).url


@as_root
def test_root_opens_its_data_directory_for_passing_through_and_nothing_else(used_dir: Path) -> None:
    """The server's account gets the search bit on the data directory: it can list nothing and read no key."""
    with EmbeddedPostgres(used_dir):
        assert mode(used_dir) == 0o701
        assert (used_dir / "postgres").stat().st_uid != 0
        assert used_dir.stat().st_uid == 0
        assert (used_dir / "logs").stat().st_uid == 0


@as_root
def test_root_is_told_which_directory_is_closed_to_the_server(data_dir: Path) -> None:
    """A directory outside the data directory is somebody else's: it is named, not opened."""
    message = refusal(data_dir / "closed")
    assert f"may not enter {data_dir}: run `chmod o+x {data_dir}`" in message
    assert mode(data_dir) == 0o700


@as_root
def test_root_is_told_when_the_programs_are_out_of_reach(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment in a home of mode 0700."""
    home = data_dir / "home"
    home.mkdir(mode=0o700)
    (home / "bin").symlink_to(programs.find_programs())
    monkeypatch.setattr(programs, "find_programs", lambda: home / "bin")
    message = refusal(data_dir)
    assert "may not run the programs" in message
    assert f"chmod o+x {home}" in message


@as_root
def test_an_ordinary_user_needs_nothing_of_this(data_dir: Path) -> None:
    """And root who starts that user's cluster later runs it as that user."""
    nobody = 65534
    os.chown(data_dir, nobody, nobody)
    script = f"""
import os
from pathlib import Path
from voucherswitch.journal.embedded import EmbeddedPostgres
os.setgroups([]), os.setgid({nobody}), os.setuid({nobody})
with EmbeddedPostgres(Path({str(data_dir)!r})) as server:
    assert server.owned
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert mode(data_dir) == 0o700
    data_dir.chmod(0o711)
    with EmbeddedPostgres(data_dir):
        assert (data_dir / "postgres").stat().st_uid == nobody
