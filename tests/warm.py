"""Commands that start warm: most of what a short command costs is the import of torch, Snakemake or DVC.

A server imports these once and forks for each command; in its place on the PATH lies a client of a few lines, which
hands over its words, folder, environment and open files, passes signals on and ends as the command ends. Killed, it
takes the command and all that it has started with it. What runs is the real command in a process of its own.
"""

import array
import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

# Commands that are told of other packages start cold.
PACKAGES = str(Path(__file__).parents[1] / "src")
# Name on the PATH -> module and function that it calls. `python FILE.py` and `python -m MODULE` start warm too.
COMMANDS = {
    "styleinv": ("styleinv.cli", "command"),
    "snakemake": ("snakemake.cli", "main"),
    "dvc": ("dvc.cli", "main"),
}
# Imported before the first command, as they import much of what they need late.
LATE = """
    snakemake.api snakemake.workflow snakemake.report snakemake.storage docutils.core jinja2 smart_open yte pandas
    dvc.cli.parser dvc.repo dvc.stage dvc.lock dvc.data_cloud dvc.scm dvc.dirs dvc_render dulwich.client scmrepo.git
    ruamel.yaml psutil networkx torch._dynamo torchvision pyarrow.pandas_compat sqlalchemy.dialects.sqlite mlflow.pyfunc
    mlflow.tracking.client mlflow.store.tracking.sqlalchemy_store
""".split()
CLIENT = """
import array, json, os, signal, socket, sys
name = os.path.basename(sys.argv[0])
words = sys.argv[1:]
script = words and (words[0].endswith(".py") or words[0] == "-m")
if name == "python" and not script or os.environ.get("PYTHONPATH") != packages:
    real = os.path.join(os.path.dirname(python), name)
    os.execv(real, [real, *words])
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.connect(path)
files = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd != server.fileno()]
files = [fd for fd in files if fd < 3 or os.path.exists(f"/proc/self/fd/{fd}") and os.get_inheritable(fd)]
said = json.dumps([name, words, os.getcwd(), dict(os.environ), files]).encode()
server.sendmsg([len(said).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
server.sendall(said)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, lambda number, frame: server.sendall(bytes([number])))
ended = server.recv(2)
if len(ended) < 2:
    os._exit(99)
if ended[0]:
    signal.signal(ended[0], signal.SIG_DFL)
    os.kill(os.getpid(), ended[0])
os._exit(ended[1])
"""


