"""wrk as load generator, where it is installed: somebody else's, to check our own by.

It does not wait for the answers that are on their way when its time is over. Up to one per connection is cut off: the
server makes those provisions, and nobody hears of them.
"""

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.children import run
from bench.errors import BenchError
from bench.measurement import Measurement
from bench.wire import address_of, wire_request

SPARE_S: Final = 30.0
ANSWER_S: Final = 30  # wrk's own 2 s would call a slow contender a broken one

SCRIPT: Final = """\
local before, after, seed = %(before)s, %(after)s, %(seed)d
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  math.randomseed(seed + number * 7919)
  created, others, first = 0, 0, ""
end

local function hex(digits)
  return string.format("%%0" .. digits .. "x", math.random(0, 16 ^ digits - 1))
end

function request()
  return before .. hex(8) .. "-" .. hex(4) .. "-4" .. hex(3) .. "-a" .. hex(3) .. "-" .. hex(6) .. hex(6) .. after
end

function response(status, headers, body)
  if status == 201 then
    created = created + 1
  else
    if others == 0 then first = status .. ": " .. string.sub(body, 1, 300) end
    others = others + 1
  end
end

local function escape(character)
  return string.format("\\\\u%%04x", string.byte(character))
end

function done(summary, latency, requests)
  local created, others, first = 0, 0, ""
  for _, thread in ipairs(threads) do
    created = created + thread:get("created")
    others = others + thread:get("others")
    if first == "" then first = thread:get("first") end
  end
  local errors = summary.errors
  first = string.gsub(first, '[%%c"\\\\]', escape)
  io.write(string.format(
    'RESULT {"seconds": %%.6f, "created": %%d, "others": %%d, "connect": %%d, "read": %%d, "write": %%d, ' ..
    '"timeout": %%d, "p50": %%d, "p95": %%d, "p99": %%d, "max": %%d, "first": "%%s"}\\n',
    summary.duration / 1e6, created, others, errors.connect, errors.read, errors.write, errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max, first))
end
"""


def generate(
    url: str,
    *,
    user: str,
    password: str,
    connections: int,
    seconds: float,
    warmup: float,
    tick: Callable[[], None],
) -> Measurement:
    """Put the load on a server: a warm-up run that only counts, then the measured run."""
    host, port = address_of(url)
    before, after = wire_request(host, port, user=user, password=password)
    with tempfile.TemporaryDirectory(prefix="voucherswitch-bench-") as folder:
        script = Path(folder) / "provision.lua"
        warm = _run(script, before, after, url, connections, warmup, tick) if warmup >= 1 else None
        measured = _run(script, before, after, url, connections, seconds, tick)
    if warm is not None:
        measured.done_in_all += warm.done_in_all
        measured.cut_off += warm.cut_off
        for what, count in warm.errors.items():
            measured.errors[what] = measured.errors.get(what, 0) + count
        measured.first_error = warm.first_error or measured.first_error
    return measured


def _run(
    script: Path,
    before: bytes,
    after: bytes,
    url: str,
    connections: int,
    seconds: float,
    tick: Callable[[], None],
) -> Measurement:
    whole_seconds = max(round(seconds), 1)  # wrk takes no fractions
    script.write_text(
        SCRIPT
        % {
            "before": lua_string(before.decode()),
            "after": lua_string(after.decode()),
            "seed": random.randrange(1 << 30),
        }
    )
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{whole_seconds}s", "-s", str(script)]
    command += ["--timeout", f"{ANSWER_S}s", url]
    output = run(command, what="wrk", seconds=whole_seconds + SPARE_S, tick=tick)
    return parse(output, connections)


def lua_string(text: str) -> str:
    """Write a text as a Lua literal; JSON's escapes are Lua's for what a request holds."""
    return json.dumps(text)


def parse(output: str, connections: int) -> Measurement:
    """Read the line that the script's `done` writes."""
    line = next((line for line in output.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise BenchError(f"wrk printed no result: {output.strip()[-300:]}")
    result = json.loads(line.removeprefix("RESULT "))
    errors = {
        what: int(result[key])
        for what, key in {
            "status other than 201": "others",
            "no connection": "connect",
            "connection lost": "read",
            "not written": "write",
            "timeout": "timeout",
        }.items()
        if result[key]
    }
    return Measurement(
        seconds=result["seconds"],
        done=result["created"],
        rate=result["created"] / result["seconds"],
        p50_ms=result["p50"] / 1000,
        p95_ms=result["p95"] / 1000,
        p99_ms=result["p99"] / 1000,
        max_ms=result["max"] / 1000,
        done_in_all=result["created"],
        cut_off=connections,
        errors=errors,
        first_error=result["first"] or next(iter(errors), None),
    )
