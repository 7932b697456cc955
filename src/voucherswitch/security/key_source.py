"""Where the vault's keys come from: a file, the environment, or a command that asks a key management service.

One of the three, by the settings `vault_key_file`, `vault_keys` and `vault_key_command`; all of them give the text of
keys.py, and refuse with a VaultError of one line. What a command prints is never logged or told.
"""

import os
import secrets
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from voucherswitch.config.limits import VAULT_KEY_COMMAND_S, VAULT_KEY_TEXT_BYTES_MAX
from voucherswitch.config.settings import Settings, env_name
from voucherswitch.security.keys import Keyring, VaultError, line_of, new_key, new_text, parse


class KeySource(Protocol):
    """Gives the keys, as often as it is asked."""

    @property
    def where(self) -> str:
        """How errors and people call it."""

    @property
    def may_change(self) -> bool:
        """Whether reading it again may give keys that it did not have before."""

    @property
    def quick(self) -> bool:
        """Whether it may be read without giving the event loop away."""

    def read(self) -> Keyring:
        """Read the keys.

        Raises:
            VaultError: they cannot be had.
        """


def source_of(settings: Settings) -> KeySource:
    """The source that the settings name."""
    if settings.vault_keys is not None:
        return EnvironmentKeys(settings.vault_keys.get_secret_value())
    if settings.vault_key_command:
        return CommandKeys(settings.vault_key_command)
    return FileKeys(settings.vault_key_path)


class FileKeys:
    """A file that only its owner may read. The only source that we can write to."""

    may_change = True
    quick = True

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    @property
    def where(self) -> str:
        return f"vault key file {self.path}"

    def read(self) -> Keyring:
        return parse(self._text(), self.where)

    def create(self) -> bool:
        """Make the file with its first keys, readable by its owner only. False: there is one, and it stays."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return self._put(new_text(), replace=False)
        except OSError as error:
            raise VaultError(f"{self.where} cannot be made ({error.strerror}); name another one") from error

    def add(self, key_id: int) -> None:
        """Append a new key, all or nothing. The caller sees to it that nobody else changes the file meanwhile."""
        text = self._text()
        if key_id in parse(text, self.where).sealing:
            raise VaultError(f"{self.where} has a key {key_id} already; nothing was changed")
        self._rewrite(f"{text.rstrip()}\n{line_of(key_id, new_key())}\n")

    def remove(self, key_id: int) -> None:
        """Take a key out, all or nothing; a key that is not there is no error."""
        lines = self._text().splitlines()
        self._rewrite("".join(f"{line}\n" for line in lines if not line.strip().startswith(f"{key_id}:")))

    def _rewrite(self, text: str) -> None:
        parse(text, self.where)
        try:
            self._put(text, replace=True)
        except OSError as error:
            raise VaultError(f"{self.where} cannot be written ({error.strerror}); nothing was changed") from error

    def _text(self) -> str:
        try:
            # Non-blocking, so that a pipe in its place is refused and not waited for.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise VaultError(
                f"{self.where} cannot be read ({error.strerror}); restore it or name another one"
            ) from error
        with os.fdopen(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise VaultError(f"{self.where} is not a file; name one")
            if stat.S_IMODE(info.st_mode) & 0o077:
                raise VaultError(f"{self.where} is open to others; run: chmod 600 {self.path}")
            if os.geteuid() not in (0, info.st_uid) and info.st_uid != 0:
                raise VaultError(f"{self.where} belongs to another user, who could change it; run: chown it to yours")
            return _decoded(file.read(VAULT_KEY_TEXT_BYTES_MAX + 1), self.where)

    def _put(self, text: str, *, replace: bool) -> bool:
        """Write a draft, make it durable, and put it in place at once."""
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        owner = self.path.stat() if replace else None
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                if owner is not None and (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)  # root writes, the service must still read
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.rename(self.path.resolve())
            else:
                os.link(draft, self.path)  # fails if another process was first: then its keys stand
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return True


class EnvironmentKeys:
    """The text itself, in an environment variable: fixed while the process lives."""

    may_change = False
    quick = True

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def where(self) -> str:
        return f"environment variable {env_name('vault_keys')}"

    def read(self) -> Keyring:
        return parse(self._text, self.where)


class CommandKeys:
    """A command that prints the text: the client of a key management service or of a hardware module.

    It is run without a shell, in a session of its own, for VAULT_KEY_COMMAND_S at most.
    """

    may_change = True
    quick = False

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)

    @property
    def where(self) -> str:
        return f"vault key command {self._words[0]}"  # its arguments may name what is nobody's business

    def read(self) -> Keyring:
        return parse(_decoded(self._output(), self.where), self.where)

    def _output(self) -> bytes:
        try:
            process = subprocess.Popen(  # noqa: S603 - words that the operator set, and no shell
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a client may tell there what it should not
                start_new_session=True,
            )
        except OSError as error:
            raise VaultError(f"{self.where} cannot be started ({error.strerror}); set its full path") from error
        with process:
            assert process.stdout is not None
            try:
                deadline_s = time.monotonic() + VAULT_KEY_COMMAND_S
                output = _read(process.stdout.fileno(), deadline_s)
                _refuse_excess(output, self.where)  # who goes on printing does not end by itself
                code = process.wait(max(0.0, deadline_s - time.monotonic()))
            except (TimeoutError, subprocess.TimeoutExpired):
                raise VaultError(
                    f"{self.where} did not end within {VAULT_KEY_COMMAND_S:.0f} s; run it by hand to see why"
                ) from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # also what it has started
        if code != 0:
            raise VaultError(f"{self.where} ended with {code}; run it by hand to see why: its output is not logged")
        return output


def _read(descriptor: int, deadline_s: float) -> bytes:
    """Read to the end, to one byte more than is allowed, or until the deadline (TimeoutError)."""
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while len(output) <= VAULT_KEY_TEXT_BYTES_MAX:
            if not selector.select(max(0.0, deadline_s - time.monotonic())):
                raise TimeoutError
            piece = os.read(descriptor, VAULT_KEY_TEXT_BYTES_MAX + 1 - len(output))
            if not piece:
                break
            output += piece
    return output


def _refuse_excess(text: bytes, where: str) -> None:
    if len(text) > VAULT_KEY_TEXT_BYTES_MAX:
        raise VaultError(f"{where} gives more than {VAULT_KEY_TEXT_BYTES_MAX} bytes: these are not vault keys")


def _decoded(text: bytes, where: str) -> str:
    _refuse_excess(text, where)
    try:
        return text.decode("ascii")
    except UnicodeDecodeError:
        raise VaultError(f"{where} is not a vault key file: it holds more than plain letters") from None
