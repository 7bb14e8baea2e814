"""Starts tfseq's commands in processes that have imported TensorFlow: most of a short command.

A server imports it once, and forks a process for each command before TensorFlow has run anything.
What follows is the command's own, as in a process that was started for it.
"""

import contextlib
import functools
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from concurrent import futures

_LONGEST_REQUEST = 1 << 20  # bytes


class Process:
    """A command that has been started; what it offers of `subprocess.Popen` is as there."""

    def __init__(self, replies, stdout, stderr):
        self._replies, self.stdout, self.stderr = replies, stdout, stderr
        self.returncode = None
        self.pid = int(replies.recv(64))

    def wait(self, timeout=None):
        """Waits for its end."""
        if self.returncode is None:
            self._replies.settimeout(timeout)
            try:
                self.returncode = int(self._replies.recv(64))
            except TimeoutError:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout) from None
        return self.returncode

    def poll(self):
        """Returns its exit code, if it has ended."""
        if self.returncode is None:
            self._replies.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                self.returncode = int(self._replies.recv(64))
        return self.returncode

    def send_signal(self, number):
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self):
        """Kills it, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=None):
        """Waits for its end and returns what it has written."""
        with futures.ThreadPoolExecutor(2) as pool:
            written = [pool.submit(_rest, stream) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            return tuple(each.result() for each in written)


def _rest(stream):
    with stream:
        return stream.read()


@functools.cache
def _server():
    """Starts the server, which ends with this process, and returns where requests go."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        place = theirs.fileno()
        # -P: the folder of the tests is not where a command looks for its modules.
        subprocess.Popen([sys.executable, "-P", __file__, str(place)], pass_fds=[place])
    return ours


def start(module, arguments, cwd, environment):
    """Starts `python -m tfseq.<module>` in the folder `cwd`."""
    replies, answers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    (stdout, to_stdout), (stderr, to_stderr) = os.pipe(), os.pipe()
    request = json.dumps([module, arguments, str(cwd), environment]).encode()
    with answers:
        socket.send_fds(_server(), [request], [to_stdout, to_stderr, answers.fileno()])
    os.close(to_stdout)
    os.close(to_stderr)
    return Process(replies, os.fdopen(stdout), os.fdopen(stderr))


def _serve(requests):
    """Forks a process for each request, which waits for the command and says how it ended."""
    from tfseq import cli

    cli.import_tensorflow()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # of those that wait, nobody waits
    while True:
        request, places, *_ = socket.recv_fds(requests, _LONGEST_REQUEST, 3)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            _run(request, *places)
            return
        for place in places:
            os.close(place)


def _run(request, stdout, stderr, answers):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    process = os.fork()
    if process == 0:
        os.close(answers)
        _become(request, stdout, stderr)
        return
    os.close(stdout)
    os.close(stderr)
    with socket.socket(fileno=answers) as answering, contextlib.suppress(BrokenPipeError):
        answering.send(str(process).encode())
        _, status = os.waitpid(process, 0)
        answering.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(request, stdout, stderr):
    """Runs the command; what it raises ends the process, as where Python was started for it."""
    module, arguments, cwd, environment = json.loads(request)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for source, target in ((stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    os.chdir(cwd)
    sys.path.insert(0, cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [f"tfseq.{module}", *arguments]
    sys.orig_argv[:] = [sys.executable, "-m", f"tfseq.{module}", *arguments]  # to start anew by
    runpy.run_module(f"tfseq.{module}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
