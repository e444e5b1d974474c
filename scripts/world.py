"""A private sshd on loopback, ControlMasters to it and the daemon, for scripts/bench and Tests/Interop.

As root the login is a throw-away account. Nothing of the user's is touched, nothing is left behind.
"""

import collections
import ctypes
import heapq
import json
import os
import pathlib
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

MIB = 1 << 20
ROUND_TRIP = 0.050  # of the far host, in seconds
PR_SET_PDEATHSIG = 1


class WorldError(Exception):
    """Something did not run."""


def end_with_us():
    """In a child before execve: it ends when this program ends, however that happens, prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(what, condition, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise WorldError(f"{what}: not within {seconds} s")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes():
    """(pid, parent, uid) of all processes."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            folder = pathlib.Path("/proc", name)
            try:
                stat = (folder / "stat").read_text()
                yield int(name), int(stat.rpartition(")")[2].split()[1]), folder.stat().st_uid
            except (OSError, ValueError):
                continue


def program(pid):
    """What a process executes; None where it has ended."""
    try:
        return pathlib.Path("/proc", str(pid), "comm").read_text().strip()
    except OSError:
        return None


class World:
    """All that runs, and its end. `settings` are keys of the daemon's config in the place of those below."""

    def __init__(self, binaries, directory=None, **settings):
        self.settings = settings
        self.children = []
        self.account = None
        self.made_run_sshd = False
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="claude-ssh-world.", dir=directory))
        self.binaries = binaries
        self.log = open(self.dir / "log", "w+b", buffering=0)

    def spawn(self, *argv, log=None, **options):
        child = subprocess.Popen(
            [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=self.log, stderr=log or self.log,
            preexec_fn=end_with_us, **options)
        self.children.append(child)
        return child

    def start(self):
        self.dir.chmod(0o755)  # sshd reads the authorized keys as the login user
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.remote = self.dir / "remote"
        self.local = self.dir / "local"
        self.local.mkdir()
        self.remote.mkdir()
        if os.geteuid() == 0:
            self.make_account()
        self.port = port = self.start_sshd()
        self.near = self.start_master("near", port)
        self.far = self.start_master("far", self.start_proxy(port))
        self.start_daemon()

    def make_account(self):
        """root's shell may read slow start-up files: the login is a throw-away account with an empty home."""
        self.account = self.user = f"csdb-{os.getpid()}"
        # "*" matches no password; "!" would be a locked account, which sshd refuses.
        subprocess.run(
            ["useradd", "-M", "-U", "-l", "-d", self.remote, "-s", "/bin/bash", "-p", "*", self.account], check=True)
        shutil.chown(self.remote, self.account, self.account)
        try:
            os.mkdir("/run/sshd", 0o755)
            self.made_run_sshd = True
        except FileExistsError:
            pass

    def start_sshd(self):
        for key in "host_key", "client_key":
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", self.dir / key], check=True)
        (self.dir / "client_key.pub").chmod(0o644)
        sshd = shutil.which("sshd")
        for _ in range(20):  # the port was free when it was chosen
            port = free_port()
            (self.dir / "sshd_config").write_text(
                f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {self.dir}/host_key\n"
                f"AuthorizedKeysFile {self.dir}/client_key.pub\nPidFile none\nUsePAM no\nStrictModes no\n"
                "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\nPermitUserRC no\n"
                "Subsystem sftp internal-sftp\n")
            log = self.dir / "sshd.log"
            server = self.spawn(sshd, "-D", "-f", self.dir / "sshd_config", "-E", log)
            wait_for("sshd", lambda: server.poll() is not None or "Server listening" in read_text(log))
            if server.poll() is None:
                return port
        raise WorldError("sshd did not start")

    def start_master(self, name, port):
        key = (self.dir / "host_key.pub").read_text()
        hosts = self.dir / f"{name}.known_hosts"
        hosts.write_text(f"[127.0.0.1]:{port} {key}")
        control = self.dir / f"{name}.sock"
        options = (
            "BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", f"UserKnownHostsFile={hosts}",
            "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "ControlPersist=no")
        words = [word for option in options for word in ("-o", option)]
        master = self.spawn(
            "ssh", "-F", "none", "-M", "-N", "-S", control, "-p", port, "-i", self.dir / "client_key", *words,
            self.destination)
        check = ["ssh", "-F", "none", "-S", str(control), "-O", "check", self.destination]

        def answers():
            if master.poll() is not None:
                raise WorldError("the ControlMaster ended")
            return subprocess.run(check, stdout=self.log, stderr=self.log).returncode == 0

        wait_for("ControlMaster", answers)
        return control

    def start_proxy(self, port):
        listener = socket.create_server(("127.0.0.1", 0))
        child = os.fork()
        if child == 0:
            try:
                end_with_us()
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                delay(listener, port, ROUND_TRIP / 2)
            finally:
                os._exit(1)
        self.children.append(Forked(child))
        with listener:
            return listener.getsockname()[1]

    def start_daemon(self):
        hosts = {
            name: {"socket": str(control), "user": self.user, "host": "127.0.0.1"}
            for name, control in (("near", self.near), ("far", self.far))}
        self.socket_path = self.dir / "mcp.sock"
        self.config = {
            "mcp_socket": str(self.socket_path), "default_host": "near", "hosts": hosts,
            "capabilities": {"exec": True, "file_read": True, "file_write": True},
            "local_roots": [str(self.local)], "limits": {"max_output_bytes": 16 * MIB}} | self.settings
        config = self.write_config()
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.dir), "XDG_RUNTIME_DIR": str(self.dir)}
        with open(self.dir / "daemon.log", "wb") as log:
            self.daemon = self.spawn(
                self.binaries / "claude-ssh-daemon", "--config", config, log=log, env=environment)
        wait_for("the daemon's socket", self.socket_path.exists)

    def write_config(self, **changes):
        path = self.dir / "config.json"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.config | changes, file)
        return path

    def reload(self, **changes):
        """Has the daemon read its config again, with these keys changed."""
        self.write_config(**changes)
        self.daemon.send_signal(signal.SIGHUP)

    def reloaded(self, **changes):
        """The same, and waits until it has."""
        def times():
            return read_text(self.dir / "daemon.log").count("config reloaded")
        before = times()
        self.reload(**changes)
        wait_for("the new config", lambda: times() > before)

    def wait_without_worker(self):
        """Until nobody is served."""
        wait_for("the worker's end", lambda: all(parent != self.daemon.pid for _, parent, _ in processes()))

    @property
    def destination(self):
        return f"{self.user}@127.0.0.1"

    def child(self, name):
        """The pid of the one child of the daemon that executes claude-ssh-`name`."""
        def found():
            children = [pid for pid, parent, _ in processes() if parent == self.daemon.pid]
            # The kernel keeps fifteen bytes of a name, proc_pid_comm(5).
            pids = [pid for pid in children if program(pid) == f"claude-ssh-{name}"[:15]]
            return pids[0] if len(pids) == 1 else None
        return wait_for(f"one {name}", found)

    def worker(self):
        """The pid of the one worker."""
        return self.child("worker")

    def stop(self):
        for child in reversed(self.children):
            child.terminate()
            try:
                child.wait(timeout=8)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.log.close()
        if self.account:
            self.remove_account()
        if self.made_run_sshd:
            try:
                os.rmdir("/run/sshd")
            except OSError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def remove_account(self):
        uid = pwd.getpwnam(self.account).pw_uid
        deadline = time.monotonic() + 5
        while any(owner == uid for _, _, owner in processes()) and time.monotonic() < deadline + 5:
            if time.monotonic() > deadline:
                for pid in [pid for pid, _, owner in processes() if owner == uid]:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        subprocess.run(["userdel", self.account], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def logs(self):
        return "\n".join(read_text(path) for path in sorted(self.dir.glob("*log")) if path.is_file())


class Forked:
    """A forked child with the calls of subprocess.Popen that `World.stop` makes."""

    def __init__(self, pid):
        self.pid = pid

    def terminate(self):
        os.kill(self.pid, signal.SIGKILL)

    kill = terminate

    def wait(self, timeout=None):
        os.waitpid(self.pid, 0)


def read_text(path):
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


def delay(listener, port, seconds):
    """Passes TCP connections on to `port`, every byte `seconds` later, both ways."""
    peer, held, due, number = {}, collections.Counter(), [], 0
    while True:
        timeout = max(0, due[0][0] - time.monotonic()) if due else None
        readable, _, _ = select.select([listener, *(end for end in peer if held[end] < 8 * MIB)], [], [], timeout)
        for source in readable:
            if source is listener:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
                for end, other in (near, far), (far, near):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    peer[end] = other
                continue
            try:
                data = source.recv(256 * 1024)
            except OSError:
                data = b""
            number += 1
            held[source] += len(data)
            heapq.heappush(due, (time.monotonic() + seconds, number, source, peer[source], data))
            if not data:
                del peer[source]
        while due and due[0][0] <= time.monotonic():
            _, _, source, target, data = heapq.heappop(due)
            held[source] -= len(data)
            try:
                target.sendall(data) if data else target.shutdown(socket.SHUT_WR)
            except OSError:
                pass
