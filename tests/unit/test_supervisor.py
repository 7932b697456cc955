"""The supervisor with real processes: it starts, sees them ready, restarts, drains in order, and leaves none behind."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

# Runs a supervisor as `voucherswitch up` would. `ready` may be {"file": path}: ready when the file exists.
DRIVER = """
import asyncio, json, socket, sys
from pathlib import Path
from voucherswitch.cli.supervisor import Child, Supervisor, parent

def probe(ready):
    if not isinstance(ready, dict):
        return tuple(ready) if isinstance(ready, list) else ready
    async def exists():
        return Path(ready["file"]).exists()
    return exists

spec = json.loads(sys.argv[1])
if spec.pop("without_kernel_help", False):
    parent._LIBC = None
def listen(port):
    return lambda: {"door": socket.create_server(("127.0.0.1", port), reuse_port=True)}

children = [Child(**{**child, "ready": probe(child.get("ready")), "listen": listen(child["listen"]) if "listen" in child
                     else None}) for child in spec.pop("children")]
ready = lambda: print("ALL READY", file=sys.stderr, flush=True)
sys.exit(asyncio.run(Supervisor(children, on_ready=ready, **spec).run()))
"""

# Writes what happens to it into a file that all children share; argv: file, name.
STOPPABLE = """
import signal, sys, time
def write(text):
    with open(sys.argv[1], "a") as file:
        file.write(sys.argv[2] + " " + text + "\\n")
def told(*_):
    write("told")
    time.sleep(0.1)
    write("gone")
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
signal.signal(signal.SIGINT, lambda *_: write("interrupted"))
write("up")
print("up", flush=True)
while True:
    signal.pause()
"""

DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
)


class Up:
    """A running supervisor and what it has printed so far."""

    def __init__(self, children: Sequence[Mapping[str, Any]], **options: object) -> None:
        spec = json.dumps({"drain_s": 30, "children": children, **options})
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, spec],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._unclaimed: list[str] = []

    def line_with(self, text: str) -> str:
        """The first line with the text that was not asked for before; reads on until there is one."""
        assert self.process.stdout is not None
        for line in self._unclaimed:
            if text in line:
                self._unclaimed.remove(line)
                return line
        for line in iter(self.process.stdout.readline, ""):
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return self.lines[-1]
            self._unclaimed.append(self.lines[-1])
        pytest.fail(f"no line with {text!r} in {self.lines}")

    def end(self) -> int:
        """Read all that is left and return the exit code."""
        rest, _ = self.process.communicate()
        self.lines.extend(rest.splitlines())
        return self.process.returncode


@pytest.fixture
def up() -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(*children: Mapping[str, Any], **options: object) -> Up:
        started.append(Up(children, **options))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()  # and the kernel kills its children
        each.process.wait()
        if each.process.stdout is not None:
            each.process.stdout.close()


def python(name: str, code: str, *arguments: str, **rest: object) -> dict[str, Any]:
    return {"name": name, "argv": [sys.executable, "-S", "-c", code, *arguments], **rest}


def shell(name: str, command: str, **rest: object) -> dict[str, Any]:
    return {"name": name, "argv": ["/bin/sh", "-c", command], **rest}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].startswith("Z")
    except OSError:
        return True


def test_a_child_is_started_when_those_before_it_are_ready(up: Callable[..., Up], tmp_path: Path) -> None:
    """Lower start orders first; "ready" is announced once, at the end."""
    marker = tmp_path / "marker"
    run = up(
        shell("second", f"test -e {marker} && echo saw it; exec sleep 60", start_order=1),
        shell("first", f"touch {marker}; exec sleep 60", ready={"file": str(marker)}),
    )
    run.line_with("saw it")
    run.line_with("ALL READY")
    run.process.terminate()
    assert run.end() == 0
    assert run.lines.count("ALL READY") == 1
    assert "second | saw it" in run.lines


def test_a_url_is_ready_when_it_answers_2xx(up: Callable[..., Up]) -> None:
    """503 means that it listens and is not ready."""
    port = free_port()
    server = f"""
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        self.send_response(503 if Handler.asked < 3 else 204)
        self.end_headers()
    def log_message(self, *_):
        print("asked", Handler.asked, flush=True)
HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
"""
    run = up(python("web", server, ready=f"http://127.0.0.1:{port}/health?full=1"))
    run.line_with("ALL READY")
    run.process.terminate()
    assert run.end() == 0
    assert "web | asked 3" in run.lines


def test_a_port_that_another_program_has_is_refused_at_once(up: Callable[..., Up]) -> None:
    """That program would answer our probe in the child's place."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = up(shell("web", "echo started; exec sleep 60", ready=["127.0.0.1", port]))
        assert run.end() == 1
    assert run.lines == [f"voucherswitch: port {port} is in use by another program: stop it, or set another port"]


def test_a_child_that_ends_before_it_is_ready_ends_everything(up: Callable[..., Up], tmp_path: Path) -> None:
    """One line: its name, its exit code, its last error line."""
    log = tmp_path / "log"
    run = up(
        python("other", STOPPABLE, str(log), "other", ready={"file": str(log)}),
        shell("web", "echo out; echo the reason >&2; exit 3", ready={"file": "/nowhere"}, start_order=1),
    )
    assert run.end() == 1
    assert "voucherswitch: web ended with exit code 3: the reason (it was never ready)" in run.lines
    assert "ALL READY" not in run.lines
    assert log.read_text().splitlines() == ["other up", "other told", "other gone"]


def test_a_program_that_does_not_exist_ends_everything(up: Callable[..., Up]) -> None:
    run = up({"name": "web", "argv": ["/no/such/program"]})
    assert run.end() == 1
    assert run.lines == ["voucherswitch: web cannot be started: No such file or directory: /no/such/program"]


def test_a_child_that_is_never_ready_ends_everything(up: Callable[..., Up]) -> None:
    run = up(shell("web", "echo $$; exec sleep 60", ready={"file": "/nowhere"}, ready_within_s=0.3))
    pid = int(run.line_with("web | ").removeprefix("web | "))
    assert run.end() == 1
    assert f"voucherswitch: web was not ready within 0.3 s: {pid} (it was never ready)" in run.lines
    assert gone(pid)