@functools.cache
def folder() -> Path:
    """A folder for the PATH with a client for each command; starts the server, which ends with this process."""
    place = Path(tempfile.mkdtemp(prefix="warm-"))
    told = [sys.executable, PACKAGES, str(place / "socket")]
    client = f"#!{sys.executable} -SE\npython, packages, path = {told}\n{CLIENT}"
    for name in (*COMMANDS, "python"):
        (place / name).write_text(client)
        (place / name).chmod(0o755)
    words = [sys.executable, __file__, str(place / "socket")]
    own = os.environ | {"PYTHONPATH": PACKAGES, "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=own)
    assert server.stdout is not None and server.stdout.readline() == b"ready\n"
    atexit.register(lambda: (server.kill(), server.wait(), shutil.rmtree(place)))
    return place


def receive(client: socket.socket) -> tuple[str, list[str], str, dict[str, str], dict[int, int]]:
    """What a client asks for; its open files by the numbers that they have there and here.

    Raises:
        EOFError: the client has been killed.
    """
    files = array.array("i")
    head, rights, *_ = client.recvmsg(4, socket.CMSG_SPACE(256 * files.itemsize))
    if len(head) < 4:
        raise EOFError
    for _, _, data in rights:
        files.frombytes(data[: len(data) - len(data) % files.itemsize])
    said, size = b"", int.from_bytes(head, "big")
    while len(said) < size:
        if not (more := client.recv(size - len(said))):
            raise EOFError
        said += more
    name, words, place, environment, numbers = json.loads(said)
    return name, words, place, environment, dict(zip(numbers, files, strict=True))


def become(name: str, words: list[str], place: str, environment: dict[str, str], files: dict[int, int]) -> None:
    """Be the command that a client asks for, and end as it ends."""
    import torch

    os.setsid()
    os.chdir(place)
    Path("/proc/self/comm").write_text(name)
    os.environ.clear()
    os.environ.update(environment)
    # Out of the way first: a number of theirs may be one of ours.
    moved = {number: os.dup2(here, 200 + i) for i, (number, here) in enumerate(files.items())}
    os.closerange(3, 200)
    for number, here in moved.items():
        os.dup2(here, number)
        os.close(here)
    sys.stdin, sys.stdout, sys.stderr = (open(fd, mode, closefd=False) for fd, mode in ((0, "r"), (1, "w"), (2, "w")))
    sys.stderr.reconfigure(line_buffering=True)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    # Which torch read when it was loaded: MKL's number before OpenMP's.
    told = environment.get("MKL_NUM_THREADS") or environment.get("OMP_NUM_THREADS")
    torch.set_num_threads(int(told or os.cpu_count() or 1))
    # Of its folder on the PATH its jobs find their commands first. Steps of Slurm's jobs begin cold, so that it has its
    # hands on what it ends, unless a test that disturbs none says otherwise.
    if name == "snakemake" or (words[:2] == ["-m", "snakemake"] and "WARM_STEPS" in environment):
        sys.executable = shutil.which("python", path=environment["PATH"]) or sys.executable
    code: object = 1
    try:
        if name == "python" and words[0] == "-m":
            sys.argv, sys.path[0] = words[1:], place
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
            code = 0
        elif name == "python":
            sys.argv, sys.path[0] = words, str(Path(words[0]).parent)
            runpy.run_path(words[0], run_name="__main__")
            code = 0
        else:
            sys.argv = [str(Path(sys.executable).parent / name), *words]
            module, function = COMMANDS[name]
            code = getattr(sys.modules[module], function)()
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    # As an interpreter ends, but for the taking down of all that was imported.
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(int(code or 0))


def end(pid: int) -> None:
    """Kill a command and all that it has started, as killing a process group does."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def serve(path: str) -> None:
    """Fork for each client, until standard input ends."""
    import styleinv
    from styleinv import methods
    from styleinv.code import code_hash

    parts = [found.name for found in pkgutil.walk_packages(styleinv.__path__, "styleinv.")]
    for module in [*(module for module, _ in COMMANDS.values()), *LATE, *parts]:
        importlib.import_module(module)
    # Kept by their module, as are the files that it has read.
    for method in methods.known():
        code_hash(method)
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    os.write(1, b"ready\n")
    clients: dict[int, tuple[socket.socket, int]] = {}  # by pidfd
    while True:
        waiting = [0, listener.fileno(), *clients, *(client.fileno() for client, _ in clients.values())]
        ready = set(select.select(waiting, [], [])[0])
        if 0 in ready:
            for _, pid in clients.values():
                end(pid)
            return
        for pidfd, (client, pid) in list(clients.items()):
            if pidfd in ready:
                _, status = os.waitpid(pid, 0)
                code = os.waitstatus_to_exitcode(status)
                with suppress(OSError):  # nobody waits for it any more
                    client.sendall(bytes([-code, 0] if code < 0 else [0, code]))
                client.close()
                os.close(pidfd)
                del clients[pidfd]
            elif client.fileno() in ready:
                said = client.recv(64)
                for number in said:
                    os.kill(pid, number)
                if not said:
                    end(pid)
        if listener.fileno() in ready:
            client, _ = listener.accept()
            try:
                asked = receive(client)
            except (EOFError, ConnectionError):
                client.close()
                continue
            pid = os.fork()
            if not pid:
                become(*asked)
            for fd in asked[-1].values():
                os.close(fd)
            clients[os.pidfd_open(pid)] = (client, pid)


if __name__ == "__main__":
    serve(sys.argv[1])