def test_a_child_that_crashes_is_started_again(up: Callable[..., Up], tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    crash_once = f"if test -e {marker}; then exec sleep 60; fi; touch {marker}; echo the reason >&2; kill -SEGV $$"
    run = up(shell("worker", crash_once), shell("other", "exec sleep 60"))
    run.line_with("voucherswitch: worker ended with SIGSEGV: the reason (starting it again in 0.25 s)")
    run.line_with("voucherswitch: worker runs again")
    run.process.terminate()
    assert run.end() == 0


def test_a_child_that_crashes_too_often_ends_everything(up: Callable[..., Up]) -> None:
    run = up(shell("worker", "echo the reason; exit 4"), restarts_per_minute_max=1)
    assert run.end() == 1
    crashes = [line for line in run.lines if "exit code 4" in line]
    assert crashes == [
        "voucherswitch: worker ended with exit code 4: the reason (starting it again in 0.25 s)",
        "voucherswitch: worker ended with exit code 4: the reason (more than 1 times in a minute: giving up)",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_children_in_order(up: Callable[..., Up], tmp_path: Path, number: signal.Signals) -> None:
    """Each is told when those before it are gone. A terminal's Ctrl-C goes to the group and must not reach them."""
    log = tmp_path / "log"
    names = ["simulators", "worker", "interface"]
    children = [python(name, STOPPABLE, str(log), name, stop_order=-order) for order, name in enumerate(names)]
    run = up(*children)
    for _ in names:
        run.line_with("| up")
    os.killpg(run.process.pid, number)
    assert run.end() == 0
    stops = [line for line in log.read_text().splitlines() if not line.endswith(" up")]
    assert stops == [f"{name} {what}" for name in reversed(names) for what in ("told", "gone")]


def test_what_does_not_stop_in_time_is_killed_and_the_rest_still_stops_well(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    run = up(
        python("interface", DEAF, stop_order=0),
        python("worker", STOPPABLE, str(log), "worker", stop_order=1),
        drain_s=0.2,
    )
    run.line_with("| up")
    run.line_with("| up")
    run.process.terminate()
    assert run.end() == 1
    assert "voucherswitch: interface: not gone in time, killed" in run.lines
    assert log.read_text().splitlines() == ["worker up", "worker told", "worker gone"]


def test_a_second_signal_kills_at_once(up: Callable[..., Up]) -> None:
    """And what the children started themselves goes with them."""
    run = up(python("interface", DEAF), shell("worker", "trap '' TERM; sleep 60 & echo $!; wait"))
    grandchild = int(run.line_with("worker    | ").removeprefix("worker    | "))
    run.line_with("interface | up")
    run.process.send_signal(signal.SIGINT)
    run.process.send_signal(signal.SIGINT)  # twice for one Ctrl-C
    run.line_with("stopping")
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() > begin + 0.4)  # until then it counts as the same Ctrl-C
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 130
    wait_until(lambda: gone(grandchild))


@pytest.mark.parametrize("without_kernel_help", [False, True])
def test_no_child_outlives_a_supervisor_that_was_killed(up: Callable[..., Up], without_kernel_help: bool) -> None:
    """By the kernel where it can, else by the child's own watch on its supervisor."""
    watch = "from voucherswitch.cli.supervisor import watch_parent; watch_parent(); "
    code = (watch if without_kernel_help else "") + f"import os; print(os.getpid(), flush=True); {DEAF}"
    child = {"name": "worker", "argv": [sys.executable, "-c", code]}
    run = up(child, without_kernel_help=without_kernel_help)
    pid = int(run.line_with("worker | ").removeprefix("worker | "))
    run.process.kill()
    wait_until(lambda: gone(pid))


def test_output_is_passed_on_as_it_is_without_a_prefix(up: Callable[..., Up]) -> None:
    """A log store takes JSON lines; a line without end comes in pieces and loses nothing."""
    line = '{"event": "ü"}'
    unended = "head -c 200000 /dev/zero | tr '\\0' x; echo written >&2"
    run = up(shell("worker", f"echo {shlex.quote(line)}; {unended}; exec sleep 60"), prefix=False)
    assert run.line_with("event") == line
    run.line_with("written")  # a stop before it would cut the writer short
    run.process.terminate()
    assert run.end() == 0
    assert sum(len(line) for line in run.lines if line.startswith("x")) == 200_000


def test_a_grandchild_that_keeps_the_output_open_does_not_hold_up_a_restart(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    leave = f"if test -e {marker}; then exec sleep 60; fi; touch {marker}; sleep 60 & echo $!; exit 3"
    run = up(shell("worker", leave))
    grandchild = int(run.line_with("worker | ").removeprefix("worker | "))
    run.line_with("ended with exit code 3")
    run.line_with("runs again")
    os.kill(grandchild, signal.SIGKILL)
    run.process.terminate()
    assert run.end() == 0


def test_a_reader_that_went_away_does_not_stop_the_children(up: Callable[..., Up], tmp_path: Path) -> None:
    """`voucherswitch up | head`."""
    marker, log = tmp_path / "marker", tmp_path / "log"
    run = up(
        shell("chatty", f"while ! test -e {marker}; do echo line; done; exec sleep 60", start_order=1),
        python("worker", STOPPABLE, str(log), "worker", stop_order=1),
    )
    run.line_with("worker | up")
    run.line_with("chatty | line")
    assert run.process.stdout is not None
    run.process.stdout.close()
    marker.touch()
    run.process.terminate()
    assert run.process.wait() == 0
    assert log.read_text().splitlines() == ["worker up", "worker told", "worker gone"]


# Inherits a socket. The first process accepts nothing; its successors answer one connection after the other. argv: a
# file that every process adds its id to, and what the second one does instead of getting ready.
SERVER = """
import os, select, signal, sys
from pathlib import Path
from voucherswitch.cli.supervisor import handed_listeners, tell_ready
started = Path(sys.argv[1])
number = len(started.read_text().split()) if started.exists() else 0
with started.open("a") as file:
    file.write(f"{os.getpid()} ")
if number == 1:
    exec(sys.argv[2])
listener = handed_listeners()["door"]
tell_ready()
if number == 0:
    signal.pause()
while True:
    select.select([listener], [], [])
    connection, _ = listener.accept()
    connection.sendall(b"served by %d" % number)
    connection.close()
"""

# Inherits a socket, and says when a look whether anybody comes would be a wait until somebody does.
LOOKING = """
import os, time
from voucherswitch.cli.supervisor import handed_listeners, tell_ready
listener = handed_listeners()["door"]
tell_ready()
while True:
    if os.get_blocking(listener.fileno()):
        print("WAITS", flush=True)
    time.sleep(0.002)
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A port that others may share."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def server(name: str, started: Path, port: int, second: str = "") -> dict[str, Any]:
    argv = [sys.executable, "-c", SERVER, str(started), second]
    return {"name": name, "argv": argv, "tells_ready": True, "listen": port}


def test_a_hangup_gives_waiting_connections_to_the_successor(up: Callable[..., Up], tmp_path: Path, port: int) -> None:
    """Nobody accepted them, and the process whose socket they wait in goes: none is reset."""
    run = up(server("server", tmp_path / "pids", port), renew_on_hangup=True)
    run.line_with("ALL READY")
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    run.process.send_signal(signal.SIGHUP)
    run.line_with("voucherswitch: restarted")
    for connection in waiting:
        with connection:
            assert connection.recv(100) == b"served by 1"
    wait_until(lambda: gone(int((tmp_path / "pids").read_text().split()[0])))
    run.process.terminate()
    assert run.end() == 0


def test_a_hangup_does_not_let_the_predecessor_wait_for_connections(up: Callable[..., Up], port: int) -> None:
    """Whether an accept waits is a property of the socket that both share, not of a process."""
    looking = [sys.executable, "-c", LOOKING]
    run = up({"name": "server", "argv": looking, "tells_ready": True, "listen": port}, renew_on_hangup=True)
    run.line_with("ALL READY")
    run.process.send_signal(signal.SIGHUP)
    run.line_with("voucherswitch: restarted")
    run.process.terminate()
    assert run.end() == 0
    assert "server | WAITS" not in run.lines


def test_a_successor_that_cannot_start_leaves_its_predecessor_at_work(
    up: Callable[..., Up], tmp_path: Path, port: int
) -> None:
    """A bad release or setting costs one failed start, not the service."""
    children = [server(name, tmp_path / name, port, "sys.exit('no such setting')") for name in ("first", "second")]
    run = up(*children, renew_on_hangup=True)
    run.line_with("ALL READY")
    run.process.send_signal(signal.SIGHUP)
    run.line_with("first ended with exit code 1: no such setting (it was never ready)")
    run.line_with("restart given up: first goes on as it was, and so do those after it")
    pids = [(tmp_path / name).read_text().split() for name in ("first", "second")]
    assert [len(started) for started in pids] == [2, 1]
    assert not gone(int(pids[0][0]))
    run.process.send_signal(signal.SIGHUP)  # it has been mended: the third process starts
    run.line_with("restart given up: second")
    run.process.terminate()
    assert run.end() == 0


def test_a_stop_in_the_middle_of_a_restart_ends_both_processes(
    up: Callable[..., Up], tmp_path: Path, port: int
) -> None:
    run = up(server("server", tmp_path / "pids", port, "signal.pause()"), renew_on_hangup=True)
    run.line_with("ALL READY")
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len((tmp_path / "pids").read_text().split()) == 2)
    run.process.send_signal(signal.SIGHUP)
    run.line_with("not restarted: a start is under way already")
    run.process.terminate()
    assert run.end() == 0
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_a_crashed_process_leaves_no_connection_waiting(up: Callable[..., Up], tmp_path: Path, port: int) -> None:
    """Until it runs again the kernel gives new connections to the others; here there are none, so it refuses."""
    run = up(server("server", tmp_path / "pids", port), renew_on_hangup=True)
    run.line_with("ALL READY")
    os.kill(int((tmp_path / "pids").read_text()), signal.SIGKILL)
    run.line_with("starting it again")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    run.line_with("runs again")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        assert connection.recv(100) == b"served by 1"
    run.process.terminate()
    assert run.end() == 0
